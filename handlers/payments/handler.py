"""The edge to AWS Lambda: `payments.handler.handle`.

AWS calls of each route, which the function's role must allow, and no others:

| route | action | on |
|---|---|---|
| `POST /payments` | `dynamodb:Query` | the table |
| | `dynamodb:PutItem` (also what each put of the transaction is authorized as) | the table |
| | `s3:PutObject` | the audit bucket's `audit/*` and `test/*` |
| | `kms:GenerateDataKey` | the audit key, through S3 |
| `GET /payments/{payment_id}` | `dynamodb:Query`; `dynamodb:UpdateItem` to mark a conflict | the table |
| `GET /payments` | `dynamodb:Query` | the table's `index/status-index`, `index/customer-index` |
| | `ssm:GetParameter`, when there is a next page or a cursor | the cursors' secret |
| | `kms:Decrypt` | the application key, through SSM |
| `GET /health` | `dynamodb:Query`, `dynamodb:PutItem` under a condition that never holds | the table |
| | `ssm:GetParameter`, in the primary region where fail-back is manual | the flag of the other region |
| `GET /evacuation` | `ssm:GetParameter` | the flag of an evacuation |
| | `ssm:PutParameter`, in the secondary region where fail-back is manual; with health's calls | that flag |
| the table's stream | `dynamodb:DescribeStream`, `dynamodb:GetRecords`, `dynamodb:GetShardIterator`, \
`dynamodb:ListStreams` by the event source mapping | the stream |
| | `dynamodb:Query`, `dynamodb:PutItem`, `dynamodb:UpdateItem` | the table |
| | `s3:PutObject` | the audit bucket's `audit/*` and `test/*` |
| | `sns:Publish` by the event source mapping, for records that it gives up | the alarm topic |
| operations (see `operations`) | `dynamodb:Query`, `dynamodb:PutItem`, `dynamodb:UpdateItem` | the table |
| | `s3:PutObject` | the audit bucket's `audit/*` and `test/*` |

DynamoDB asks for `kms:Decrypt` on the table's key through `kms:ViaService` besides.
"""

import functools
import os
import time
from typing import TYPE_CHECKING

from .app import Application
from .audit import S3Audit
from .aws import HEALTH_PROMISE_S, Clients, connect
from .config import Config
from .deadline import within
from .evacuation import ParameterFlag
from .fail_back import MANUAL, FailBackRule, HoldingBack
from .ledger import DynamoLedger
from .names import FailoverName
from .observe import Observer
from .operations import is_operation
from .recording import RecordingLook
from .secret import ParameterSecret
from .service import Payments
from .stream import StreamReader, is_stream

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handle(event: dict[str, object], context: "LambdaContext") -> dict[str, object]:
    """Answer a proxy event of the REST API, a batch of the table's stream, or an operation."""
    if is_stream(event):
        return application().watch(event)
    if is_operation(event):
        return application().operate(event, context.aws_request_id)
    return application().answer(event)


@functools.cache
def application() -> Application:
    """The application of this container, put together when the first request comes."""
    config = Config.read(os.environ)
    peer = config.peer_region if _holds_back(config) else ""
    return compose(config, connect(config.region, peer, config.peer_endpoint), Observer(config))


def _holds_back(config: Config) -> bool:
    """Whether this is the region that the name must not return to by itself."""
    return config.fail_back == MANUAL and config.region == config.primary_region


def compose(config: Config, clients: Clients, observer: Observer) -> Application:
    """The one place where the parts meet."""
    ledger = DynamoLedger(clients.table, clients.health, config.table, config.spread_statuses)
    audit = S3Audit(clients.audit, config.audit_bucket, config.audit_key_arn)
    payments = Payments(
        region=config.region,
        ledger=ledger,
        audit=audit,
        secret=ParameterSecret(clients.parameter, config.cursor_secret_parameter, now_ms),
        clock=now_ms,
        tally=observer,
    )
    stream = StreamReader(config.region, ledger, audit, now_ms, observer)
    flag = ParameterFlag(clients.flag, config.evacuated_parameter, config.peer_region, now_ms)
    ping = RecordingLook(
        functools.partial(within, HEALTH_PROMISE_S, payments.ping),
        functools.partial(within, HEALTH_PROMISE_S, payments.attempt),
        now_ms,
    )
    rule = held = None
    if config.fail_back == MANUAL and not _holds_back(config):
        name = FailoverName(config.failover_name, config.region, config.name_servers, config.failover_zone)
        rule = FailBackRule(
            clients.flag,
            config.evacuated_parameter,
            config.peer_region,
            leads_here=name.leads_here,
            serves=ping,
            clock=now_ms,
        )
    if clients.peer_flag is not None:
        held = HoldingBack(clients.peer_flag, config.evacuated_parameter, config.region, now_ms)
    return Application(
        config,
        payments,
        stream,
        observer,
        audit=lambda: audit.state,
        ping=ping,
        flag=flag,
        fail_back=rule,
        held_back=held,
    )


def now_ms() -> int:
    """Now, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
