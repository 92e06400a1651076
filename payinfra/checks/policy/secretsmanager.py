"""Checks of secrets: how Secrets Manager keeps them, and that none stands in the configuration."""

import base64
import re
from collections.abc import Iterator

from payinfra.checks.manifest import Json, Manifest, Missing, Resource, Unreadable, parsed, texts_in
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import customer_key
from payinfra.checks.policy.open_policies import open_policy
from payinfra.checks.policy.schedules import longest_days_between
from payinfra.checks.policy.terraform import is_written_out
from payinfra.checks.policy.verdict_helpers import nested, pass_unless, region_of, verdict_for_gap
from payinfra.checks.secret_recognition import is_pointer, is_written_secret, look_of, secret_attributes

_SECRET = "aws_secretsmanager_secret"  # noqa: S105 - a type of resource


@check(
    id="PI-SEC-001",
    title="Secrets are encrypted with a customer key in each of their regions",
    severity=Severity.MEDIUM,
    on=_SECRET,
    risk="Whoever may read secrets in the account reads them all; there is no second lock that can be "
    "revoked.",
    fix="Set kms_key_id on the secret and on each of its replicas to a customer key of that region.",
)
def secret_uses_a_customer_key(secret: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """A replica is encrypted with its own region's key."""
    return pass_unless(_keys(secret, manifest))


def _keys(secret: Resource, manifest: Manifest) -> Iterator[Verdict]:
    yield from customer_key(secret, "kms_key_id", manifest, region=region_of(secret), what="the secret")
    replicas = nested(secret, "replica")
    if isinstance(replicas, Unreadable):
        yield Verdict.unknown(replicas.why)
        return
    for replica in replicas:
        region = replica.text("region")
        yield from customer_key(replica, "kms_key_id", manifest, region=region, what=replica.path)


_MOST_DAYS = 90


@check(
    id="PI-SEC-002",
    title="Secrets rotate",
    severity=Severity.MEDIUM,
    on=_SECRET,
    risk="A secret that leaks once opens the database or the acquirer's account for ever.",
    fix="Add an aws_secretsmanager_secret_rotation that rotates it every 90 days or more often.",
    controls=("AWS FSBP SecretsManager.1",),
)
def secret_rotates(secret: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """By a rotation beside it, or by the service that owns it."""
    beside = manifest.attached(secret, "aws_secretsmanager_secret_rotation", by="secret_id")
    if not beside.resources:
        if beside.unclear:
            return (Verdict.unknown(f"{beside.unclear[0].address} may rotate it: its secret is unknown"),)
        return (Verdict.failed("nothing rotates it"),)
    return pass_unless(verdict for one in beside.resources for verdict in _how_often(one))


def _how_often(rotation: Resource) -> Iterator[Verdict]:
    days = rotation.number("rotation_rules.automatically_after_days")
    if isinstance(days, Missing):
        schedule = rotation.text("rotation_rules.schedule_expression")
        if isinstance(schedule, Unreadable):
            yield verdict_for_gap(schedule, f"{rotation.address} does not say how often")
            return
        days = longest_days_between(schedule)
    if isinstance(days, Unreadable):
        yield Verdict.unknown(days.why)
    elif days > _MOST_DAYS:
        yield Verdict.failed(f"{rotation.address} rotates it every {days:g} days")


@check(
    id="PI-SEC-004",
    title="A secret's policy lets only named callers in",
    severity=Severity.HIGH,
    on=(_SECRET, "aws_secretsmanager_secret_policy"),
    risk="Anyone with an AWS account may read the acquirer's credentials, or replace them.",
    fix="Name the readers as principals. Another account's role also needs the secret's key.",
)
def secret_is_closed(secret: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Conditions are evaluated: one that a stranger can meet binds nobody."""
    return open_policy(secret, manifest)


_ELSEWHERE = frozenset({"aws_lambda_function"})
"""Judged by a check of its own (PI-LAM-004)."""


@check(
    id="PI-SEC-003",
    title="No secret stands in the configuration",
    severity=Severity.HIGH,
    risk="Whoever may read the repository, the plan or the state has the secret.",
    fix="Let AWS or Terraform make it (random_password, manage_master_user_password), or write it by hand "
    "once.",
)
def no_secret_is_written_out(manifest: Manifest) -> tuple[Verdict, ...]:
    """Literals where a secret belongs, and texts anywhere that look like one."""
    found: list[Verdict] = []
    for resource in (*manifest.resources, *manifest.data):
        written = next((path for path in _sensitive(resource) if _is_literal_secret(resource, path)), "")
        if written:
            found.append(Verdict.failed(f"its {written} is a literal", resource.address))
        elif resource.kind not in _ELSEWHERE:
            found += _looks(resource)
    for name, value in manifest.locals.items():
        found += [Verdict.failed(f"it looks like a secret: {what}", f"local.{name}") for what in _in(value)]
    if not (manifest.resources or manifest.data):
        return (Verdict.not_applicable(),)
    return pass_unless(dict.fromkeys(found))


def _sensitive(resource: Resource) -> tuple[str, ...]:
    if resource.kind == "aws_ssm_parameter" and resource.text("type") != "SecureString":
        return ()
    return secret_attributes(resource.kind)


def _is_literal_secret(resource: Resource, path: str) -> bool:
    value = resource.template(path)
    return is_written_out(resource, path) and isinstance(value, str) and not is_pointer(value)


def _looks(resource: Resource) -> Iterator[Verdict]:
    for variable, text in _variables(resource):
        if is_written_secret(variable, text):
            yield Verdict.failed(
                f"its environment variable {variable} is named as a secret and holds a literal",
                resource.address,
            )
    for path in _SCRIPTS:
        script = resource.template(path)
        for found in _ASSIGNMENT.finditer(_plain(script)) if isinstance(script, str) else ():
            if is_written_secret(found["name"], found["value"]):
                yield Verdict.failed(
                    f"its {path} assigns a literal to {found['name']}, which is named as a secret",
                    resource.address,
                )
    for name, value in resource.body.items():
        if name == "//" or (resource.kind == "aws_ssm_parameter" and name in ("value", "insecure_value")):
            continue
        for what in _in(value):
            yield Verdict.failed(f"its {name} holds what looks like a secret: {what}", resource.address)


_SCRIPTS = ("user_data", "user_data_base64", "buildspec", "source.buildspec")
_ASSIGNMENT = re.compile(r"(?<![\w$])(?P<name>[A-Z][A-Z0-9_]+)=[\"']?(?P<value>[^\s\"'$`;|&<>]{6,})")


def _plain(script: str) -> str:
    """A script as it runs: launch templates hold it in base64."""
    try:
        return base64.b64decode(script, validate=True).decode()
    except ValueError:
        return script


_ENVIRONMENTS = ("environment", "environment_variable")
_VARIABLES = ("environment_variables", "runtime_environment_variables")
"""What holds a program's variables: as blocks with name and value, and as a map. Of ECS's tasks they are in a
text of JSON, of CodeBuild's projects they may be looked up in another place (`type`)."""


def _variables(resource: Resource) -> Iterator[tuple[str, str]]:
    """The environment variables that are texts in a resource, with their names."""
    containers = resource.template("container_definitions")
    todo: list[tuple[str, Json]] = [("", {**resource.body})]
    todo += [("", parsed(containers))] if isinstance(containers, str) else []
    while todo:
        match todo.pop():
            case (key, list(items)):
                todo += [(key, one) for one in items]
            case (key, {"name": str(name), "value": str(value), **rest}) if key in _ENVIRONMENTS:
                if rest.get("type", "PLAINTEXT") == "PLAINTEXT":
                    yield name, value
            case (key, dict(fields)) if key in _VARIABLES:
                yield from ((name, value) for name, value in fields.items() if isinstance(value, str))
            case (_, dict(fields)):
                todo += fields.items()
            case _:
                pass


def _in(value: Json) -> Iterator[str]:
    """What the texts in a value look like, each kind once."""
    yield from dict.fromkeys(what for text in texts_in(value) if (what := look_of(text)))
