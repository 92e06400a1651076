"""What is published in Parameter Store."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from payinfra.checks.probes.apigateway import hidden
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, paired, regional
from payinfra.checks.verdicts import Severity, Verdicts
from payinfra.clients.aws_errors import NoData
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import Parameter
from payinfra.core.published import PublishedDeployment

if TYPE_CHECKING:
    from mypy_boto3_ssm.type_defs import ParameterStringFilterTypeDef

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
    yield from _published_faults(live, site)


def _published_faults(live: ProbeContext, site: RegionUnderTest) -> Iterator[str]:
    """What commands read that work without the deployment's folder, and the flag of an evacuation."""
    evacuation = live.declared.evacuation
    if evacuation is None:
        return
    client = live.aws.ssm(site.region)
    client.get_parameter(Name=evacuation.parameter)
    name = live.outputs.names.parameter(Parameter.DEPLOYMENT)
    try:
        found = PublishedDeployment.from_json(client.get_parameter(Name=name)["Parameter"].get("Value", ""))
    except EnvironmentUnusable as error:
        yield f"{name}: {error}"
        return
    yield from differences(
        (
            (f"region of {name}", found.region, site.region),
            (f"API of {name}", found.outputs.primary.api_endpoint, live.outputs.primary.api_endpoint),
        )
    )


@paired(
    "LIVE-SSM-002",
    title="The API key is a SecureString under the region's key, the API's own, and the same in both regions",
    severity=Severity.CRITICAL,
    risk="Clients that read their key there are refused with 403.",
    fix=_REDEPLOY,
)
def api_key_is_kept_safe(live: ProbeContext) -> Verdicts:
    """SSM: GetParameter, DescribeParameters; API Gateway: GetApiKey. Compared by hash."""
    return all_of(_secret_faults(live))


@paired(
    "LIVE-SSM-003",
    title="The secret of cursors is a SecureString under the region's key, and the same in both regions",
    severity=Severity.MEDIUM,
    risk="After a failover every list that a client is in the middle of begins anew.",
    fix=_REDEPLOY,
)
def cursor_secret_is_one(live: ProbeContext) -> Verdicts:
    """SSM: GetParameter, DescribeParameters. Compared by hash."""
    name = live.outputs.names.parameter(Parameter.CURSORS)
    found = [
        live.aws.ssm(site.region).get_parameter(Name=name, WithDecryption=True)["Parameter"]
        for site in live.sites
    ]
    here, there = (hidden(one.get("Value", "")) for one in found)
    keys = [fault for site in live.sites for fault in _key_faults(live, site, name)]
    types = [
        (f"type of {name} in {site.region}", one.get("Type"), "SecureString")
        for site, one in zip(live.sites, found, strict=True)
    ]
    return all_of(
        [*differences(types), *keys, *([] if here == there else [f"{name} differs between the regions"])]
    )


def _secret_faults(live: ProbeContext) -> Iterator[str]:
    for site in live.sites:
        found = live.aws.ssm(site.region).get_parameter(
            Name=site.outputs.api_key_parameter, WithDecryption=True
        )["Parameter"]
        key = live.aws.apigateway(site.region).get_api_key(apiKey=site.outputs.api_key_id, includeValue=True)
        name = f"{site.outputs.api_key_parameter} in {site.region}"
        yield from _key_faults(live, site, site.outputs.api_key_parameter)
        yield from differences(((f"type of {name}", found.get("Type"), "SecureString"),))
        if hidden(found.get("Value", "")) != hidden(key.get("value", "")):
            yield f"{name} is not the API's key"


def _key_faults(live: ProbeContext, site: RegionUnderTest, name: str) -> Iterator[str]:
    """Whether a SecureString is encrypted with the region's customer key."""
    pages = live.aws.ssm(site.region).get_paginator("describe_parameters")
    filters: list[ParameterStringFilterTypeDef] = [{"Key": "Name", "Values": [name]}]
    found = [one for page in pages.paginate(ParameterFilters=filters) for one in page["Parameters"]]
    key = site.declared.keys.application
    if not found:
        raise NoData(f"DescribeParameters says nothing of {name} in {site.region}")
    for one in found:
        used = one.get("KeyId")
        if used not in (key, key.rpartition("/")[2]):
            yield f"{name} in {site.region} is encrypted with {used or 'no key'}, declared is {key}"
