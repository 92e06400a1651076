"""The tags of an environment's resources."""

from collections.abc import Mapping
from dataclasses import asdict

from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, regional
from payinfra.checks.verdicts import Severity, Verdicts


@regional(
    "LIVE-TAG-001",
    title="The table, bucket, function, topic and keys carry the tags that were declared",
    severity=Severity.MEDIUM,
    risk="`payinfra reap` does not find the environment, its costs are nobody's, and CI may not change it.",
    fix="Deploy again: tags were changed outside Terraform.",
)
def resources_are_tagged(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """DynamoDB: ListTagsOfResource; S3: GetBucketTagging; Lambda, SNS, KMS: their lists of tags."""
    wanted = live.declared.tags
    return all_of(
        f"{what} lacks the tag {name} = {value}, or has another value"
        for what, tags in _tags(live, site).items()
        for name, value in wanted.items()
        if tags.get(name) != value
    )


def _tags(live: ProbeContext, site: RegionUnderTest) -> Mapping[str, Mapping[str, str]]:
    """The tags of each resource."""
    aws, region, outputs = live.aws, site.region, site.outputs
    of_table = aws.dynamodb(region).get_paginator("list_tags_of_resource")
    topic = aws.sns(region).list_tags_for_resource(ResourceArn=outputs.sns_topic_arn)
    bucket = aws.s3(region).get_bucket_tagging(Bucket=outputs.s3_bucket_name)
    return {
        "the table": {
            tag["Key"]: tag["Value"]
            for page in of_table.paginate(ResourceArn=outputs.dynamodb_table_arn)
            for tag in page["Tags"]
        },
        "the audit bucket": {tag["Key"]: tag["Value"] for tag in bucket["TagSet"]},
        "the function": aws.functions(region).list_tags(Resource=outputs.lambda_function_arn)["Tags"],
        "the topic": {tag["Key"]: tag["Value"] for tag in topic["Tags"]},
        **{
            f"the {purpose} key": key_tags(live, region, arn)
            for purpose, arn in asdict(site.declared.keys).items()
        },
    }


def key_tags(live: ProbeContext, region: str, key: str) -> Mapping[str, str]:
    """A customer key's tags."""
    pages = live.aws.kms(region).get_paginator("list_resource_tags").paginate(KeyId=key)
    return {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}
