"""A ledger of another team, written with CDKTF: two regions, a global table, and a nightly report."""

import json
import sys

from cdktf import App, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.dynamodb_table import (
    DynamodbTable,
    DynamodbTableAttribute,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableReplica,
)
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.lambda_function import LambdaFunction, LambdaFunctionEnvironment
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_versioning import (
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
)
from constructs import Construct

REGIONS = ("eu-west-1", "us-east-1")


class Reports(Construct):
    """A nightly function that reads the table and writes a report into its region's bucket."""

    def __init__(
        self, scope: Construct, id: str, *, provider: AwsProvider, table_arn: str, region: str
    ) -> None:
        super().__init__(scope, id)
        bucket = S3Bucket(self, "bucket", bucket=f"ledger-reports-{region}", provider=provider)
        S3BucketPublicAccessBlock(
            self,
            "closed",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            provider=provider,
        )
        S3BucketVersioningA(
            self,
            "versioning",
            bucket=bucket.id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
            provider=provider,
        )
        logs = CloudwatchLogGroup(
            self, "logs", name=f"/aws/lambda/report-{region}", retention_in_days=60, provider=provider
        )
        role = IamRole(
            self,
            "role",
            name=f"report-{region}",
            assume_role_policy=_policy("sts:AssumeRole", Principal={"Service": "lambda.amazonaws.com"}),
            provider=provider,
        )
        IamRolePolicy(
            self,
            "rights",
            role=role.id,
            policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Action": ["dynamodb:Query"], "Resource": table_arn},
                        {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": f"{bucket.arn}/*"},
                        {
                            "Effect": "Allow",
                            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                            "Resource": f"{logs.arn}:*",
                        },
                    ],
                }
            ),
            provider=provider,
        )
        function = LambdaFunction(
            self,
            "function",
            function_name=f"report-{region}",
            role=role.arn,
            handler="report.handler",
            runtime="python3.12",
            s3_bucket=f"releases-{region}",
            s3_key="report.zip",
            environment=LambdaFunctionEnvironment(variables={"BUCKET": bucket.id}),
            provider=provider,
        )
        rule = CloudwatchEventRule(
            self,
            "nightly",
            name=f"report-{region}",
            schedule_expression="cron(0 2 * * ? *)",
            provider=provider,
        )
        CloudwatchEventTarget(self, "target", rule=rule.name, arn=function.arn, provider=provider)
        LambdaPermission(
            self,
            "permission",
            action="lambda:InvokeFunction",
            function_name=function.function_name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            provider=provider,
        )


class Ledger(TerraformStack):
    """The table, its keys, and the reports of each region."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        providers = {
            region: AwsProvider(
                self,
                region,
                region=region,
                alias=region,
                skip_credentials_validation=True,
                skip_requesting_account_id=True,
                skip_metadata_api_check="true",
            )
            for region in REGIONS
        }
        first, second = REGIONS
        keys = {
            region: KmsKey(self, f"key-{region}", enable_key_rotation=True, provider=provider)
            for region, provider in providers.items()
        }
        table = DynamodbTable(
            self,
            "table",
            name="ledger",
            billing_mode="PAY_PER_REQUEST",
            hash_key="account",
            range_key="entry",
            attribute=[
                DynamodbTableAttribute(name="account", type="S"),
                DynamodbTableAttribute(name="entry", type="S"),
            ],
            stream_enabled=True,
            stream_view_type="NEW_AND_OLD_IMAGES",
            server_side_encryption={"enabled": True, "kms_key_arn": keys[first].arn},
            point_in_time_recovery=DynamodbTablePointInTimeRecovery(enabled=True),
            replica=[DynamodbTableReplica(region_name=second, kms_key_arn=keys[second].arn)],
            provider=providers[first],
        )
        for region, provider in providers.items():
            arn = table.arn if region == first else f"arn:aws:dynamodb:{region}:111122223333:table/ledger"
            Reports(self, f"reports-{region}", provider=provider, table_arn=arn, region=region)
        TerraformOutput(self, "table-arn", value=table.arn)


def _policy(action: str, **more: object) -> str:
    statement = {"Effect": "Allow", "Action": action, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


if __name__ == "__main__":
    app = App(outdir=sys.argv[1])
    Ledger(app, "ledger")
    app.synth()
