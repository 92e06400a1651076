"""Checks of SSM parameters: that what is secret is kept as such."""

import re

from payinfra.checks.manifest import Manifest, Missing, Resource, Unreadable
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import customer_key
from payinfra.checks.policy.verdict_helpers import pass_unless, region_of, secrets_in, verdict_for_gap

_TYPES = ("String", "StringList", "SecureString")
_SECRET_NAME = re.compile(
    r"(?i)(?:^|[/_.-])(?:secret|password|passwd|token|api[-_.]?key|private[-_.]?key|credentials?)$"
)


@check(
    id="PI-SSM-001",
    title="Parameters with secrets are SecureString under a customer key",
    severity=Severity.HIGH,
    on="aws_ssm_parameter",
    risk="Whoever may read parameters reads the API key.",
    fix='Set type to "SecureString" and key_id to a customer key of the parameter\'s region.',
)
def secret_parameter_is_secure(parameter: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """A parameter is secret if its value comes from a secret, or its name ends like one."""
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
    name = parameter.text("name")
    if isinstance(name, str) and _SECRET_NAME.search(name):
        return (Verdict.failed(f"it is a {kind} and is named {name!r}"),)
    value = parameter.text("value")
    if isinstance(value, Unreadable) and not isinstance(value, Missing) and not parameter.references("value"):
        return (Verdict.unknown(f"whether it is secret is not known: {value.why}"),)
    return (Verdict.not_applicable("it holds no secret"),)
