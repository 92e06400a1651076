"""What exists of an environment in its account: by its tags, and under the names that are derived for it.

AWS's tagging API is eventually consistent: it goes on listing what was deleted, and lists what is new late.
So whatever it lists is read itself before it counts, and what has a derived name is asked for by name too.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from payinfra.account.environments.classify import region_of_health_check
from payinfra.account.environments.model import ResourceKind, TaggedResource
from payinfra.account.environments.tagged_resources import resource
from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import is_absent
from payinfra.clients.retry import Deadline
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import HEALTH_METRICS_REGION, PROJECT, KeyPurpose, Names, Parameter, regions_used
from payinfra.deployment.recovery.late_log_groups import came_back, groups_called
from payinfra.terraform.jsonvalue import JsonValue, items, text

AT_ONCE = 16
"""How many calls are made at a time."""
PENDING_DELETION = ("PendingDeletion", "PendingReplicaDeletion")
FORGOTTEN_WITHIN_S = 60.0
"""How long AWS may go on answering for what was deleted; IAM, S3 and API Gateway do so for seconds."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0


@dataclass(frozen=True)
class Whereabouts:
    """Where an environment is looked for.

    Attributes:
        regions: those that it serves in.
        domain, zone_id: its domain and the hosted zone of that; None for a zone of its own.
        named: its names, where they are not the usual ones.
    """

    env: str
    account: str
    regions: tuple[str, ...]
    domain: str | None = None
    zone_id: str | None = None
    named: Names | None = None

    @property
    def names(self) -> Names:
        """The environment's names."""
        return self.named or Names(self.env)


def existing(aws: Aws, where: Whereabouts) -> tuple[TaggedResource, ...]:
    """All that exists, in the order of the ARNs. What only waits to be deleted does not count.

    Raises:
        EnvironmentUnusable: AWS does not answer. Not knowing is not absence.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    regions = regions_used(where.regions)
    if aws.endpoints is not None:
        regions = tuple(region for region in regions if region in aws.endpoints.regions)
    looks = [
        *(partial(_by_tag, aws, region, where) for region in regions),
        *(
            partial(look, aws, region, where)
            for region in where.regions
            if region in regions
            for look in BY_NAME
        ),
        *(partial(look, aws, where.regions[0], where) for look in GLOBAL_BY_NAME),
    ]
    try:
        with ThreadPoolExecutor(AT_ONCE) as asking:
            answers = asking.map(lambda look: tuple(look()), looks)
            found = {each.arn: each for answer in answers for each in answer}
            listed = [found[arn] for arn in sorted(found)]
            there = asking.map(partial(_is_there, aws), listed)
            return tuple(each for each, yes in zip(listed, there, strict=True) if yes)
    except (BotoCoreError, ClientError) as error:
        raise EnvironmentUnusable(
            f"AWS does not say what exists of environment {where.env}: {error}.",
            "Allow the call, or wait until AWS answers, and run the same command again.",
        ) from None


def identifiers(type_: str, attributes: JsonValue) -> frozenset[str]:
    """What `existing` calls a resource of a state, with its replicas."""
    if type_ == "aws_route53_record":
        return frozenset({_record_in(*(text(attributes, name) for name in RECORD))})
    arns = (text(attributes, "arn"), text(attributes, "dashboard_arn"))
    replicas = (text(one, "arn") for one in items(attributes, "replica"))
    return frozenset({*arns, *replicas} - {""})


def serves_in(found: Iterable[TaggedResource]) -> frozenset[str]:
    """The regions that an environment serves in, by the names of its health checks; none without any."""
    return frozenset({region_of_health_check(one) for one in found} - {""})


def only_keys(found: Iterable[TaggedResource]) -> bool:
    """Whether there is nothing but API keys: a rotation that was cut off may have left them."""
    return all("::/apikeys/" in one.arn for one in found)


def remaining(
    look: Callable[[], tuple[TaggedResource, ...]],
    within_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[TaggedResource, ...]:
    """What is left after a destruction. Looks again until nothing is, for `within_s` seconds at most."""
    pauses = Deadline.within(within_s, clock=clock, sleep=sleep).pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S)
    left = look()
    while left and pauses.wait():
        left = look()
    return left


@contextmanager
def _if_there() -> Iterator[None]:
    """Pass over what does not exist."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if not is_absent(error):
            raise


# -- by tag ------------------------------------------------------------------------------------------


def _by_tag(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    pages = aws.client("resourcegroupstaggingapi", region).get_paginator("get_resources")
    wanted = [
        {"Key": "Project", "Values": [PROJECT]},
        {"Key": "Environment", "Values": [where.env]},
    ]
    for page in pages.paginate(TagFilters=wanted):
        for one in page["ResourceTagMappingList"]:
            tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
            yield resource(str(one["ResourceARN"]), tags, region)


def _is_there(aws: Aws, found: TaggedResource) -> bool:
    """Whether a listed resource is there, by a read of itself. One of an unknown type is taken to be."""
    if not found.tags:  # found by its name, which was such a read
        return True
    service, path = found.arn.split(":", 5)[2], found.arn.split(":", 5)[-1].removeprefix("/")
    kind = next((each for each in READS if each[0] == service and path.startswith(each[1])), None)
    if kind is None:
        return True
    with _if_there():
        return READS[kind](aws, found, path.removeprefix(kind[1]))
    return False


Read = Callable[[Aws, TaggedResource, str], bool]


def _certificate(aws: Aws, found: TaggedResource, _name: str) -> bool:
    pages = aws.client("acm", found.region).get_paginator("list_certificates").paginate()
    return any(one["CertificateArn"] == found.arn for page in pages for one in page["CertificateSummaryList"])


def _in_gateway(operation: str, key: str) -> Read:
    """A read of the list: one that is gone cannot be read by a role that may read only what bears tags."""

    def read(aws: Aws, found: TaggedResource, name: str) -> bool:
        client = aws.apigateway(found.region)
        top, _, stage = name.partition("/stages/")
        pages = client.get_paginator(operation).paginate()  # type: ignore[call-overload]  # any of them
        if not any(one.get(key) == top for page in pages for one in page.get("items", ())):
            return False
        if stage:
            client.get_stage(restApiId=top, stageName=stage)
        return True

    return read


def _alarm(aws: Aws, found: TaggedResource, name: str) -> bool:
    return bool(aws.cloudwatch(found.region).describe_alarms(AlarmNames=[name])["MetricAlarms"])


def _key(aws: Aws, found: TaggedResource, name: str) -> bool:
    state = aws.kms(found.region).describe_key(KeyId=name)["KeyMetadata"].get("KeyState")
    return state not in PENDING_DELETION


def _log_group(aws: Aws, found: TaggedResource, name: str) -> bool:
    return any(groups_called(aws.logs(found.region), name))


def _answers(ask: Callable[[Aws, TaggedResource, str], object]) -> Read:
    """A call that answers for what is there, and says of all else that it is absent."""

    def read(aws: Aws, found: TaggedResource, name: str) -> bool:
        ask(aws, found, name)
        return True

    return read


READS: Mapping[tuple[str, str], Read] = MappingProxyType(
    {
        ("acm", "certificate/"): _certificate,
        ("apigateway", "apikeys/"): _in_gateway("get_api_keys", "id"),
        ("apigateway", "domainnames/"): _in_gateway("get_domain_names", "domainName"),
        ("apigateway", "restapis/"): _in_gateway("get_rest_apis", "id"),
        ("apigateway", "usageplans/"): _in_gateway("get_usage_plans", "id"),
        ("cloudwatch", "alarm:"): _alarm,
        ("dynamodb", "table/"): _answers(
            lambda aws, found, name: aws.dynamodb(found.region).describe_table(TableName=name)
        ),
        ("kms", "key/"): _key,
        ("lambda", "event-source-mapping:"): _answers(
            lambda aws, found, name: aws.functions(found.region).get_event_source_mapping(UUID=name)
        ),
        ("lambda", "function:"): _answers(
            lambda aws, found, name: aws.functions(found.region).get_function_configuration(FunctionName=name)
        ),
        ("logs", "log-group:"): _log_group,
        ("route53", "healthcheck/"): _answers(
            lambda aws, _found, name: aws.route53(HEALTH_METRICS_REGION).get_health_check(HealthCheckId=name)
        ),
        ("route53", "hostedzone/"): _answers(
            lambda aws, _found, name: aws.route53(HEALTH_METRICS_REGION).get_hosted_zone(Id=name)
        ),
        ("s3", ""): _answers(lambda aws, found, name: aws.s3(found.region).head_bucket(Bucket=name)),
        ("sns", ""): _answers(
            lambda aws, found, _name: aws.sns(found.region).get_topic_attributes(TopicArn=found.arn)
        ),
        ("sqs", ""): _answers(
            lambda aws, found, name: aws.client("sqs", found.region).get_queue_url(QueueName=name)
        ),
        ("ssm", "parameter"): _answers(
            lambda aws, found, name: aws.ssm(found.region).get_parameter(Name=name, WithDecryption=False)
        ),
    }
)
"""How a resource is read itself, by its service and what the last part of its ARN begins with."""


# -- by name -----------------------------------------------------------------------------------------

Look = Callable[[Aws, str, Whereabouts], Iterator[TaggedResource]]


def _table(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    with _if_there():
        table = aws.dynamodb(region).describe_table(TableName=where.names.table)["Table"]
        yield resource(table["TableArn"], {}, region)


def _function(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    with _if_there():
        found = aws.functions(region).get_function_configuration(FunctionName=where.names.function)
        yield resource(found["FunctionArn"], {}, region)


def _parameters(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    names = [where.names.parameter(one) for one in Parameter]
    for one in aws.ssm(region).get_parameters(Names=names, WithDecryption=False)["Parameters"]:
        yield resource(one.get("ARN", ""), {}, region)


def _aliases(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    wanted = {where.names.key_alias(purpose) for purpose in KeyPurpose}
    for page in aws.kms(region).get_paginator("list_aliases").paginate():
        for one in page["Aliases"]:
            if one.get("AliasName") in wanted:
                yield resource(one.get("AliasArn", ""), {}, region)


def _log_groups(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    for name in (where.names.function_log_group, where.names.access_log_group):
        client = aws.logs(region)
        for one in groups_called(client, name):
            # One that a late line made again is nobody's: see `late_log_groups`.
            if not came_back(client, one):
                yield resource(one["arn"].removesuffix(":*"), {}, region)


def _topic(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    arn = f"arn:aws:sns:{region}:{where.account}:{where.names.topic}"
    with _if_there():
        aws.sns(region).get_topic_attributes(TopicArn=arn)
        yield resource(arn, {}, region)


def _apis(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    for page in aws.apigateway(region).get_paginator("get_rest_apis").paginate():
        for one in page["items"]:
            if one.get("name") == where.names.api:
                yield _of_gateway(region, "restapis", one["id"])


def _api_keys(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    names = where.names
    wanted = {names.api_key, names.next_api_key, names.former_api_key}
    pages = aws.apigateway(region).get_paginator("get_api_keys")
    for page in pages.paginate(nameQuery=names.api_key, includeValues=False):
        for one in page["items"]:
            if one.get("name") in wanted:
                yield _of_gateway(region, "apikeys", one["id"])


def _usage_plans(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    for page in aws.apigateway(region).get_paginator("get_usage_plans").paginate():
        for one in page["items"]:
            if one.get("name") == where.names.usage_plan:
                yield _of_gateway(region, "usageplans", one["id"])


def _of_gateway(region: str, kind: str, id_: str) -> TaggedResource:
    return resource(f"arn:aws:apigateway:{region}::/{kind}/{id_}", {}, region)


def _dashboard(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    name = where.names.dashboard(region)
    with _if_there():
        aws.cloudwatch(region).get_dashboard(DashboardName=name)
        yield resource(f"arn:aws:cloudwatch::{where.account}:dashboard/{name}", {}, region)


def _buckets(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    wanted = {where.names.audit_bucket(each, where.account): each for each in where.regions}
    pages = aws.s3(region).get_paginator("list_buckets").paginate()
    for one in (one for page in pages for one in page["Buckets"]):
        name = one.get("Name", "")
        if name in wanted:
            yield resource(f"arn:aws:s3:::{name}", {}, wanted[name])


def _roles(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    for name in (
        name(each)
        for each in where.regions
        for name in (where.names.function_role, where.names.replication_role)
    ):
        with _if_there():
            yield resource(aws.iam(region).get_role(RoleName=name)["Role"]["Arn"], {}, "")


def _zone(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    name = f"{where.names.own_zone}."
    for one in aws.route53(region).list_hosted_zones_by_name(DNSName=name)["HostedZones"]:
        if one["Name"] == name:
            id_ = one["Id"].removeprefix("/hostedzone/")
            yield resource(f"arn:aws:route53:::hostedzone/{id_}", {}, "")


def _records(aws: Aws, region: str, where: Whereabouts) -> Iterator[TaggedResource]:
    """The records in a zone that is not the environment's own; those have no ARN."""
    if where.zone_id is None:
        return
    names = {where.names.failover_domain(where.domain), where.names.latency_domain(where.domain)}
    pages = aws.route53(region).get_paginator("list_resource_record_sets")
    for page in pages.paginate(HostedZoneId=where.zone_id):
        for one in page["ResourceRecordSets"]:
            if one["Name"].rstrip(".") in names:
                name = one["Name"].rstrip(".")
                called = _record_in(where.zone_id, name, one["Type"], one.get("SetIdentifier", ""))
                yield TaggedResource(called, ResourceKind.OTHER, "", name, {})


RECORD = ("zone_id", "name", "type", "set_identifier")
"""The provider's names of what tells a record from all others."""


def _record_in(zone_id: str, name: str, kind: str, identifier: str) -> str:
    """What a record is called here: it has no ARN."""
    return f"{kind} record {name} {identifier}".rstrip() + f" in hosted zone {zone_id}"


BY_NAME: tuple[Look, ...] = (
    _aliases,
    _api_keys,
    _apis,
    _dashboard,
    _function,
    _log_groups,
    _parameters,
    _table,
    _topic,
    _usage_plans,
)
"""Looks in one region."""

GLOBAL_BY_NAME: tuple[Look, ...] = (_buckets, _records, _roles, _zone)
"""Looks at what is in no region, or is listed for all of them at once."""
