"""How every type of the stack is found on AWS, for an environment whose state is lost.

`lookups` has the types of which a second one would collide with the first, or be there beside it. Here are
the others as well, which recovery after a cut-off need not find: to create them again is to put them again.
Of some of the former it is found here which of several the environment uses. Import ids are those of the AWS
provider's documentation, version 5.100, section "Import" of each resource.

Two types cannot be imported. `aws_acm_certificate_validation` is nothing on AWS: making it waits for a
certificate that is issued already. `aws_sns_topic_subscription` has no id until its address has confirmed it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import is_absent
from payinfra.core.naming import STAGE, Names, Parameter
from payinfra.deployment.recovery.import_ids import LOOKUPS, Lookup, customer_key, response_of, utc
from payinfra.deployment.recovery.ownership import FoundResource
from payinfra.terraform import Creation

MADE_WITHOUT_AWS = frozenset({"aws_acm_certificate_validation"})
"""Types whose creation makes nothing on AWS."""
KEY_IS_GOING = ("PendingDeletion", "PendingReplicaDeletion")


def _names(creation: Creation) -> Names:
    """The names of the environment that an API, an API key or a zone is of."""
    env, name = creation.tags.get("Environment", ""), creation.value("name")
    plain = Names(env, "")
    for ending in (plain.api, plain.api_key, plain.own_zone):
        if name.endswith(ending) and name != ending:
            return Names(env, name.removesuffix(ending))
    return Names(env)


# -- which of several --------------------------------------------------------------------------------


def _key(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    """The key that the environment's alias leads to, else those that look like it."""
    from botocore.exceptions import ClientError

    client = aws.kms(creation.region)
    alias = "alias/" + creation.value("description").replace(": ", "-")
    try:
        key = client.describe_key(KeyId=alias)["KeyMetadata"]
    except ClientError as error:
        if not is_absent(error):
            raise
    else:
        if key.get("KeyState") not in KEY_IS_GOING:
            yield customer_key(client, key)
            return
    yield from LOOKUPS[creation.type](creation, aws)


def _api(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    """The APIs of the name; in use is the one that the environment publishes."""
    endpoint = _published(creation, aws, Parameter.ENDPOINT)
    for found in LOOKUPS[creation.type](creation, aws):
        ours = f"//{found.import_id}.execute-api." in endpoint
        local = f"/execute-api/{found.import_id}/" in endpoint
        yield replace(found, in_use=ours or local)


def _api_key(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    """The API keys of the name; in use is the one whose value the environment publishes. It goes nowhere."""
    found = tuple(LOOKUPS[creation.type](creation, aws))
    if len(found) < 2:
        yield from found
        return
    value = _published(creation, aws, Parameter.API_KEY)
    client = aws.apigateway(creation.region)
    for one in found:
        has = client.get_api_key(apiKey=one.import_id, includeValue=True).get("value")
        yield replace(one, in_use=bool(value) and has == value)


def _zone(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    """The zones of the name; in use is one that holds records of the environment's."""
    client, name = aws.route53(creation.region), f"{_names(creation).failover_domain(None)}."
    for found in LOOKUPS[creation.type](creation, aws):
        first = client.list_resource_record_sets(HostedZoneId=found.import_id, StartRecordName=name)
        yield replace(found, in_use=any(one["Name"] == name for one in first["ResourceRecordSets"]))


def _published(creation: Creation, aws: Aws, what: Parameter) -> str:
    """The value of a parameter; empty where there is none."""
    from botocore.exceptions import ClientError

    name = _names(creation).parameter(what)
    try:
        parameter = aws.ssm(creation.region).get_parameter(Name=name, WithDecryption=True)["Parameter"]
    except ClientError as error:
        if not is_absent(error):
            raise
        return ""
    return parameter.get("Value", "")


def _certificate(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    """The certificates of the domain; in use is one that a custom domain presents."""
    client = aws.client("acm", creation.region)
    for page in client.get_paginator("list_certificates").paginate():
        for listed in page["CertificateSummaryList"]:
            if listed["DomainName"] != creation.value("domain_name"):
                continue
            arn = listed["CertificateArn"]
            one = client.describe_certificate(CertificateArn=arn)["Certificate"]
            records = {
                f"{proof['DomainName']}.{name}": proof["ResourceRecord"][field]
                for proof in one.get("DomainValidationOptions", ())
                if "ResourceRecord" in proof
                for name, field in PROOF.items()
            }
            tags = client.list_tags_for_certificate(CertificateArn=arn)["Tags"]
            yield FoundResource(
                arn,
                arn=arn,
                created=utc(one["CreatedAt"]),
                tags={tag["Key"]: tag.get("Value", "") for tag in tags},
                attributes=records,
                in_use=bool(one.get("InUseBy")),
            )


PROOF = {
    "resource_record_name": "Name",
    "resource_record_type": "Type",
    "resource_record_value": "Value",
}
"""What proves a domain to be ours: the provider's names for it, and ACM's."""


# -- API Gateway -------------------------------------------------------------------------------------


def _gateway_response(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    api, kind = creation.value("rest_api_id"), creation.value("response_type")
    if api:
        client = aws.apigateway(creation.region)
        found = client.get_gateway_response(restApiId=api, responseType=kind)  # type: ignore[arg-type]  # Terraform's
        if not found.get("defaultResponse"):
            yield FoundResource(f"{api}/{kind}", parent=api)


def _integration(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    api, path = creation.value("rest_api_id"), creation.value("resource_id")
    verb = creation.value("http_method")
    if api and path:
        aws.apigateway(creation.region).get_integration(restApiId=api, resourceId=path, httpMethod=verb)
        yield FoundResource(f"{api}/{path}/{verb}", parent=api)


def _method_settings(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    api, stage = creation.value("rest_api_id"), creation.value("stage_name")
    which = creation.value("method_path")
    if api:
        found = aws.apigateway(creation.region).get_stage(restApiId=api, stageName=stage)
        if which in found.get("methodSettings", {}):
            yield FoundResource(f"{api}/{stage}/{which}", parent=api)


def _validator(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    api = creation.value("rest_api_id")
    if api:
        pages = aws.apigateway(creation.region).get_paginator("get_request_validators")
        for one in (one for page in pages.paginate(restApiId=api) for one in page["items"]):
            if one.get("name") == creation.value("name"):
                id_ = one.get("id", "")
                yield FoundResource(f"{api}/{id_}", parent=api, attributes={"id": id_})


def _deployment(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    """The deployment that the stage serves."""
    api = creation.value("rest_api_id")
    if api:
        found = aws.apigateway(creation.region).get_stage(restApiId=api, stageName=STAGE)
        if id_ := found.get("deploymentId", ""):
            yield FoundResource(f"{api}/{id_}", parent=api, attributes={"id": id_})


def _domain_name(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    name = creation.value("domain_name")
    found = aws.apigateway(creation.region).get_domain_name(domainName=name)
    yield FoundResource(name, tags=found.get("tags", {}))


def _base_path(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    name, api = creation.value("domain_name"), creation.value("api_id")
    pages = aws.apigateway(creation.region).get_paginator("get_base_path_mappings")
    for one in (one for page in pages.paginate(domainName=name) for one in page.get("items", ())):
        if one.get("restApiId") == api:
            path = one.get("basePath", "")
            yield FoundResource(f"{name}/{'' if path == '(none)' else path}", parent=name)


# -- the rest ----------------------------------------------------------------------------------------


def _dashboard(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    name = creation.value("dashboard_name")
    aws.cloudwatch(creation.region).get_dashboard(DashboardName=name)
    yield FoundResource(name)


def _alarm(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    client, name = aws.cloudwatch(creation.region), creation.value("alarm_name")
    for one in client.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
        arn = one.get("AlarmArn", "")
        tags = client.list_tags_for_resource(ResourceARN=arn).get("Tags", [])
        yield FoundResource(name, arn=arn, tags={tag["Key"]: tag["Value"] for tag in tags})


def _metric_filter(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    group, name = creation.value("log_group_name"), creation.value("name")
    client = aws.logs(creation.region)
    pages = client.get_paginator("describe_metric_filters")
    filters = pages.paginate(logGroupName=group, filterNamePrefix=name)
    for one in (one for page in filters for one in page["metricFilters"]):
        if one.get("filterName") == name:
            yield FoundResource(f"{group}:{name}", parent=group)


def _role_policy(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    role, name = creation.value("role"), creation.value("name")
    aws.iam(creation.region).get_role_policy(RoleName=role, PolicyName=name)
    yield FoundResource(f"{role}:{name}", parent=role)


def _topic(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    account, name = aws.account(creation.region), creation.value("name")
    client, arn = aws.sns(creation.region), f"arn:aws:sns:{creation.region}:{account}:{name}"
    client.get_topic_attributes(TopicArn=arn)
    tags = client.list_tags_for_resource(ResourceArn=arn).get("Tags", [])
    yield FoundResource(arn, arn=arn, tags={tag["Key"]: tag["Value"] for tag in tags})


def _queue(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    """A queue, which a project's own extension adds."""
    client = aws.client("sqs", creation.region)
    url = client.get_queue_url(QueueName=creation.value("name"))["QueueUrl"]
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    tags = client.list_queue_tags(QueueUrl=url).get("Tags", {})
    yield FoundResource(url, arn=attributes["QueueArn"], tags=tags, attributes={"url": url})


def _of_queue(attribute: str) -> Lookup:
    """A setting of a queue that is a resource of its own."""

    def look(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
        url = creation.value("queue_url")
        if url:
            client = aws.client("sqs", creation.region)
            answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])
            if attribute in answer.get("Attributes", {}):
                yield FoundResource(url, parent=url)

    return look


def _topic_policy(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    arn = creation.value("arn")
    if arn and "Policy" in aws.sns(creation.region).get_topic_attributes(TopicArn=arn)["Attributes"]:
        yield FoundResource(arn, parent=arn)


def _subscription(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
    """The subscription, once its address has confirmed it: until then it has no ARN."""
    topic, wanted = creation.value("topic_arn"), (creation.value("protocol"), creation.value("endpoint"))
    if not topic:
        return
    pages = aws.sns(creation.region).get_paginator("list_subscriptions_by_topic")
    for page in pages.paginate(TopicArn=topic):
        for one in page["Subscriptions"]:
            arn = one.get("SubscriptionArn", "")
            if (one.get("Protocol"), one.get("Endpoint")) == wanted and arn.startswith("arn:"):
                yield FoundResource(arn, parent=topic)


def _of_bucket(operation: str, holds: str = "") -> Lookup:
    """A setting of a bucket: S3 says that it is absent, or answers without what it `holds`."""

    def look(creation: Creation, aws: Aws) -> Iterator[FoundResource]:
        bucket = creation.value("bucket")
        if bucket:
            answer = getattr(aws.client("s3", creation.region), operation)(Bucket=bucket)
            if not holds or holds in answer:
                yield FoundResource(bucket, parent=bucket)

    return look


EVERY_TYPE: Mapping[str, Lookup] = MappingProxyType(
    {
        **LOOKUPS,
        "aws_acm_certificate": _certificate,
        "aws_api_gateway_api_key": _api_key,
        "aws_api_gateway_base_path_mapping": _base_path,
        "aws_api_gateway_deployment": _deployment,
        "aws_api_gateway_domain_name": _domain_name,
        "aws_api_gateway_gateway_response": _gateway_response,
        "aws_api_gateway_integration": _integration,
        "aws_api_gateway_integration_response": response_of("get_integration_response"),
        "aws_api_gateway_method_settings": _method_settings,
        "aws_api_gateway_request_validator": _validator,
        "aws_api_gateway_rest_api": _api,
        "aws_cloudwatch_dashboard": _dashboard,
        "aws_cloudwatch_log_metric_filter": _metric_filter,
        "aws_cloudwatch_metric_alarm": _alarm,
        "aws_iam_role_policy": _role_policy,
        "aws_kms_key": _key,
        "aws_route53_zone": _zone,
        "aws_s3_bucket_lifecycle_configuration": _of_bucket("get_bucket_lifecycle_configuration"),
        "aws_s3_bucket_object_lock_configuration": _of_bucket("get_object_lock_configuration"),
        "aws_s3_bucket_ownership_controls": _of_bucket("get_bucket_ownership_controls"),
        "aws_s3_bucket_policy": _of_bucket("get_bucket_policy"),
        "aws_s3_bucket_public_access_block": _of_bucket("get_public_access_block"),
        "aws_s3_bucket_replication_configuration": _of_bucket("get_bucket_replication"),
        "aws_s3_bucket_server_side_encryption_configuration": _of_bucket("get_bucket_encryption"),
        "aws_s3_bucket_versioning": _of_bucket("get_bucket_versioning", "Status"),
        "aws_sns_topic": _topic,
        "aws_sqs_queue": _queue,
        "aws_sqs_queue_policy": _of_queue("Policy"),
        "aws_sqs_queue_redrive_allow_policy": _of_queue("RedriveAllowPolicy"),
        "aws_sqs_queue_redrive_policy": _of_queue("RedrivePolicy"),
        "aws_sns_topic_policy": _topic_policy,
        "aws_sns_topic_subscription": _subscription,
    }
)
"""All types of the stack but `MADE_WITHOUT_AWS`, and queues, which extensions often add."""
