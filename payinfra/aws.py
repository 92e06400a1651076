"""The only module that builds boto3 clients. Region and endpoint come in here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from payinfra.errors import EnvironmentUnusable

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

GLOBAL_SERVICES = frozenset({"iam", "route53", "sts"})
"""Services whose calls go to the embedded AWS's global port, which no region's blackout touches."""

LOCAL_ACCESS_KEY = "test"
LOCAL_ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Endpoints:
    """Where an AWS that is not Amazon's answers: a URL for each region, and one for what is global."""

    regions: Mapping[str, str]
    global_url: str

    def url(self, service: str, region: str) -> str:
        """The endpoint of a service in a region."""
        return self.global_url if service in GLOBAL_SERVICES else self.regions[region]


@dataclass(frozen=True)
class Aws:
    """Builds clients, for AWS itself or, with `endpoints`, for the embedded one.

    Args:
        endpoints: None for AWS, whose credentials are found as the AWS CLI finds them.
        connect_timeout: seconds to reach an endpoint.
        read_timeout: seconds to wait for an answer.
        attempts: how often a call is tried in all.
    """

    endpoints: Endpoints | None = None
    connect_timeout: float = 3.0
    read_timeout: float = 20.0
    attempts: int = 4
    _made: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def client(self, service: str, region: str) -> Any:
        """A client of `service` in `region`, made once."""
        if (service, region) not in self._made:
            self._made[service, region] = self._build(service, region)
        return self._made[service, region]

    def apigateway(self, region: str) -> "APIGatewayClient":
        """API Gateway's control plane in a region."""
        client: APIGatewayClient = self.client("apigateway", region)
        return client

    def dynamodb(self, region: str) -> "DynamoDBClient":
        """DynamoDB in a region."""
        client: DynamoDBClient = self.client("dynamodb", region)
        return client

    def ssm(self, region: str) -> "SSMClient":
        """Systems Manager in a region."""
        client: SSMClient = self.client("ssm", region)
        return client

    def sts(self, region: str) -> "STSClient":
        """The security token service."""
        client: STSClient = self.client("sts", region)
        return client

    def account(self, region: str) -> str:
        """The account that the credentials belong to, as twelve digits.

        Raises:
            EnvironmentUnusable: there are no credentials, they are refused, or nothing answers.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self.sts(region).get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise EnvironmentUnusable(
                f"AWS does not say who is calling: {error}.",
                "Set credentials (AWS_PROFILE, or the variables that the AWS CLI reads) and try again.",
            ) from None

    def _build(self, service: str, region: str) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            retries={"total_max_attempts": self.attempts, "mode": "standard"},
            max_pool_connections=32,
            s3={"addressing_style": "path"} if self.endpoints else {},
        )
        if self.endpoints is None:
            return boto3.session.Session().client(service, region_name=region, config=config)
        return boto3.session.Session().client(
            service,
            region_name=region,
            config=config,
            endpoint_url=self.endpoints.url(service, region),
            aws_access_key_id=LOCAL_ACCESS_KEY,
            aws_secret_access_key=LOCAL_ACCESS_KEY,
        )
