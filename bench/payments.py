"""What a payment costs, beside Powertools' own idempotency: `python -m bench.payments`.

AWS is answered in this process, so what is timed is the function's own work and botocore's. The cold start
is that of the zip, unpacked as Lambda unpacks it: first without bytecode, then with it.
It ends with 1 if a promise is broken.
"""

import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from bench.aws_in_process import BUCKET, FLAG, PARAMETER, TABLE, RegionInProcess
from bench.hostile_bodies import BODIES
from bench.timing import environment
from handlers.payments import core
from handlers.payments.config import Config
from handlers.payments.handler import compose, now_ms
from handlers.payments.observe import Observer
from payinfra.stacks.lambda_zip import build_zip, handlers_folder

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

Handler = Callable[[dict[str, object]], dict[str, object]]
KEY_ARN = "arn:aws:kms:us-east-1:000000000000:key/audit"
_TIMED_IMPORT = (
    "import sys, time; began = time.process_time(); import {module}; "
    "sys.stdout.write(str(time.process_time() - began))"
)
IMPORT_GOAL_S = 0.25
"""CPU time of the function's own code and what the zip brings, with bytecode, boto3 included."""
BODY_GOAL_S = 0.1
"""CPU time for whatever body is sent."""


@dataclass(frozen=True)
class CallCost:
    """What one request costs.

    Attributes:
        seconds: the median of its times.
        calls: the AWS calls that it makes.
    """

    seconds: float
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Contender:
    """A way to record a payment once.

    Attributes:
        first, replay: what a new payment costs, and the same request again.
    """

    name: str
    first: CallCost
    replay: CallCost


class InvocationContext:
    """The part of Lambda's context that Powertools' idempotency asks for."""

    function_name = "payments"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


UNITS = {"Query": 1.0, "PutItem": 1.0, "UpdateItem": 1.0, "TransactWriteItems": 4.0}
"""Capacity units of DynamoDB: a consistent read of at most 4 KB, a write of at most 1 KB, also one whose
condition fails, and twice as much for each of the two items of a transaction (DynamoDB developer guide, "Read
and write operations")."""


def units(calls: tuple[str, ...]) -> str:
    """What a request costs on DynamoDB."""
    read = sum(UNITS[call] for call in calls if call == "Query")
    written = sum(UNITS[call] for call in calls if call in UNITS and call != "Query")
    return f"{read:g} read and {written:g} write units"


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")


def event(number: int) -> dict[str, object]:
    body = {
        "amount": 1250,
        "currency": "EUR",
        "customer_id": "customer-7",
        "payment_method": "card",
        "timestamp": now_ms(),
        "description": "A book",
        "metadata": {"order": str(number)},
    }
    return {
        "httpMethod": "POST",
        "path": "/payments",
        "headers": {"Idempotency-Key": f"order-{number}", "Content-Type": "application/json"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": {"requestId": f"request-{number}"},
    }


def ours(region: RegionInProcess) -> Handler:
    """The function as it is deployed."""
    config = Config(TABLE, BUCKET, KEY_ARN, PARAMETER, FLAG, "elsewhere", "bench", region.name)
    app = compose(config, region.clients(), Observer(config, io.StringIO()))
    return app.answer


def decorated(region: RegionInProcess) -> Handler:
    """The same payment, validated, recorded and audited under Powertools' idempotency decorator.

    Each request is validated, as ours validates each; it logs and measures nothing, which ours does.
    """
    clients = region.clients()
    store = DynamoDBPersistenceLayer(table_name="idempotency", boto3_client=clients.table)
    settings = IdempotencyConfig(event_key_jmespath="key", payload_validation_jmespath="body")
    settings.register_lambda_context(cast("LambdaContext", InvocationContext()))
    resolver = APIGatewayRestResolver()

    read: dict[str, core.Payment] = {}

    def record(asked: dict[str, str]) -> dict[str, object]:
        payment = read[asked["key"]]
        document = payment.document()
        clients.table.put_item(
            TableName=TABLE,
            Item={
                **{name: {"S": str(value)} for name, value in document.items()},
                "timestamp": {"N": str(payment.timestamp)},
            },
        )
        clients.audit.put_object(
            Bucket=BUCKET,
            Key=core.audit_key(payment),
            Body=core.audit_record(payment),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=KEY_ARN,
        )
        return document

    make = cast(
        Callable[..., dict[str, object]],
        idempotent_function(record, data_keyword_argument="asked", persistence_store=store, config=settings),
    )

    @resolver.post("/payments")
    def _make() -> Response[str]:
        sent = resolver.current_event
        asked = {"key": sent.headers["Idempotency-Key"], "body": sent.body or ""}
        read.clear()
        read[asked["key"]] = core.read_payment(asked["key"], asked["body"].encode())
        return Response(201, "application/json", json.dumps(make(asked=asked)))

    return lambda sent: resolver.resolve(sent, cast("LambdaContext", InvocationContext()))


def contend(name: str, start: Callable[[RegionInProcess], Handler], rounds: int) -> Contender:
    """Measure new payments, and each of them once more."""
    region = RegionInProcess()
    handler = start(region)
    sent = [event(number) for number in range(rounds + 1)]
    with contextlib.redirect_stdout(io.StringIO()):  # the metrics
        handler(sent[0])
        handler(sent[0])
        first = _cost(region, handler, sent[1:], 201)
        replay = _cost(region, handler, sent[1:], None)
    return Contender(name, first, replay)


def _cost(
    region: RegionInProcess, handler: Handler, sent: list[dict[str, object]], status: int | None
) -> CallCost:
    seconds: list[float] = []
    calls: tuple[str, ...] = ()
    for one in sent:
        region.calls.clear()
        began = time.perf_counter()
        answer = handler(one)
        seconds.append(time.perf_counter() - began)
        calls = tuple(region.calls)
        if answer["statusCode"] not in ((status,) if status else (200, 201)):
            raise RuntimeError(f"The answer was {answer['statusCode']}: {answer['body']}")
    return CallCost(statistics.median(seconds), calls)


def cold_start(folder: Path, runs: int) -> float:
    """Print what an import of the unpacked zip costs; seconds of CPU time with bytecode."""
    package = folder / "payments.zip"
    build_zip(package, handlers_folder())
    code = folder / "code"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(code)
    say(f"  the zip has {package.stat().st_size / 1024:.0f} KiB")
    say(f"  import of boto3 alone {_import_time('boto3', folder, runs) * 1000:.0f} ms")
    for name, written in (("without", False), ("with", True)):
        own = _import_time("payments.handler", code, runs, bytecode=written)
        say(f"  import of the zip {name} its bytecode {own * 1000:.0f} ms")
    return own


def _import_time(module: str, first_on_path: Path, runs: int, *, bytecode: bool = False) -> float:
    """CPU seconds, the median of whole new processes. The first one is not counted, and writes bytecode."""
    environ = {**environment(), "PYTHONPATH": str(first_on_path)}
    command = [sys.executable, *(() if bytecode else ("-B",)), "-c", _TIMED_IMPORT.format(module=module)]
    outputs = [subprocess.check_output(command, env=environ, cwd=first_on_path) for _ in range(runs + 1)]
    return statistics.median(float(output) for output in outputs[1:])


def worst_body() -> tuple[str, float]:
    """The hostile body that costs most, and its seconds of CPU time: the least of three."""
    handler = ours(RegionInProcess())

    def cost(body: str) -> float:
        sent = {**event(1), "body": body}
        began = time.process_time()
        handler(sent)
        return time.process_time() - began

    with contextlib.redirect_stdout(io.StringIO()):  # the metrics
        handler(event(0))
        costs = {name: min(cost(body) for _ in range(3)) for name, body in BODIES.items()}
    worst = max(costs, key=costs.__getitem__)
    return worst, costs[worst]


def broken_promises(made: Contender) -> list[str]:
    """What a payment must not cost."""
    writes = [call for call in made.first.calls if call != "Query"]
    broken = []
    if writes != ["TransactWriteItems", "PutObject"]:
        broken.append(f"A new payment costs one transaction and one audit object, not {', '.join(writes)}.")
    if made.replay.calls != ("Query",):
        broken.append(f"A replay costs one read, not {', '.join(made.replay.calls)}.")
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="payments that are made and replayed")
    parser.add_argument("--runs", type=int, default=5, help="cold starts")
    arguments = parser.parse_args()

    say("Cold start, CPU time:")
    with tempfile.TemporaryDirectory() as folder:
        imported = cold_start(Path(folder), arguments.runs)
    body, took = worst_body()
    say(f"The worst of {len(BODIES)} hostile bodies: {took * 1000:.0f} ms of CPU time ({body})")

    say("A payment through the handler, AWS answered in process (medians):")
    made = contend("payments", ours, arguments.rounds)
    other = contend("Powertools' idempotency", decorated, arguments.rounds)
    for one in (made, other):
        for name, cost in (("new", one.first), ("replay", one.replay)):
            taken = f"{cost.seconds * 1000:7.2f} ms   {', '.join(cost.calls)}"
            say(f"  {one.name:<24} {name:<7} {taken}: {units(cost.calls)}")
    new = other.first.seconds / made.first.seconds
    replay = other.replay.seconds / made.replay.seconds
    say(f"  against the decorator: a new payment {new:.2f} times as fast, a replay {replay:.2f} times")

    broken = broken_promises(made)
    if imported > IMPORT_GOAL_S:
        broken.append(f"The import takes {IMPORT_GOAL_S * 1000:.0f} ms at most.")
    if took > BODY_GOAL_S:
        broken.append(f"No body takes more than {BODY_GOAL_S * 1000:.0f} ms.")
    if replay < 1:
        broken.append("A replay costs at most what it costs under the decorator.")
    for promise in broken:
        say(f"BROKEN: {promise}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
