"""Checks of SSM parameters: that what is secret is kept as such."""

from collections.abc import Iterator

from payinfra.checks.manifest import SPAN, Manifest, Missing, Resource, Unreadable, is_literal
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import customer_key
from payinfra.checks.policy.verdict_helpers import pass_unless, region_of, secrets_in, verdict_for_gap
from payinfra.checks.secret_recognition import is_pointer, look_of, names_secret, secret_in_json

_TYPES = ("String", "StringList", "SecureString")


@check(
    id="PI-SSM-001",
    title="Parameters with secrets are SecureString under a customer key",
    severity=Severity.HIGH,
    on="aws_ssm_parameter",
    risk="Whoever may read parameters reads the API key.",
    fix='Set type to "SecureString" and key_id to a customer key of the parameter\'s region.',
)
def secret_parameter_is_secure(parameter: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """A parameter is secret if its value comes from a secret or looks like one, or its name is a secret's."""
    kind = parameter.text("type")
    if isinstance(kind, Unreadable):
        return (verdict_for_gap(kind, "it has no type"),)
    if kind not in _TYPES:
        return (Verdict.unknown(f"type is {kind!r}"),)
    if kind == "SecureString":
        return pass_unless(
            customer_key(parameter, "key_id", manifest, region=region_of(parameter), what="the parameter")
        )
    secrets = (
        *secrets_in(manifest, parameter, "value"),
        *secrets_in(manifest, parameter, "insecure_value"),
    )
    if secrets:
        return (Verdict.failed(f"it is a {kind} and holds {secrets[0]}"),)
    written = parameter.template("value_wo")
    if isinstance(written, str) and not is_literal(written):
        return (Verdict.failed(f"it is a {kind}, and its value is too secret for the state (value_wo)"),)
    name, texts = parameter.template("name"), list(_values(parameter))
    for path, text in texts:
        look = look_of(text)
        if look:
            return (Verdict.failed(f"it is a {kind} and its {path} looks like a secret: {look}"),)
        inside = secret_in_json(text)
        if inside:
            return (Verdict.failed(f"it is a {kind} and its {path} has a secret under {inside!r}"),)
    if (
        isinstance(name, str)
        and names_secret(SPAN.sub("", name))
        and not all(_points(text) for _, text in texts)
    ):
        return (Verdict.failed(f"it is a {kind} and is named {name!r}"),)
    value = parameter.text("value")
    if isinstance(value, Unreadable) and not isinstance(value, Missing) and not parameter.references("value"):
        return (Verdict.unknown(f"whether it is secret is not known: {value.why}"),)
    return (Verdict.not_applicable("it holds no secret"),)


def _values(parameter: Resource) -> Iterator[tuple[str, str]]:
    for path in ("value", "insecure_value", "value_wo"):
        text = parameter.template(path)
        if isinstance(text, str):
            yield path, text


def _points(text: str) -> bool:
    """Whether a parameter with a secret's name only tells where the secret is."""
    return is_pointer(text) or text.endswith(".arn}")
