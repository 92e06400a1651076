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
| `GET /evacuation` | `ssm:GetParameter` | the flag of an evacuation |
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
from .ledger import DynamoLedger
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
    return compose(config, connect(config.region), Observer(config))


def compose(config: Config, clients: Clients, observer: Observer) -> Application:
    """The one place where the parts meet."""
    ledger = DynamoLedger(clients.table, clients.health, config.table)
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
    return Application(
        config,
        payments,
        stream,
        observer,
        ping=RecordingLook(
            functools.partial(within, HEALTH_PROMISE_S, payments.ping),
            functools.partial(within, HEALTH_PROMISE_S, payments.attempt),
            now_ms,
        ),
        flag=flag,
    )


def now_ms() -> int:
    """Now, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
