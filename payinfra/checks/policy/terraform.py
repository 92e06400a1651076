"""Checks of what Terraform is told besides resources: providers, backend, lifecycles, programs that it
runs."""

import fnmatch
import re
from collections.abc import Iterator

from payinfra.checks.manifest import (
    Block,
    Manifest,
    Missing,
    Provider,
    Resource,
    Unreadable,
    is_literal,
)
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.endpoints import (
    LOOPBACK,
    function_endpoints,
    is_on_this_machine,
    provider_endpoints,
)
from payinfra.checks.policy.verdict_helpers import aws_providers, flag_off, nested, pass_unless
from payinfra.checks.secret_recognition import look_of, names_secret

_LITERAL_KEYS = ("access_key", "secret_key", "token")
_SKIPPED = (
    ("insecure", "accepts any certificate"),
    ("skip_credentials_validation", "does not check whose credentials they are"),
    ("skip_region_validation", "does not check its region"),
    ("skip_requesting_account_id", "does not look which account it works in"),
)


@check(
    id="PI-TF-001",
    title="AWS providers hold no literal keys, they and functions ask AWS alone and check what they are told",
    severity=Severity.HIGH,
    risk="Keys lie in the file and in the state; calls and their data go to somebody else's server.",
    fix="Take credentials from the environment or a role, and remove endpoints, insecure and skip_ settings.",
)
def providers_ask_aws(manifest: Manifest) -> tuple[Verdict, ...]:
    """The embedded AWS on this machine's own address may have keys and endpoints of its own."""
    providers = aws_providers(manifest)
    found = [verdict for provider in providers for verdict in _provider(provider)]
    if not (providers and all(is_on_this_machine(one.block) for one in providers)):
        for function in manifest.all("aws_lambda_function"):
            found += function_endpoints(function, manifest)
    if not (providers or found):
        return (Verdict.not_applicable("there is no AWS provider"),)
    return pass_unless(found)


def _provider(provider: Provider) -> Iterator[Verdict]:
    block, address = provider.block, f"provider.{provider.address}"
    if is_on_this_machine(block):
        return
    for path in _LITERAL_KEYS:
        key = block.template(path)
        if isinstance(key, str) and key and is_literal(key):
            yield Verdict.failed(f"its {path} is a literal", address)
    yield from provider_endpoints(provider)
    for path, what in _SKIPPED:
        yield from flag_off(block, path, f"it {what} ({path})", address)


@check(
    id="PI-TF-002",
    title="The state is encrypted, locked and reached over TLS",
    severity=Severity.HIGH,
    risk="The state holds the API key in clear; two runs at once tear it, and plain HTTP shows it to the "
    "network.",
    fix="Set encrypt and use_lockfile on the S3 backend, or an https address, and no literal credentials.",
)
def state_is_safe(manifest: Manifest) -> tuple[Verdict, ...]:
    """A local state file is as safe as the disk that it is on."""
    backends = nested(manifest.settings, "backend")
    if isinstance(backends, Unreadable):
        return (Verdict.unknown(backends.why, "terraform.backend"),)
    kinds = [
        (kind, one)
        for backend in backends
        for kind in backend.body
        if kind != "//"
        for one in _blocks(backend, kind)
    ]
    if not kinds:
        return (Verdict.not_applicable("no backend is configured"),)
    return pass_unless(
        verdict for kind, one in kinds for verdict in _backend(kind, one, f"terraform.backend.{kind}")
    )


def _blocks(block: Block, path: str) -> tuple[Block, ...]:
    found = nested(block, path)
    return () if isinstance(found, Unreadable) else found


def _backend(kind: str, backend: Block, address: str) -> Iterator[Verdict]:
    if kind == "s3":
        yield from _s3_backend(backend, address)
    local = kind == "s3" and is_on_this_machine(backend)
    for path in ("address", "lock_address", "unlock_address", "conn_str", "endpoint", "url"):
        text = backend.template(path)
        if not isinstance(text, str):
            continue
        if text.lower().startswith("http://") and not LOOPBACK.fullmatch(text):
            yield Verdict.failed(f"its {path} is plain HTTP", address)
        if look_of(text):
            yield Verdict.failed(f"its {path} holds a password", address)
        if "sslmode=disable" in text:
            yield Verdict.failed(f"its {path} turns TLS off", address)
    if backend.text("scheme") == "http":
        yield Verdict.failed("its scheme is plain HTTP", address)
    for path in ("skip_cert_verification", "insecure"):
        yield from flag_off(backend, path, f"it accepts any certificate ({path})", address)
    for name in backend.body:
        value = backend.template(name)
        secret = names_secret(name) or name in ("access_key", "credentials")
        if not local and secret and isinstance(value, str) and value and is_literal(value):
            yield Verdict.failed(f"its {name} is a literal", address)


def _s3_backend(backend: Block, address: str) -> Iterator[Verdict]:
    encrypt = backend.flag("encrypt")
    if encrypt is False or isinstance(encrypt, Missing):
        yield Verdict.failed("encrypt is not true", address)
    elif isinstance(encrypt, Unreadable):
        yield Verdict.unknown(encrypt.why, address)
    if backend.flag("use_lockfile") is not True and not backend.has("dynamodb_table"):
        yield Verdict.failed("nothing locks it: neither use_lockfile nor dynamodb_table is set", address)
    acl = backend.text("acl")
    if isinstance(acl, str) and acl.startswith(("public", "authenticated")):
        yield Verdict.failed(f"its acl is {acl!r}", address)


_KEPT = ("aws_dynamodb_table", "aws_kms_key", "aws_rds_cluster", "aws_db_instance", "aws_s3_bucket")
_GUARDED = frozenset(
    {
        "assume_role_policy",
        "block_public_acls",
        "block_public_policy",
        "deletion_protection",
        "deletion_protection_enabled",
        "enable_key_rotation",
        "ignore_public_acls",
        "kms_key_arn",
        "kms_key_id",
        "kms_master_key_id",
        "point_in_time_recovery",
        "policy",
        "restrict_public_buckets",
        "server_side_encryption",
        "storage_encrypted",
    }
)


@check(
    id="PI-TF-003",
    title="Terraform refuses to destroy what holds a protected environment's data",
    severity=Severity.MEDIUM,
    risk="One renamed resource or changed key is planned as destroy and create, and takes every payment "
    "with it.",
    fix="Set lifecycle.prevent_destroy on tables, buckets and keys, and leave force_destroy off.",
)
def data_is_not_destroyed(manifest: Manifest) -> tuple[Verdict, ...]:
    """Where some have prevent_destroy, all of the type must; a stack without any gets one warning."""
    if manifest.protected is False:
        return (Verdict.not_applicable("the environment is ephemeral"),)
    kept = manifest.all(*_KEPT)
    if not kept or (manifest.planned and not manifest.has_source):
        return (Verdict.not_applicable("nothing here holds data, or a plan does not say how it is kept"),)
    found = [
        verdict
        for one in kept
        for verdict in flag_off(one, "force_destroy", "force_destroy empties and destroys it", one.address)
    ]
    bare = [one for one in kept if one.flag("lifecycle.prevent_destroy") is not True]
    if bare and len(bare) < len(kept):
        found += [
            Verdict.failed("it has no prevent_destroy, as others here have", one.address) for one in bare
        ]
    elif bare:
        shown = ", ".join(one.address for one in bare[:3])
        more = f" and {len(bare) - 3} more" if len(bare) > 3 else ""
        found.append(Verdict.warn(f"nothing keeps Terraform from destroying {shown}{more}"))
    return pass_unless(found)


@check(
    id="PI-TF-004",
    title="Terraform ignores no change of a resource as a whole, nor of what protects it",
    severity=Severity.MEDIUM,
    risk="What somebody changes by hand, or what the file says from now on, is never put right or never "
    "applied.",
    fix="Name the single properties that something else manages in ignore_changes.",
)
def changes_are_not_ignored(manifest: Manifest) -> tuple[Verdict, ...]:
    """`all`, and properties that other checks guard."""
    found: list[Verdict] = []
    seen = False
    for resource in manifest.resources:
        if not resource.has("lifecycle.ignore_changes"):
            continue
        seen = True
        names = resource.texts("lifecycle.ignore_changes")
        if isinstance(names, Unreadable):
            found.append(Verdict.unknown(names.why, resource.address))
            continue
        plain = [name.removeprefix("${").removesuffix("}").strip() for name in names]
        guarded = [name for name in plain if re.split(r"[.\[]", name)[0] in _GUARDED]
        if "all" in plain or "*" in plain:
            found.append(Verdict.failed("ignore_changes is all", resource.address))
        elif guarded:
            found.append(Verdict.warn(f"changes of {guarded[0]} are ignored", resource.address))
    if not seen:
        return (Verdict.not_applicable("nothing ignores changes"),)
    return pass_unless(found)


@check(
    id="PI-TF-005",
    title="Terraform forgets no resource that goes on existing",
    severity=Severity.MEDIUM,
    risk="What is forgotten stays, is billed, holds data, and nobody's plan shows it again.",
    fix="Remove the resource itself, or import it where it is managed from now on.",
)
def nothing_is_forgotten(manifest: Manifest) -> tuple[Verdict, ...]:
    """A `removed` block with destroy = false."""
    if not manifest.removed:
        return (Verdict.not_applicable("there is no removed block"),)
    found: list[Verdict] = []
    for block in manifest.removed:
        origin = block.template("from")
        shown = origin.removeprefix("${").removesuffix("}") if isinstance(origin, str) else "removed"
        destroy = block.flag("lifecycle.destroy")
        if destroy is False:
            found.append(Verdict.failed("it is forgotten, not destroyed", shown))
        elif isinstance(destroy, Unreadable) and not isinstance(destroy, Missing):
            found.append(Verdict.unknown(destroy.why, shown))
    return pass_unless(found)


_RUNS = {
    "data.external": "it runs a program whenever Terraform plans",
    "shell_script": "it runs a program",
    "data.shell_script": "it runs a program whenever Terraform plans",
}
_WARNED = {
    "data.http": "it asks a server whenever Terraform plans",
    "null_resource": "it makes nothing, and is there for what it runs",
}
_NO_ORIGIN = re.compile(r"(?:(?:registry\.terraform\.io|registry\.opentofu\.org)/)?(?:hashicorp/)?aws")


@check(
    id="PI-TF-006",
    title="Terraform runs no program and takes the AWS provider from HashiCorp",
    severity=Severity.MEDIUM,
    risk="A plan of a pull request runs somebody's code with the deployment's credentials.",
    fix="Remove external data, provisioners and foreign providers; build before Terraform runs.",
)
def nothing_is_run(manifest: Manifest) -> tuple[Verdict, ...]:
    """External data, provisioners, `null_resource`, and the origin of the AWS provider."""
    if not (manifest.resources or manifest.data):
        return (Verdict.not_applicable(),)
    found: list[Verdict] = []
    for resource in (*manifest.resources, *manifest.data):
        if resource.kind in _RUNS:
            found.append(Verdict.failed(_RUNS[resource.kind], resource.address))
        elif resource.has("provisioner"):
            found.append(Verdict.failed("it has a provisioner, which runs a program", resource.address))
        elif resource.kind in _WARNED:
            found.append(Verdict.warn(_WARNED[resource.kind], resource.address))
    source = manifest.settings.text("required_providers.aws.source")
    if isinstance(source, str) and not _NO_ORIGIN.fullmatch(source.lower()):
        found.append(Verdict.failed(f"the AWS provider comes from {source}", "terraform.required_providers"))
    return pass_unless(found)


_PROTECTED = "Protected"
_EPHEMERAL_NAMES = ("pr[0-9]*", "pr-*", "dev*")


@check(
    id="PI-TF-007",
    title="No tag says that a lasting environment may be thrown away",
    severity=Severity.MEDIUM,
    risk="Checks, clean-up jobs and people take production for an environment that may be destroyed.",
    fix="Remove the tag Protected = false, or rename the environment so that it matches the ephemeral names.",
)
def tags_do_not_unprotect(manifest: Manifest) -> tuple[Verdict, ...]:
    """The tag decides whether other checks ask for protection, so it must agree with the name."""
    found: list[Verdict] = []
    seen = False
    holders: list[tuple[str, Block, str]] = [
        (f"provider.{one.address}", one.block, "default_tags.tags") for one in aws_providers(manifest)
    ]
    holders += [(one.address, one, "tags") for one in manifest.resources if one.has("tags")]
    for address, block, path in holders:
        tags = block.mapping(path)
        if isinstance(tags, Unreadable) or _PROTECTED not in tags:
            continue
        seen = True
        value, environment = tags[_PROTECTED], manifest.environment
        if value not in (False, "false"):
            continue
        if not isinstance(environment, str):
            found.append(
                Verdict.unknown("it is tagged Protected = false, and its environment is not known", address)
            )
        elif not any(fnmatch.fnmatchcase(environment, pattern) for pattern in _EPHEMERAL_NAMES):
            found.append(
                Verdict.failed(f"the environment {environment!r} is tagged Protected = false", address)
            )
    if not seen:
        return (Verdict.not_applicable("nothing is tagged Protected"),)
    return pass_unless(found)


def is_written_out(resource: Resource, path: str) -> bool:
    """Whether a property holds a literal that Terraform would write: not ignored after the first time."""
    value = resource.template(path)
    if not isinstance(value, str) or not value or not is_literal(value):
        return False
    ignored = resource.texts("lifecycle.ignore_changes")
    names = () if isinstance(ignored, Unreadable) else ignored
    return not any(name.removeprefix("${").removesuffix("}").strip() in (path, "all") for name in names)
