"""The function's AWS clients and how long they may take; all of them are made here, once.

Worst case of one `POST`: look-up, transaction, second look-up, restored payment, third look-up and audit
object, each with its only retry. A test adds them up: they fit in the 29 s that a REST API waits for its
integration (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html). While one service is
out, a `POST` is answered within `POST_PROMISE_S`.

Retries are botocore's standard ones. Its adaptive ones block on a token bucket of the whole client: after one
throttled call each call, of whatever request, waits a second and more.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import botocore.session
from botocore.config import Config

from .core import STATUS_SHARDS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a service, in seconds, and how many attempts to make in all.

    Attributes:
        connections: how many are kept open for calls side by side.
    """

    connect: float
    read: float
    attempts: int
    connections: int = 10

    @property
    def longest(self) -> float:
        """The longest that one call takes: every attempt times out, and botocore's wait before attempt
        n + 1 is at most 2 ** (n - 1) seconds."""
        waits = sum(2.0**n for n in range(self.attempts - 1))
        return self.attempts * (self.connect + self.read) + waits

    def config(self) -> Config:
        return Config(
            connect_timeout=self.connect,
            read_timeout=self.read,
            retries={"total_max_attempts": self.attempts, "mode": "standard"},
            max_pool_connections=self.connections,
            tcp_keepalive=True,
        )


TABLE = Patience(connect=0.4, read=1.1, attempts=2, connections=STATUS_SHARDS + 1)
# No retry: the table's stream writes the object that a request could not.
AUDIT = Patience(connect=0.4, read=1, attempts=1)
PARAMETER = Patience(connect=0.4, read=1.1, attempts=2)
HEALTH = Patience(connect=0.2, read=0.6, attempts=1)
# No retry: a checker of Route 53 waits for 2 s for the status, and then asks again.
FLAG = Patience(connect=0.4, read=1, attempts=1)
# No retry: what cannot be read is not waited for, and a health checker is waiting.
PEER_FLAG = Patience(connect=0.3, read=0.4, attempts=1)
HEALTH_PROMISE_S = 0.9
"""After how many seconds a health check is answered, whatever the table does. Route 53 allows 2."""
POST_PROMISE_S = 5.0
"""After how many seconds a payment is answered while one service does not answer at all."""


@dataclass(frozen=True, slots=True)
class Clients:
    """One client a use: health has its own, because it must answer while the others still wait."""

    table: "DynamoDBClient"
    health: "DynamoDBClient"
    audit: "S3Client"
    parameter: "SSMClient"
    flag: "SSMClient"
    peer_flag: "SSMClient | None" = None


def connect(region: str, peer_region: str = "", peer_endpoint: str = "") -> Clients:
    """Clients for one region; keys and endpoints come from the Lambda runtime's environment.

    Args:
        peer_region: the other region, where its flag is to be read; empty where it is not.
        peer_endpoint: where that region answers; empty for AWS's own endpoint.

    Made by botocore, which boto3 would ask as well: importing boto3 brings S3's transfer manager and takes
    as long again as botocore itself.
    """
    session = botocore.session.get_session()
    session.set_config_variable("region", region)
    return Clients(
        table=cast("DynamoDBClient", session.create_client("dynamodb", config=TABLE.config())),
        health=cast("DynamoDBClient", session.create_client("dynamodb", config=HEALTH.config())),
        audit=cast("S3Client", session.create_client("s3", config=AUDIT.config())),
        parameter=cast("SSMClient", session.create_client("ssm", config=PARAMETER.config())),
        flag=cast("SSMClient", session.create_client("ssm", config=FLAG.config())),
        peer_flag=cast(
            "SSMClient",
            session.create_client(
                "ssm",
                region_name=peer_region,
                endpoint_url=peer_endpoint or None,
                config=PEER_FLAG.config(),
            ),
        )
        if peer_region
        else None,
    )
