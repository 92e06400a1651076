"""What an account has room for, asked before an apply rather than found out in the middle of one."""

from collections.abc import Iterator
from dataclasses import dataclass

from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import code_of, is_absent, is_denied
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import Names

UNRESERVED_LEAST = 100
"""Executions that an account always keeps unreserved, or all that it has where that is less (Lambda developer
guide, "Configuring reserved concurrency for a function")."""
CONCURRENCY_CODE = "L-B99A9384"
"""The code of the quota "Concurrent executions" of Lambda in Service Quotas."""

API_QUOTA = "L-AA0FF27B"
"""The code of the quota "Regional APIs" of API Gateway in Service Quotas: 600 in each region."""
DOMAIN_QUOTA = "L-A93447B8"
"""The code of the quota "Custom Domain Names" of API Gateway in Service Quotas: 120 in each region (AWS
General Reference, "Amazon API Gateway endpoints and quotas"). Private names have a quota of their own."""

NEEDED = {
    "health checks": 6,
    "hosted zones": 1,
    "IAM roles": 4,
    "Regional APIs": 1,
    "custom domain names": 2,
}
"""What one environment takes of what an account has a quota of; of the last two, in each region."""


@dataclass(frozen=True)
class Room:
    """How much an account has of something, and how much it may have; of all regions where none is named."""

    what: str
    used: int
    limit: int
    region: str = ""

    @property
    def lacks(self) -> str:
        """Why an environment does not fit in, as a phrase; empty where it does."""
        needed = NEEDED[self.what]
        if self.used + needed <= self.limit:
            return ""
        where = f" in {self.region}" if self.region else ""
        most = f"{self.limit} {self.what}{where}"
        return f"it has {self.used} of at most {most}, and an environment needs {needed}"


def require_concurrency(aws: Aws, names: Names, regions: tuple[str, ...], reserved: int | None) -> None:
    """Check in each region that the function can reserve its concurrency; a new account may have 10 in all.

    Raises:
        EnvironmentUnusable: a region has too little, or Lambda does not say.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if reserved is None:
        return
    for region in regions:
        try:
            limit = aws.functions(region).get_account_settings()["AccountLimit"]
            own = _own(aws, names, region)
        except (BotoCoreError, ClientError) as error:
            raise EnvironmentUnusable(
                f"Lambda does not say how many executions {region} has room for: {error}.",
                "Allow lambda:GetAccountSettings and lambda:GetFunctionConcurrency, or leave "
                "--reserved-concurrency out.",
            ) from None
        total = limit.get("ConcurrentExecutions", 0)
        left = limit.get("UnreservedConcurrentExecutions", 0) + own - reserved
        least = min(UNRESERVED_LEAST, total)
        if left < least:
            raise EnvironmentUnusable(
                f"The account runs {total} Lambda functions at once in {region}: reserving {reserved} would "
                f"leave {left} unreserved, and Lambda keeps {least}.",
                "Leave --reserved-concurrency out, or ask for more: aws service-quotas "
                "request-service-quota-increase --service-code lambda --quota-code "
                f"{CONCURRENCY_CODE} --region {region} --desired-value {max(1000, total + reserved)}",
            )


def _own(aws: Aws, names: Names, region: str) -> int:
    """What the environment's function has reserved already."""
    from botocore.exceptions import ClientError

    try:
        found = aws.functions(region).get_function_concurrency(FunctionName=names.function)
    except ClientError as error:
        if is_absent(error):
            return 0
        raise
    return found.get("ReservedConcurrentExecutions", 0)


def require_room(aws: Aws, names: Names, regions: tuple[str, ...], *, own_zone: bool) -> str:
    """Check that the account has room for an environment that is new, and return what could not be asked.

    Args:
        regions: where the environment is to be. The clients of the first are used for what is global.
        own_zone: whether the environment makes a hosted zone; if not, it has custom domain names.

    Raises:
        EnvironmentUnusable: it does not fit.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    unasked: set[str] = set()
    try:
        if not is_new(aws, names, regions[0]):
            return ""
        lacking = [
            room.lacks
            for room in rooms(aws, regions[0])
            if room.lacks and (own_zone or room.what != "hosted zones")
        ]
        for region in regions:
            try:
                there = tuple(gateway_rooms(aws, region, domains=not own_zone))
            except ClientError as error:
                if not is_denied(error):
                    raise
                unasked.add(f"API Gateway's quotas are not known ({code_of(error)})")
            else:
                lacking += [room.lacks for room in there if room.lacks]
    except ClientError as error:
        if is_denied(error):
            return f"the account's quotas were not asked ({code_of(error)})"
        raise _silent(error) from None
    except BotoCoreError as error:
        raise _silent(error) from None
    if lacking:
        raise EnvironmentUnusable(
            f"The account has no room for a new environment: {'; '.join(lacking)}.",
            "Destroy what nobody needs (`payinfra envs` lists it), or ask for more in Service Quotas.",
        )
    return "; ".join(sorted(unasked))


def is_new(aws: Aws, names: Names, region: str) -> bool:
    """Whether an environment is still to be made: its table is not there.

    Raises:
        ClientError: DynamoDB says neither.
    """
    from botocore.exceptions import ClientError

    try:
        aws.dynamodb(region).describe_table(TableName=names.table)
    except ClientError as error:
        if is_absent(error):
            return True
        raise
    return False


def rooms(aws: Aws, region: str) -> Iterator[Room]:
    """What Route 53 and IAM count with quotas (API references: GetAccountLimit, GetAccountSummary)."""
    route53 = aws.route53(region)
    checks = route53.get_account_limit(Type="MAX_HEALTH_CHECKS_BY_OWNER")
    yield Room("health checks", checks["Count"], checks["Limit"]["Value"])
    zones = route53.get_account_limit(Type="MAX_HOSTED_ZONES_BY_OWNER")
    yield Room("hosted zones", zones["Count"], zones["Limit"]["Value"])
    summary = aws.iam(region).get_account_summary()["SummaryMap"]
    yield Room("IAM roles", summary.get("Roles", 0), summary.get("RolesQuota", 0))


def gateway_rooms(aws: Aws, region: str, *, domains: bool) -> Iterator[Room]:
    """What API Gateway has in a region, by Service Quotas (API reference: GetServiceQuota).

    Args:
        domains: whether to count custom domain names as well.

    Raises:
        ClientError: Service Quotas or API Gateway refused.
    """
    gateway = aws.apigateway(region)
    apis = [
        api
        for page in gateway.get_paginator("get_rest_apis").paginate()
        for api in page.get("items", ())
        if "REGIONAL" in api.get("endpointConfiguration", {}).get("types", ())
    ]
    yield Room("Regional APIs", len(apis), _quota(aws, region, API_QUOTA), region)
    if domains:
        public = [
            name
            for page in gateway.get_paginator("get_domain_names").paginate()
            for name in page.get("items", ())
            if "PRIVATE" not in name.get("endpointConfiguration", {}).get("types", ())
        ]
        yield Room("custom domain names", len(public), _quota(aws, region, DOMAIN_QUOTA), region)


def _quota(aws: Aws, region: str, code: str) -> int:
    """The applied value of a quota of API Gateway."""
    from botocore.exceptions import ClientError

    client = aws.client("service-quotas", region)
    try:
        found = client.get_service_quota(ServiceCode="apigateway", QuotaCode=code)
    except ClientError as error:
        if not is_absent(error):
            raise
        # An account that has no value of its own has AWS's (API reference, GetAWSDefaultServiceQuota).
        found = client.get_aws_default_service_quota(ServiceCode="apigateway", QuotaCode=code)
    return int(found["Quota"]["Value"])


def _silent(error: Exception) -> EnvironmentUnusable:
    return EnvironmentUnusable(
        f"AWS does not say what the account has room for: {error}.", "Run the same command again."
    )
