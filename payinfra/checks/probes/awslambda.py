"""The payments function in each region."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from payinfra.checks.manifest.policies import Statement
from payinfra.checks.probes.apigateway import ROUTES, ServedRoute
from payinfra.checks.probes.live_policies import NeededAccess, refused, statements_if_any, strangers
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, paired, regional
from payinfra.checks.verdicts import Severity, Verdicts
from payinfra.clients.aws_errors import NoData, NotYet
from payinfra.core.json_text import parse_json
from payinfra.core.naming import Parameter

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef

SERVICE = "payments"
"""What the function calls itself in its metrics, on which alarms look. A test holds it to the stack's."""
ALIKE = (
    *("CORS_ORIGINS", "FAILOVER_DOMAIN", "FAILOVER_NAME", "FAILOVER_ZONE", "FAIL_BACK", "KEEP_SOURCE_IP"),
    *("LOG_LEVEL", "SPREAD_STATUSES"),
)
"""The function's variables that settings decide, in both regions alike."""
RETRIES_WITHOUT_END = -1
STREAM_MAX_AGE_S = 22 * 60 * 60
"""How old a record of the stream may become before it is given up. A test holds it to the stack's."""
_REDEPLOY = "Deploy again: the function was changed outside Terraform."


@regional(
    "LIVE-FN-001",
    title="The function is active and configured as declared",
    severity=Severity.HIGH,
    risk="Payments fail or time out under a load that the declared function bears.",
    fix=_REDEPLOY,
    within_s=20,
)
def function_is_as_declared(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """Lambda: GetFunctionConfiguration, GetAlias."""
    declared, client = site.declared.function, live.aws.functions(site.region)
    found = _configuration(live, site)
    routing = client.get_alias(FunctionName=declared.name, Name=declared.alias).get("RoutingConfig", {})
    state, update = found.get("State"), found.get("LastUpdateStatus")
    if state == "Pending" or update == "InProgress":
        raise NotYet(f"the function is {state}, its last update {update}")
    return all_of(
        differences(
            (
                ("state", state, "Active"),
                ("last update", update, "Successful"),
                ("runtime", found.get("Runtime"), declared.runtime),
                *(
                    (("architecture", found.get("Architectures"), [declared.architecture]),)
                    if declared.architecture
                    else ()
                ),
                ("handler", found.get("Handler"), declared.handler),
                ("memory in MB", found.get("MemorySize"), declared.memory_mb),
                ("time-out in s", found.get("Timeout"), declared.timeout_s),
                ("key", found.get("KMSKeyArn"), site.declared.keys.application),
                ("role", found.get("Role"), declared.role_arn),
                ("tracing", found.get("TracingConfig", {}).get("Mode"), "Active"),
                ("subnets", list(found.get("VpcConfig", {}).get("SubnetIds", [])), []),
                ("alias leading to $LATEST", found.get("Version") == "$LATEST", False),
                ("log group", _log_group(found, site), site.declared.log_groups.function),
                ("versions beside the alias's", dict(routing.get("AdditionalVersionWeights", {})), {}),
                *_told(live, site, _variables(found)),
            )
        )
    )


def _configuration(live: ProbeContext, site: RegionUnderTest) -> "FunctionConfigurationResponseTypeDef":
    """Of the version that the API calls."""
    declared = site.declared.function
    return live.aws.functions(site.region).get_function_configuration(
        FunctionName=declared.name, Qualifier=declared.alias
    )


def _log_group(found: "FunctionConfigurationResponseTypeDef", site: RegionUnderTest) -> str:
    """Where it logs: where nothing is said, by its name."""
    return found.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{site.declared.function.name}")


def _variables(found: "FunctionConfigurationResponseTypeDef") -> Mapping[str, str]:
    """The function's variables.

    Raises:
        NoData: Lambda cannot show them.
    """
    environment = found.get("Environment", {})
    if error := environment.get("Error"):
        raise NoData(f"Lambda does not show the function's variables: {error.get('Message')}")
    return environment.get("Variables", {})


def _told(
    live: ProbeContext, site: RegionUnderTest, variables: Mapping[str, str]
) -> Iterator[tuple[str, object, object]]:
    """What the function is told, beside what it must be told of its region. No other value is shown."""
    names, outputs = live.outputs.names, site.outputs
    wanted = {
        "ENVIRONMENT": live.outputs.environment_suffix,
        "TABLE_NAME": outputs.dynamodb_table_name,
        "AUDIT_BUCKET": outputs.s3_bucket_name,
        "AUDIT_KEY_ARN": site.declared.keys.audit,
        "CURSOR_SECRET_PARAMETER": names.parameter(Parameter.CURSORS),
        "POWERTOOLS_SERVICE_NAME": SERVICE,
        "POWERTOOLS_METRICS_NAMESPACE": names.metric_namespace,
    }
    if live.declared.evacuation is not None:
        wanted |= {
            "EVACUATED_PARAMETER": live.declared.evacuation.parameter,
            "PEER_REGION": site.peer.region,
            "PRIMARY_REGION": live.outputs.primary_region,
        }
    return ((name, variables.get(name), value) for name, value in wanted.items())


@regional(
    "LIVE-FN-002",
    title="The function's reserved concurrency is as declared, and not 0",
    severity=Severity.CRITICAL,
    risk="With a concurrency of 0 every payment is refused with a 5xx.",
    fix=_REDEPLOY,
)
def function_may_run(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """Lambda: GetFunctionConcurrency."""
    declared = site.declared.function
    found = live.aws.functions(site.region).get_function_concurrency(FunctionName=declared.name)
    return all_of(
        differences(
            (
                (
                    "reserved concurrency",
                    found.get("ReservedConcurrentExecutions"),
                    declared.reserved_concurrency,
                ),
            )
        )
    )


@paired(
    "LIVE-FN-003",
    title="Both regions run the code that was deployed, with the same layers and settings",
    severity=Severity.HIGH,
    risk="A failover changes what the API does.",
    fix=_REDEPLOY,
)
def same_code_in_both_regions(live: ProbeContext) -> Verdicts:
    """Lambda: GetFunctionConfiguration of the alias that the API calls."""
    found = [_configuration(live, site) for site in live.sites]
    here, there = found
    first, second = live.sites
    faults = [
        phrase
        for site, one in zip(live.sites, found, strict=True)
        for phrase in differences(
            (
                (
                    f"the code's SHA-256 in {site.region}",
                    one.get("CodeSha256"),
                    site.declared.function.code_sha256,
                ),
            )
        )
    ]
    ours, theirs = _variables(here), _variables(there)
    if _layers(here, first) != _layers(there, second):
        faults.append("the layers differ between the regions")
    faults += (
        f"the variable {name} differs between the regions"
        for name in ALIKE
        if ours.get(name) != theirs.get(name)
    )
    return all_of(faults)


def _layers(found: "FunctionConfigurationResponseTypeDef", site: RegionUnderTest) -> Sequence[str]:
    """The layers, without the region that each is in."""
    return [one.get("Arn", "").replace(f":{site.region}:", "::") for one in found.get("Layers", [])]


@regional(
    "LIVE-FN-004",
    title="The API may call the function for each of its methods, and no stranger may",
    severity=Severity.CRITICAL,
    risk="Some requests fail with a 5xx; or whoever wants to makes payments without a key.",
    fix=f"{_REDEPLOY} Remove permissions that nobody declared.",
)
def api_alone_may_call(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """Lambda: GetPolicy, of the alias that the API calls and of the function."""
    declared, account = site.declared.function, site.outputs.account
    of_alias, of_function = _policy(live, site, declared.alias), _policy(live, site)
    return all_of(
        (
            *refused(of_alias, [_call_for(route, site) for route in ROUTES]),
            *dict.fromkeys(strangers((*of_alias, *of_function), account)),
        )
    )


def _policy(live: ProbeContext, site: RegionUnderTest, alias: str | None = None) -> tuple[Statement, ...]:
    """The policy of an alias, or of the function itself; nothing where it has none."""
    client, name = live.aws.functions(site.region), site.declared.function.name
    if alias:
        return statements_if_any(lambda: client.get_policy(FunctionName=name, Qualifier=alias)["Policy"])
    return statements_if_any(lambda: client.get_policy(FunctionName=name)["Policy"])


def _call_for(route: ServedRoute, site: RegionUnderTest) -> NeededAccess:
    """The call of the function with which API Gateway answers a request."""
    api, path = site.declared.api, route.path.replace("{payment_id}", "pay_1")
    source = site.outputs.arn("execute-api", f"{api.id}/{api.stage}/{route.method}{path}")
    function = f"{site.outputs.lambda_function_arn}:{site.declared.function.alias}"
    context = {"aws:sourcearn": source, "aws:sourceaccount": site.outputs.account}
    return NeededAccess("apigateway.amazonaws.com", "lambda:InvokeFunction", function, context)


@regional(
    "LIVE-FN-005",
    title="The function reads the table's stream, and gives up no record in silence",
    severity=Severity.HIGH,
    risk="Audit objects that a request could not write are never written, and conflicts are not settled.",
    fix="Deploy again: the event source mapping was changed outside Terraform.",
    within_s=20,
)
def stream_is_read(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """Lambda: ListEventSourceMappings; DynamoDB: DescribeTable, for the stream's ARN."""
    table = live.aws.dynamodb(site.region).describe_table(TableName=site.outputs.dynamodb_table_name)
    stream = table["Table"].get("LatestStreamArn")
    alias = f"{site.outputs.lambda_function_arn}:{site.declared.function.alias}"
    pages = live.aws.functions(site.region).get_paginator("list_event_source_mappings")
    mappings = [
        one
        for page in pages.paginate(FunctionName=alias)
        for one in page["EventSourceMappings"]
        if one.get("EventSourceArn") == stream
    ]
    if not mappings:
        return all_of(["nothing hands the stream's records to the function"])
    (mapping, *_) = mappings
    if mapping.get("State") in ("Creating", "Enabling", "Updating"):
        raise NotYet(f"the event source mapping is {mapping.get('State')}")
    patterns = [
        parse_json(one.get("Pattern", "{}")) for one in mapping.get("FilterCriteria", {}).get("Filters", [])
    ]
    given_up = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    faults = differences(
        (
            ("state", mapping.get("State"), "Enabled"),
            ("retries", mapping.get("MaximumRetryAttempts", RETRIES_WITHOUT_END), RETRIES_WITHOUT_END),
            ("age of a record in s", mapping.get("MaximumRecordAgeInSeconds"), STREAM_MAX_AGE_S),
            ("given-up records' topic", given_up, site.outputs.sns_topic_arn),
            ("answers", list(mapping.get("FunctionResponseTypes", [])), ["ReportBatchItemFailures"]),
        )
    )
    missing = [one for one in handed_records(site.region) if one not in patterns]
    return all_of((*faults, *(["the filter leaves records out"] if missing else [])))


def handed_records(region: str) -> tuple[dict[str, object], ...]:
    """The records that the function is handed, as patterns: changes, and what this region recorded. A test
    holds them to the stack's."""
    recorded_here = {"NewImage": {"receipt": {"M": {"region": {"S": [region]}}}}}
    return ({"eventName": ["MODIFY"]}, {"eventName": ["INSERT"], "dynamodb": recorded_here})
