"""Every physical name and every tag, derived from the environment's name and the project's prefix.

A name is `{prefix}-{env}-{thing}`; the region joins it where a namespace spans regions, and the account
where it spans accounts. No thing ends in another thing of the same namespace, so that the names of
environments `a` and `a-b` stay apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

PROJECT = "payment-infrastructure"
NAME_PREFIX = "payment"
"""What names begin with unless the project says otherwise."""
STAGE = "prod"
"""The API's stage in every environment."""
API_DEPLOYMENT = "contract "
"""What the description of an API's deployment begins with; a hash of what clients can notice follows."""
FUNCTION_ALIAS = "live"
"""The Lambda alias that the API calls; it points at one published version."""
HEALTH_METRICS_REGION = "us-east-1"
"""The only region that has Route 53's health check metrics (Route 53 developer guide, "Monitoring health
checks using CloudWatch")."""
CERTIFICATE_NAME_MAX = 64
"""Octets of a certificate's first name at most: it is the common name of RFC 5280 (ACM API reference,
RequestCertificate)."""
BUCKET_NAME_MAX = 63
"""Characters of a bucket's name at most (S3 user guide, "General purpose bucket naming rules")."""
TAG_NAME_MAX, TAG_VALUE_MAX = 128, 256
"""Characters of a tag at most (Tagging AWS resources user guide, "Tag naming limits and requirements")."""
OWN_TAGS_MAX = 40
"""Tags of a project's own at most: AWS takes 50 on most resources, and some services set a few themselves."""
STATUS_INDEX = "status-index"
CUSTOMER_INDEX = "customer-index"
INDEXES = (STATUS_INDEX, CUSTOMER_INDEX)
STATUS_SHARDS = 10
"""Over how many partitions of the status index the function spreads the payments of one status. A test holds
it to the function's."""
TABLE_ATTRIBUTES = MappingProxyType({"payment_id": "S", "timestamp": "N", "status": "S", "customer_id": "S"})
"""The attributes of the table that are keys, of it or of payinfra's indexes, with their types."""
OWN_INDEXES_MAX = 18
"""Indexes of a project's own at most (DynamoDB developer guide, "Quotas": 20 a table, two are payinfra's)."""
AUDIT_PREFIX = "audit/"
"""Where audit objects are in the audit buckets."""
TEST_PREFIX = "test/"
"""Where those of tests are, canaries' and drills': they are removed with their payments."""


DRILL_FIS_ROLE = "payinfra-drill-fis"
"""The account's role with which AWS FIS pauses the replication of environments' tables and audit buckets."""
DRILL_SCHEDULER_ROLE = "payinfra-drill-scheduler"
"""The account's role with which an EventBridge schedule lifts a drill's limit of concurrency."""
DRILL_SCHEDULE_GROUP = "payinfra-drill"
"""The schedule group, one a region, that drills put their schedules into."""
API_LOGS_ROLE = "payinfra-apigateway-logs"
"""The account's role with which API Gateway writes logs, in every region."""
STATE_REPLICATION_ROLE = "payinfra-state-replication"
"""The account's role with which S3 copies the state bucket to the other region."""
STATE_KEY_ALIAS = "alias/payinfra-state"
"""The customer key of the state bucket, one a region."""
BOUNDARY_POLICY = "payinfra-boundary"
"""The policy that may bound the roles of environments."""
SESSION_NAME = "payinfra"
"""The session name of the role that payinfra works as, which CloudTrail shows."""
CI_ROLE = "payinfra-ci"
"""The role that CI deploys with; its policies' names begin so too."""
# No environment's names begin with `payinfra`: what may change environments may not change these.


def status_partitions(status: str) -> tuple[str, ...]:
    """The values of the attribute `status` of all payments in a status: the bare one, which functions of
    earlier versions, of other projects and of `spread_statuses = false` write, and those of its shards."""
    return (status, *(f"{status}#{shard}" for shard in range(STATUS_SHARDS)))


def status_of(partition: str) -> str:
    """The status that a value of the attribute `status` says."""
    return partition.partition("#")[0]


def objects_of_tests(customer: str) -> str:
    """Where the audit objects of a customer are whose payments are tests; the timestamp follows.

    The function names them so: a test holds that.
    """
    return f"{TEST_PREFIX}{customer}/"


class KeyPurpose(StrEnum):
    """What a customer key of KMS protects."""

    DATA = "data"
    AUDIT = "audit"
    APPLICATION = "application"


class Parameter(StrEnum):
    """What is kept in Parameter Store."""

    TABLE_NAME = "table-name"
    BUCKET_NAME = "bucket-name"
    ENDPOINT = "endpoint"
    API_KEY = "api-key"
    CURSORS = "cursor-secret"
    DEPLOYMENT = "deployment"
    EVACUATED = "evacuated"


@dataclass(frozen=True)
class Names:
    """The physical names of one environment.

    Args:
        env: the environment's name, at most 20 characters (`Settings` sees to it). With that, the usual
            prefix, the longest region and an account's twelve digits every name here is within AWS's limit.
            The audit bucket's is the tightest; `Settings` checks it where the prefix is another.
        prefix: what every name begins with.
        failover_name, latency_name: the whole names that clients use; None for those derived from the domain.
    """

    env: str
    prefix: str = NAME_PREFIX
    failover_name: str | None = None
    latency_name: str | None = None

    @property
    def stack(self) -> str:
        """The stack, and what every other name begins with."""
        return f"{self.prefix}-{self.env}"

    def _of(self, thing: str) -> str:
        return f"{self.stack}-{thing}"

    @property
    def table(self) -> str:
        """The global table; the same in both regions."""
        return self._of("payments")

    @property
    def function(self) -> str:
        """The Lambda function; the same in both regions."""
        return self._of("payments")

    def function_role(self, region: str) -> str:
        """The function's role. IAM is one namespace for all regions."""
        return self._of(f"function-{region}")

    def replication_role(self, region: str) -> str:
        """The role with which S3 copies out of this region's audit bucket."""
        return self._of(f"replication-{region}")

    @property
    def function_policy(self) -> str:
        """The inline policy of the function's role."""
        return self._of("function")

    @property
    def replication_policy(self) -> str:
        """The inline policy of the replication role."""
        return self._of("replication")

    def audit_bucket(self, region: str, account: str) -> str:
        """The audit bucket. Bucket names are one namespace for all accounts."""
        return self._of(f"audit-{region}-{account}")

    def key_alias(self, purpose: KeyPurpose) -> str:
        """A customer key's alias."""
        return f"alias/{self._of(purpose)}"

    @property
    def function_log_group(self) -> str:
        """Where Lambda writes the function's log: its name is derived, so the group can come first."""
        return f"/aws/lambda/{self.function}"

    @property
    def api(self) -> str:
        """The REST API."""
        return self._of("api")

    @property
    def access_log_group(self) -> str:
        """The log group of the API's access log, with a line for each request."""
        return f"/aws/apigateway/{self.api}"

    def execution_log_group(self, api_id: str) -> str:
        """Where API Gateway writes a stage's execution log; AWS dictates this name."""
        return f"API-Gateway-Execution-Logs_{api_id}/{STAGE}"

    @property
    def api_key(self) -> str:
        """The API key."""
        return self._of("client")

    @property
    def next_api_key(self) -> str:
        """The API key that a rotation has made and that will be the API's own."""
        return self._of("client-next")

    @property
    def former_api_key(self) -> str:
        """The API key that a rotation has replaced and that is still valid."""
        return self._of("client-former")

    @property
    def usage_plan(self) -> str:
        """The usage plan that the key belongs to."""
        return self._of("plan")

    @property
    def validator(self) -> str:
        """The API's request validator."""
        return self._of("body")

    @property
    def topic(self) -> str:
        """The topic that alarms publish to."""
        return self._of("alarms")

    def alarm(self, what: str) -> str:
        """An alarm on something of its own region."""
        return self._of(what)

    def health(self, region: str) -> str:
        """A region's health check and the alarm on it, which are both in one region for all."""
        return self._of(f"health-{region}")

    def evacuation(self, region: str) -> str:
        """The health check of the page on which the other region says that this one is evacuated."""
        return self._of(f"evacuated-{region}")

    def serving(self, region: str) -> str:
        """The calculated health check that a region's records carry."""
        return self._of(f"serving-{region}")

    def dashboard(self, region: str) -> str:
        """A region's dashboard. Dashboards are one namespace for all regions."""
        return self._of(f"overview-{region}")

    @property
    def metric_namespace(self) -> str:
        """Where the function's own metrics go."""
        return self.stack

    def parameter(self, what: Parameter) -> str:
        """A parameter of Parameter Store."""
        return f"/{self.stack}/{what}"

    @property
    def own_zone(self) -> str:
        """The zone of an environment without a domain. ICANN reserved `.internal` for private use, so
        nobody will ever delegate it."""
        return f"{self.stack}.internal"

    def failover_domain(self, domain: str | None) -> str:
        """The name that follows the healthy region."""
        if self.failover_name is not None:
            return self.failover_name
        return f"failover.{self.own_zone}" if domain is None else f"{self._of('failover')}.{domain}"

    def latency_domain(self, domain: str | None) -> str:
        """The name that follows the nearest region."""
        if self.latency_name is not None:
            return self.latency_name
        return f"latency.{self.own_zone}" if domain is None else f"{self._of('latency')}.{domain}"

    @property
    def state_key(self) -> str:
        """The state's key in a state bucket."""
        return f"payinfra/{self.stack}/terraform.tfstate"


def canary_domain(failover_domain: str, run: str) -> str:
    """The record that a run of the probes writes to test the zone. It is below a name of the environment, and
    no client asks for it.

    Args:
        failover_domain: the environment's name that follows the healthy region.
        run: the run's id; `*` for every run's.
    """
    return f"{run}.payinfra-canary.{failover_domain}"


def state_replica(bucket: str) -> str:
    """The bucket in the other region that a state bucket is replicated to."""
    return f"{bucket}-replica"


def ci_role(env: str | None) -> str:
    """The role that CI deploys all environments with, only one, or those whose names begin like `env`.

    Args:
        env: a name, a beginning with `*` after it, or None for all. No environment has a dot in its name.
    """
    return CI_ROLE if env is None else f"{CI_ROLE}-{env.replace('*', '.any')}"


OWN_TAGS = frozenset(("Environment", "EnvironmentSuffix", "Project", "ManagedBy", "Owner", "CostCenter"))
"""The tags that payinfra sets itself, or has a setting of its own for."""


def tags(
    env: str,
    *,
    owner: str | None = None,
    cost_center: str | None = None,
    own: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """The tags of everything that can be tagged; `own` are those that the project adds."""
    found = {
        "Environment": env,
        "EnvironmentSuffix": env,
        "Project": PROJECT,
        "ManagedBy": "cdktf",
        "Owner": owner,
        "CostCenter": cost_center,
    }
    return {**own, **{name: value for name, value in found.items() if value is not None}}


def regions_used(regions: Sequence[str]) -> tuple[str, ...]:
    """The regions of a stack: its two, and the region of health metrics where it is neither."""
    return tuple(dict.fromkeys((*regions, HEALTH_METRICS_REGION)))


def execute_api_host(api_id: str, region: str) -> str:
    """The host of a regional API's default endpoint on AWS."""
    return f"{api_id}.execute-api.{region}.amazonaws.com"


def payments_url(api_id: str, region: str, local: Mapping[str, str] | None = None) -> str:
    """The URL that payments are POSTed to.

    Args:
        api_id: the REST API's id.
        region: the region that it is in.
        local: the embedded AWS's URL for each region; None on AWS.
    """
    if local is None:
        return f"https://{execute_api_host(api_id, region)}/{STAGE}/payments"
    return f"{local[region]}/_aws/execute-api/{api_id}/{STAGE}/payments"
