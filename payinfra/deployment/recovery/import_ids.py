"""How each type of resource is found on AWS, and the id by which the provider imports it.

Import ids are those of the AWS provider's documentation, version 5.100, section "Import" of each resource.
Types that are missing here need none of this: what they create is put, not created, and putting it again is
no error (policies, alarms, dashboards, metric filters, bucket settings, gateway responses, integrations), or
is found again by its name (topics, subscriptions).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import code_of, is_absent
from payinfra.core.json_text import parse_json
from payinfra.deployment.recovery.ownership import FoundResource
from payinfra.terraform import Creation
from payinfra.terraform.jsonvalue import items, text

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef
    from mypy_boto3_route53.type_defs import (
        ListTagsForResourceResponseTypeDef,
        ResourceRecordSetOutputTypeDef,
    )

Lookup = Callable[[Creation, Aws], Iterator[FoundResource]]

REFERENCE = re.compile(r"terraform-(\d{14})")
"""The provider names its Route 53 requests after the time (terraform-plugin-sdk, `id.UniqueId`)."""


def find(
    creation: Creation, aws: Aws, lookups: "Mapping[str, Lookup] | None" = None
) -> tuple[FoundResource, ...]:
    """What exists already of a resource that would be created; empty for a type that is not looked for.

    Args:
        lookups: by type; None for those of `LOOKUPS`.

    Raises:
        ClientError, BotoCoreError: AWS does not answer, or refuses.
    """
    from botocore.exceptions import ClientError

    lookup = (LOOKUPS if lookups is None else lookups).get(creation.type)
    if lookup is None:
        return ()
    try:
        return tuple(lookup(creation, aws))
    except ClientError as error:
        if is_absent(error):
            return ()
        raise


# -- what stands by itself ---------------------------------------------------------------------------


def _table(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    client, name = aws.dynamodb(creation.region), creation.value("name")
    table = client.describe_table(TableName=name)["Table"]
    pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=table["TableArn"])
    yield FoundResource(
        name,
        arn=table["TableArn"],
        created=utc(table["CreationDateTime"]),
        tags={tag["Key"]: tag["Value"] for page in pages for tag in page.get("Tags", [])},
        attributes={"stream_arn": table.get("LatestStreamArn", "")},
    )


def _bucket(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    from botocore.exceptions import ClientError

    client, name = aws.s3(creation.region), creation.value("bucket")
    # Only the account's own buckets are listed: a name that is taken by somebody else is not among them.
    pages = client.get_paginator("list_buckets").paginate()
    for bucket in (one for page in pages for one in page["Buckets"]):
        if bucket.get("Name") != name:
            continue
        try:
            tags = {tag["Key"]: tag["Value"] for tag in client.get_bucket_tagging(Bucket=name)["TagSet"]}
        except ClientError as error:
            if not is_absent(error):
                raise
            tags = {}
        yield FoundResource(
            name,
            created=utc(bucket["CreationDate"]),
            tags=tags,
            tagged_later=True,
            attributes={"arn": f"arn:aws:s3:::{name}"},
        )


def _key(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    from botocore.exceptions import ClientError

    client = aws.kms(creation.region)
    for page in client.get_paginator("list_keys").paginate():
        for one in page["Keys"]:
            try:
                key = client.describe_key(KeyId=one["KeyId"])["KeyMetadata"]
            except ClientError as error:
                # The policy of each key of ours lets the account's own roles in; other people's need not.
                if code_of(error) == "AccessDeniedException":
                    continue
                raise
            if key.get("KeyState") != "Enabled" or key.get("Description") != creation.value("description"):
                continue
            yield customer_key(client, key)


def customer_key(client: "KMSClient", key: "KeyMetadataTypeDef") -> FoundResource:
    """A customer key as KMS describes it, with its tags."""
    pages = client.get_paginator("list_resource_tags").paginate(KeyId=key["KeyId"])
    return FoundResource(
        key["KeyId"],
        arn=key.get("Arn", ""),
        created=utc(key["CreationDate"]),
        tags={tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]},
        attributes={"key_id": key["KeyId"]},
    )


def _key_alias(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    name = creation.value("name")
    for page in aws.kms(creation.region).get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            if alias.get("AliasName") == name:
                yield FoundResource(name, created=utc(alias["CreationDate"]))


def _role(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    name = creation.value("name")
    role = aws.iam(creation.region).get_role(RoleName=name)["Role"]
    tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
    yield FoundResource(name, arn=role["Arn"], created=utc(role["CreateDate"]), tags=tags)


def _log_group(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    client, name = aws.logs(creation.region), creation.value("name")
    if not name:
        return
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    for group in (one for page in pages for one in page["logGroups"]):
        if group.get("logGroupName") == name:
            arn = group["arn"].removesuffix(":*")
            yield FoundResource(
                name,
                arn=arn,
                created=datetime.fromtimestamp(group["creationTime"] / 1000, UTC),
                tags=client.list_tags_for_resource(resourceArn=arn).get("tags", {}),
            )


def _function(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    name = creation.value("function_name")
    function = aws.functions(creation.region).get_function(FunctionName=name)
    configuration = function["Configuration"]
    yield FoundResource(
        name,
        arn=configuration["FunctionArn"],
        created=utc(datetime.fromisoformat(configuration["LastModified"])),
        tags=function.get("Tags", {}),
    )


def _parameter(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    client, name = aws.ssm(creation.region), creation.value("name")
    parameter = client.get_parameter(Name=name)["Parameter"]
    tags = client.list_tags_for_resource(ResourceType="Parameter", ResourceId=name).get("TagList", [])
    yield FoundResource(
        name,
        arn=parameter.get("ARN", ""),
        created=utc(parameter["LastModifiedDate"]),
        tags={tag["Key"]: tag["Value"] for tag in tags},
    )


def _api(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    for page in aws.apigateway(creation.region).get_paginator("get_rest_apis").paginate():
        for api in page["items"]:
            if api.get("name") == creation.value("name"):
                yield FoundResource(
                    api["id"],
                    created=utc(api["createdDate"]),
                    tags=api.get("tags", {}),
                    attributes={"root_resource_id": api.get("rootResourceId", "")},
                )


def _api_key(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    client, name = aws.apigateway(creation.region), creation.value("name")
    for page in client.get_paginator("get_api_keys").paginate(nameQuery=name):
        for key in page["items"]:
            if key.get("name") == name:
                yield FoundResource(key["id"], created=utc(key["createdDate"]), tags=key.get("tags", {}))


def _zone(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    client, name = aws.route53(creation.region), f"{creation.value('name').rstrip('.')}."
    # The list begins with the zones of that name: the first 100 are all that can be meant.
    for zone in client.list_hosted_zones_by_name(DNSName=name)["HostedZones"]:
        if zone["Name"] == name:
            id_ = zone["Id"].removeprefix("/hostedzone/")
            made = _of_reference(zone["CallerReference"])
            tags = client.list_tags_for_resource(ResourceType="hostedzone", ResourceId=id_)
            yield FoundResource(
                id_,
                created=made,
                tags=_of_route53(tags),
                tagged_later=True,
                attributes={"zone_id": id_},
            )


def _health_check(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    """By what an endpoint is asked for; one that counts others, whose ids may not be known yet, by name."""
    client, host, path = aws.route53(creation.region), creation.value("fqdn"), creation.value("resource_path")
    for page in client.get_paginator("list_health_checks").paginate():
        for check in page["HealthChecks"]:
            config = check["HealthCheckConfig"]
            counts = config.get("Type") == creation.value("type") == "CALCULATED"
            asks = (config.get("FullyQualifiedDomainName"), config.get("ResourcePath", "")) == (host, path)
            if not counts and not (host and asks):
                continue
            made = _of_reference(check["CallerReference"])
            tags = client.list_tags_for_resource(ResourceType="healthcheck", ResourceId=check["Id"])
            found = _of_route53(tags)
            if not counts or found.get("Name") == creation.tags.get("Name"):
                yield FoundResource(check["Id"], created=made, tags=found, tagged_later=True)


# -- parts of something ------------------------------------------------------------------------------


def _function_alias(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    function, name = creation.value("function_name"), creation.value("name")
    alias = aws.functions(creation.region).get_alias(FunctionName=function, Name=name)
    yield FoundResource(
        f"{function}/{name}",
        parent=alias["AliasArn"].removesuffix(f":{name}"),
        attributes={"arn": alias["AliasArn"]},
    )


def _permission(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    function, qualifier = creation.value("function_name"), creation.value("qualifier")
    client, statement = aws.functions(creation.region), creation.value("statement_id")
    policy = (
        client.get_policy(FunctionName=function, Qualifier=qualifier)
        if qualifier
        else client.get_policy(FunctionName=function)
    )
    for one in items(parse_json(policy["Policy"]), "Statement"):
        if text(one, "Sid") == statement:
            arn = text(one, "Resource")
            place = f"{function}:{qualifier}" if qualifier else function
            yield FoundResource(f"{place}/{statement}", parent=":".join(arn.split(":")[:7]))


def _stream(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    function, source = creation.value("function_name"), creation.value("event_source_arn")
    if not function:
        return
    client = aws.functions(creation.region)
    # The function's name may be an alias's ARN; AWS then lists what that alias reads. The stream of a replica
    # that an adopted table still waits for is not known: the stack has one stream a function.
    mappings = client.get_paginator("list_event_source_mappings")
    pages = (
        mappings.paginate(FunctionName=function, EventSourceArn=source)
        if source
        else mappings.paginate(FunctionName=function)
    )
    for one in (one for page in pages for one in page["EventSourceMappings"]):
        yield FoundResource(one["UUID"], parent=":".join(one["FunctionArn"].split(":")[:7]))


def _api_resource(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    api = creation.value("rest_api_id")
    wanted = (creation.value("parent_id"), creation.value("path_part"))
    if not all((api, *wanted)):
        return
    for page in aws.apigateway(creation.region).get_paginator("get_resources").paginate(restApiId=api):
        for one in page["items"]:
            if (one.get("parentId"), one.get("pathPart")) == wanted:
                yield FoundResource(f"{api}/{one['id']}", parent=api, attributes={"id": one["id"]})


def _method(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    api, resource = creation.value("rest_api_id"), creation.value("resource_id")
    verb = creation.value("http_method")
    if api and resource:
        aws.apigateway(creation.region).get_method(restApiId=api, resourceId=resource, httpMethod=verb)
        yield FoundResource(f"{api}/{resource}/{verb}", parent=api)


def response_of(operation: str) -> Lookup:
    """Find the response that a method, or its integration, has for a status.

    Args:
        operation: of API Gateway's client, `get_method_response` or `get_integration_response`.
    """

    def look(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
        api, resource = creation.value("rest_api_id"), creation.value("resource_id")
        verb, status = creation.value("http_method"), creation.value("status_code")
        if api and resource:
            get = getattr(aws.apigateway(creation.region), operation)
            get(restApiId=api, resourceId=resource, httpMethod=verb, statusCode=status)
            yield FoundResource(f"{api}/{resource}/{verb}/{status}", parent=api)

    return look


def _model(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    api, name = creation.value("rest_api_id"), creation.value("name")
    if api:
        aws.apigateway(creation.region).get_model(restApiId=api, modelName=name)
        yield FoundResource(f"{api}/{name}", parent=api)


def _stage(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    api, name = creation.value("rest_api_id"), creation.value("stage_name")
    if api:
        aws.apigateway(creation.region).get_stage(restApiId=api, stageName=name)
        yield FoundResource(f"{api}/{name}", parent=api)


def _usage_plan(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    wanted = {text(stage, "api_id") for stage in items(creation.values, "api_stages")} - {""}
    for page in aws.apigateway(creation.region).get_paginator("get_usage_plans").paginate():
        for plan in page["items"]:
            served = {stage["apiId"] for stage in plan.get("apiStages", [])}
            if wanted and served == wanted and plan.get("name") == creation.value("name"):
                yield FoundResource(plan["id"], parent=min(served))


def _usage_plan_key(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    plan, key = creation.value("usage_plan_id"), creation.value("key_id")
    if plan and key:
        aws.apigateway(creation.region).get_usage_plan_key(usagePlanId=plan, keyId=key)
        yield FoundResource(f"{plan}/{key}", parent=plan)


def _record(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    zone, kind = creation.value("zone_id"), creation.value("type")
    name, identifier = creation.value("name").rstrip("."), creation.value("set_identifier")
    if not zone:
        return
    pages = aws.route53(creation.region).get_paginator("list_resource_record_sets")
    for page in pages.paginate(HostedZoneId=zone):
        for one in page["ResourceRecordSets"]:
            there = (one["Name"].rstrip("."), one["Type"], one.get("SetIdentifier", ""))
            if there == (name, kind, identifier):
                id_ = "_".join(part for part in (zone, name, kind, identifier) if part)
                yield FoundResource(
                    id_, parent="" if _says(one, creation) else one.get("HealthCheckId", zone)
                )


def _says(record: "ResourceRecordSetOutputTypeDef", creation: Creation) -> bool:
    """Whether a record has just the values that the new one would have: it is no matter then who wrote it.

    Else it goes with its health check, or without one with its zone. The zone may be the customer's, and hold
    anybody's records.
    """
    values = [one["Value"] for one in record.get("ResourceRecords", ())]
    return bool(values) and values == creation.values.get("records")


LOOKUPS: Mapping[str, Lookup] = MappingProxyType(
    {
        "aws_api_gateway_api_key": _api_key,
        "aws_api_gateway_method": _method,
        "aws_api_gateway_method_response": response_of("get_method_response"),
        "aws_api_gateway_model": _model,
        "aws_api_gateway_resource": _api_resource,
        "aws_api_gateway_rest_api": _api,
        "aws_api_gateway_stage": _stage,
        "aws_api_gateway_usage_plan": _usage_plan,
        "aws_api_gateway_usage_plan_key": _usage_plan_key,
        "aws_cloudwatch_log_group": _log_group,
        "aws_dynamodb_table": _table,
        "aws_iam_role": _role,
        "aws_kms_alias": _key_alias,
        "aws_kms_key": _key,
        "aws_lambda_alias": _function_alias,
        "aws_lambda_event_source_mapping": _stream,
        "aws_lambda_function": _function,
        "aws_lambda_permission": _permission,
        "aws_route53_health_check": _health_check,
        "aws_route53_record": _record,
        "aws_route53_zone": _zone,
        "aws_s3_bucket": _bucket,
        "aws_ssm_parameter": _parameter,
    }
)
"""Those that collide with themselves when they are created twice, and those that would be there twice."""


def utc(moment: datetime) -> datetime:
    """The moment in UTC."""
    return moment.astimezone(UTC)


def _of_route53(answer: "ListTagsForResourceResponseTypeDef") -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in answer["ResourceTagSet"].get("Tags", [])}


def _of_reference(reference: str) -> datetime | None:
    stamp = REFERENCE.match(reference)
    return datetime.strptime(stamp[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC) if stamp else None
