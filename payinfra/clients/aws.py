"""The only module that builds boto3 clients, and so the only one that sets region and endpoint."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from payinfra.clients.aws_errors import code_of, is_transient
from payinfra.core.access_key import NO_ACCESS_KEY, AccessKey
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.https_address import HttpsAddress
from payinfra.core.run_id import user_agent

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_fis import FISClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

logger = logging.getLogger(__name__)

GLOBAL_SERVICES = frozenset({"iam", "route53", "sts"})
"""Services that the embedded AWS serves on its global port, which a region's blackout does not affect."""

_EXECUTE_API = re.compile(r"[a-z0-9]+\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")

LOCAL_ACCOUNT = "000000000000"

PREPARES_ACCOUNT = "for/account"
"""The purpose of what is done once for an account, by somebody who may do more than the role for CI.
CloudTrail has it in a call's `userAgent`."""
FOR_PAYMENTS = "for/payments"
"""The purpose of what those do who decide about payments, which is not for the role for CI either."""


def execute_api_region(host: str) -> str | None:
    """The region whose own endpoint of an API a host name is; None for any other name."""
    found = _EXECUTE_API.fullmatch(host.rstrip("."))
    return found["region"] if found else None


class AwsUnreachable(EnvironmentUnusable):
    """Nothing answers where AWS was asked; it may elsewhere."""


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of the embedded AWS: a URL for each region, and one for global services.

    Attributes:
        dns: `address:port` of the server that answers for its hosted zones; empty where there is none.
        access_key: what calls to it are signed with.
        https: region to where the custom domains in it are served; empty where there are none.
        authority: the file with the certificate, in PEM, of the authority that issues theirs; empty where
            there are none.
    """

    regions: Mapping[str, str]
    global_url: str
    dns: str = ""
    access_key: AccessKey = NO_ACCESS_KEY
    https: Mapping[str, HttpsAddress] = field(default_factory=dict)
    authority: str = ""

    def url(self, service: str, region: str) -> str:
        """The endpoint of a service in a region."""
        return self.global_url if service in GLOBAL_SERVICES else self.regions[region]

    def region_at(self, address: str) -> str | None:
        """The region to which an address leads, as the DNS server gives it; None for no such address."""
        return next((region for region, where in self.https.items() if where.address == address), None)

    def listens(self, address: str) -> str:
        """The `address:port` to connect to for an address, as the DNS server gives it.

        Raises:
            KeyError: no region has the address.
        """
        return {where.address: where.listens for where in self.https.values()}[address]


@dataclass
class _ClientCache:
    """The sessions, and the clients made with them, by service, region and limits.

    A session reads each service's description once, which takes longer than making ten clients. Clients may
    be shared by threads; the session that makes them may not. There is one session for all regions; but one a
    region where a role is worked as, whose credentials are that region's STS's: another's may be gone.
    """

    sessions: "dict[str, Session]" = field(default_factory=dict)
    clients: dict[tuple[str, str, float, float, int, str], Any] = field(default_factory=dict)
    in_use: Lock = field(default_factory=Lock)


@dataclass(frozen=True)
class Aws:
    """Builds clients, for AWS itself or, with `endpoints`, for the embedded one.

    Args:
        endpoints: None for AWS, whose credentials are found as the AWS CLI finds them.
        connect_timeout: seconds to reach an endpoint.
        read_timeout: seconds to wait for an answer.
        attempts: how often a call is tried in all.
        role_arn: the role to work as; None for the caller's own credentials. Its session is renewed as long
            as clients are used.
        purpose: what calls add to their User-Agent header after the run's id, as PRODUCT/VERSION; empty for
            nothing.
    """

    endpoints: Endpoints | None = None
    connect_timeout: float = 3.0
    read_timeout: float = 20.0
    attempts: int = 4
    role_arn: str | None = None
    purpose: str = ""
    _cache: _ClientCache = field(default_factory=_ClientCache, repr=False, compare=False)

    def within(self, *, connect_timeout: float, read_timeout: float, attempts: int) -> "Aws":
        """The same AWS with other limits. It shares the cached session and clients."""
        return replace(self, connect_timeout=connect_timeout, read_timeout=read_timeout, attempts=attempts)

    def client(self, service: str, region: str) -> Any:
        """A client of `service` in `region`, cached by limits and safe to use from any thread."""
        which = (service, region, self.connect_timeout, self.read_timeout, self.attempts, self.purpose)
        with self._cache.in_use:
            if which not in self._cache.clients:
                self._cache.clients[which] = self._build(service, region)
            return self._cache.clients[which]

    def url(self, host: str) -> str:
        """The URL for a host name of AWS; on the embedded AWS, that of the region's port."""
        region = execute_api_region(host)
        if self.endpoints is None or region is None:
            return f"https://{host.rstrip('.')}"
        return self.endpoints.regions[region]

    def address_url(self, address: str) -> str:
        """The URL for an address to which a custom domain leads; on the embedded AWS, that of its port.

        Raises:
            KeyError: on the embedded AWS, no region has the address.
        """
        return f"https://{address if self.endpoints is None else self.endpoints.listens(address)}"

    def apigateway(self, region: str) -> "APIGatewayClient":
        """API Gateway's control plane in a region."""
        client: APIGatewayClient = self.client("apigateway", region)
        return client

    def dynamodb(self, region: str) -> "DynamoDBClient":
        """DynamoDB in a region."""
        client: DynamoDBClient = self.client("dynamodb", region)
        return client

    def cloudwatch(self, region: str) -> "CloudWatchClient":
        """CloudWatch's alarms and dashboards."""
        client: CloudWatchClient = self.client("cloudwatch", region)
        return client

    def fis(self, region: str) -> "FISClient":
        """The fault injection service in a region. The embedded AWS has none."""
        client: FISClient = self.client("fis", region)
        return client

    def iam(self, region: str) -> "IAMClient":
        """Identity and access management."""
        client: IAMClient = self.client("iam", region)
        return client

    def kms(self, region: str) -> "KMSClient":
        """Key management."""
        client: KMSClient = self.client("kms", region)
        return client

    def functions(self, region: str) -> "LambdaClient":
        """Lambda."""
        client: LambdaClient = self.client("lambda", region)
        return client

    def logs(self, region: str) -> "CloudWatchLogsClient":
        """CloudWatch Logs."""
        client: CloudWatchLogsClient = self.client("logs", region)
        return client

    def route53(self, region: str) -> "Route53Client":
        """Route 53, one for all regions."""
        client: Route53Client = self.client("route53", region)
        return client

    def s3(self, region: str) -> "S3Client":
        """S3."""
        client: S3Client = self.client("s3", region)
        return client

    def s3_without_tls(self, region: str) -> "S3Client":
        """S3 over plain HTTP, to test that it is refused. Not cached: nothing else may use it."""
        client: S3Client = self._session(region).client("s3", region_name=region, use_ssl=False)
        return client

    def scheduler(self, region: str) -> "EventBridgeSchedulerClient":
        """EventBridge Scheduler in a region."""
        client: EventBridgeSchedulerClient = self.client("scheduler", region)
        return client

    def sns(self, region: str) -> "SNSClient":
        """The notification service."""
        client: SNSClient = self.client("sns", region)
        return client

    def xray(self, region: str) -> Any:
        """X-Ray in a region."""
        return self.client("xray", region)

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
            raise _unidentified(error) from None

    def _build(self, service: str, region: str) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            retries={"total_max_attempts": self.attempts, "mode": "standard"},
            max_pool_connections=32,
            s3={"addressing_style": "path"} if self.endpoints else {},
            user_agent_extra=" ".join(filter(None, (user_agent(), self.purpose))),
        )
        of = "" if self.role_arn is None else region
        if of not in self._cache.sessions:
            self._cache.sessions[of] = self._session(region)
        make: Any = self._cache.sessions[of].client
        client = make(
            service,
            region_name=region,
            config=config,
            endpoint_url=None if self.endpoints is None else self.endpoints.url(service, region),
        )
        client.meta.events.register("after-call", partial(_note, service, region))
        return client

    def _session(self, region: str) -> "Session":
        """A session with the caller's credentials, or with those of the role."""
        import boto3

        from payinfra.clients.assume_role import assumed

        key = self.endpoints.access_key if self.endpoints else None
        own = boto3.session.Session(
            aws_access_key_id=key.access_key_id if key else None,
            aws_secret_access_key=key.secret_access_key if key else None,
        )
        if self.role_arn is None:
            return own
        sts = own.client(
            "sts",
            region_name=region,
            endpoint_url=None if self.endpoints is None else self.endpoints.url("sts", region),
        )
        return assumed(self.role_arn, sts)


def _note(service: str, region: str, *, http_response: Any, model: Any, **_other: object) -> None:
    """Log that a call was answered, without its content, which may be secret.

    Called by botocore with the event `after-call`.
    """
    answer = http_response.headers.get("x-amzn-requestid", "-")
    logger.debug("%s %s %s: %d, request %s", region, service, model.name, http_response.status_code, answer)


_REFUSED = {
    "ExpiredToken": "The AWS credentials have expired.",
    "ExpiredTokenException": "The AWS credentials have expired.",
    "InvalidClientTokenId": "AWS does not know the access key.",
    "UnrecognizedClientException": "AWS does not know the access key.",
    "SignatureDoesNotMatch": "The secret access key does not belong to the access key.",
    "AccessDenied": "AWS denies these credentials to ask whose they are (sts:GetCallerIdentity).",
}
"""What AWS's codes say about credentials (STS API reference, common errors)."""


def _unidentified(error: Exception) -> EnvironmentUnusable:
    """The error that says why the caller's account is unknown."""
    from botocore.exceptions import (
        ClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    set_them = "Set credentials (AWS_PROFILE, or the variables that the AWS CLI reads) and try again."
    fields: dict[str, object] = getattr(error, "kwargs", {})
    match error:
        case NoCredentialsError():
            return EnvironmentUnusable("No AWS credentials found.", set_them)
        case PartialCredentialsError():
            lacks = fields.get("cred_var", "a part")
            return EnvironmentUnusable(f"No AWS credentials found: {lacks} is missing.", set_them)
        case ProfileNotFound():
            profile = fields.get("profile") or "'' (AWS_PROFILE is set and empty)"
            return EnvironmentUnusable(
                f"No AWS credentials found. No AWS configuration file has the profile {profile}.", set_them
            )
        case _ if is_transient(error):
            where = f" at {fields['endpoint_url']}" if "endpoint_url" in fields else ""
            return AwsUnreachable(f"AWS cannot be reached{where}.", "Check the network and try again.")
        case ClientError() if (code := code_of(error)) in _REFUSED:
            return EnvironmentUnusable(_REFUSED[code], set_them)
        case ClientError():
            return EnvironmentUnusable(f"AWS does not accept the credentials ({code_of(error)}).", set_them)
        case _:
            return EnvironmentUnusable(f"The AWS credentials cannot be used: {error}.", set_them)
