"""What is published in Parameter Store."""

from collections.abc import Iterator

from payinfra.checks.probes.apigateway import hidden
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, paired, regional
from payinfra.checks.verdicts import Severity, Verdicts
from payinfra.core.naming import Parameter

_REDEPLOY = "Deploy again: the parameter was changed outside Terraform."


@regional(
    "LIVE-SSM-001",
    title="Each parameter can be read and holds what was deployed",
    severity=Severity.HIGH,
    risk="Whoever looks an address up there writes to the wrong place.",
    fix=_REDEPLOY,
)
def parameters_hold_what_was_deployed(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """SSM: GetParameter."""
    return all_of(_plain_faults(live, site))


def _plain_faults(live: ProbeContext, site: RegionUnderTest) -> Iterator[str]:
    names, outputs = site.declared.parameters, site.outputs
    for name, wanted in (
        (names.table_name, outputs.dynamodb_table_name),
        (names.bucket_name, outputs.s3_bucket_name),
        (names.endpoint, outputs.api_endpoint),
    ):
        found = live.aws.ssm(site.region).get_parameter(Name=name)["Parameter"]
        yield from differences(
            ((f"type of {name}", found.get("Type"), "String"), (name, found.get("Value"), wanted))
        )


@paired(
    "LIVE-SSM-002",
    title="The API key is a SecureString, is the API's own, and is the same in both regions",
    severity=Severity.CRITICAL,
    risk="Clients that read their key there are refused with 403.",
    fix=_REDEPLOY,
)
def api_key_is_kept_safe(live: ProbeContext) -> Verdicts:
    """SSM: GetParameter; API Gateway: GetApiKey. Compared by hash."""
    return all_of(_secret_faults(live))


@paired(
    "LIVE-SSM-003",
    title="The secret that cursors are signed with is a SecureString, and the same in both regions",
    severity=Severity.MEDIUM,
    risk="After a failover every list that a client is in the middle of begins anew.",
    fix=_REDEPLOY,
)
def cursor_secret_is_one(live: ProbeContext) -> Verdicts:
    """SSM: GetParameter. Compared by hash."""
    name = live.outputs.names.parameter(Parameter.CURSORS)
    found = [
        live.aws.ssm(site.region).get_parameter(Name=name, WithDecryption=True)["Parameter"]
        for site in live.sites
    ]
    here, there = (hidden(one.get("Value", "")) for one in found)
    types = [
        (f"type of {name} in {site.region}", one.get("Type"), "SecureString")
        for site, one in zip(live.sites, found, strict=True)
    ]
    return all_of([*differences(types), *([] if here == there else [f"{name} differs between the regions"])])


def _secret_faults(live: ProbeContext) -> Iterator[str]:
    for site in live.sites:
        found = live.aws.ssm(site.region).get_parameter(
            Name=site.outputs.api_key_parameter, WithDecryption=True
        )["Parameter"]
        key = live.aws.apigateway(site.region).get_api_key(apiKey=site.outputs.api_key_id, includeValue=True)
        name = f"{site.outputs.api_key_parameter} in {site.region}"
        yield from differences(((f"type of {name}", found.get("Type"), "SecureString"),))
        if hidden(found.get("Value", "")) != hidden(key.get("value", "")):
            yield f"{name} is not the API's key"
