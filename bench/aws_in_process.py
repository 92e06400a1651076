"""The AWS calls of the payments function, answered in this process.

Real boto3 clients make, sign and check their requests; the answer comes from here instead of a socket. What
is modelled is what the function relies on: conditional puts and transactions guard one region only, writes
travel to the other region when they are delivered, and there the last write of each item wins.
"""

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from handlers.payments.aws import Clients

Json = dict[str, object]
Item = Mapping[str, Mapping[str, str]]
Key = tuple[str, int]

TABLE = "payments"
BUCKET = "audit"
PARAMETER = "/payments/cursor-secret"
FLAG = "/payments/evacuated"
_INDEXED = {"status-index": "status", "customer-index": "customer_id"}


class RefusedCall(Exception):
    """An error that the service answers with."""

    def __init__(self, code: str, status: int = 400, more: Json | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.more = more or {}


@dataclass(frozen=True)
class WriteInProcess:
    """One item as written, and when: the larger stamp wins."""

    key: Key
    item: Item
    stamp: int


@dataclass
class Stamps:
    """The time of writes, shared by regions: no two writes at the same moment."""

    last: int = 0

    def next(self) -> int:
        self.last += 1
        return self.last


@dataclass
class RegionInProcess:
    """One region's table, bucket and parameter.

    Attributes:
        outbox: writes that have not been delivered to the other region.
        calls: the operations asked for, in order.
        before: called with each operation's name before it is answered; may raise what a client would see.
        changes: the records of the stream: of what was written here, and of what replication brought.
        metadata: the user's metadata of each object.
        fits: how many items fit in the megabyte of a query's answer.
    """

    name: str = "us-east-1"
    stamps: Stamps = field(default_factory=Stamps)
    table: dict[Key, WriteInProcess] = field(default_factory=dict)
    _keys: dict[str, dict[Key, None]] = field(default_factory=dict, init=False)
    objects: dict[str, bytes] = field(default_factory=dict)
    sealing: str = "sealed-by-the-tests"
    flag: str = "{}"
    flag_written_ms: int = 0
    outbox: list[WriteInProcess] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    puts: list[Mapping[str, str]] = field(default_factory=list)
    changes: list[Json] = field(default_factory=list)
    metadata: dict[str, Mapping[str, str]] = field(default_factory=dict)
    before: Callable[[str], None] = lambda _operation: None
    now_ms: int = 1_800_000_000_000
    fits: int = 1000

    def clients(self) -> Clients:
        """Clients of this region, with no retry: a fault shows at once."""
        session = boto3.Session("test", "test", region_name=self.name)
        config = Config(retries={"total_max_attempts": 1})
        table, health = (session.client("dynamodb", config=config) for _ in range(2))
        audit = session.client("s3", config=config)
        parameter, flag = (session.client("ssm", config=config) for _ in range(2))
        for client in (table, health, audit, parameter, flag):
            client.meta.events.register("before-send", self.answer)
        return Clients(table=table, health=health, audit=audit, parameter=parameter, flag=flag)

    def reset(self) -> None:
        """Empty, as new; clients that were made before go on working."""
        fresh = RegionInProcess()
        for part in (
            "table",
            "_keys",
            "objects",
            "outbox",
            "calls",
            "puts",
            "changes",
            "metadata",
            "before",
            "sealing",
            "flag",
            "flag_written_ms",
            "fits",
        ):
            setattr(self, part, getattr(fresh, part))

    def refuse(self, operation: str, code: str, *, status: int = 400, reasons: tuple[str, ...] = ()) -> None:
        """From now on, answer one operation with an error."""
        more: Json = {"CancellationReasons": [{"Code": reason} for reason in reasons]} if reasons else {}

        def before(asked: str) -> None:
            if asked == operation:
                raise RefusedCall(code, status, more)

        self.before = before

    def allow(self) -> None:
        """Answer everything again."""
        self.before = lambda _operation: None

    def answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """The answer to one request, in the form that botocore's `before-send` event takes."""
        target = request.headers.get("X-Amz-Target")
        if target is None:
            return self._put_object(request)
        operation = (target.decode() if isinstance(target, bytes) else str(target)).rpartition(".")[2]
        self.calls.append(operation)
        try:
            self.before(operation)
            asked = cast(Json, json.loads(cast(bytes, request.body)))
            return _answer(request, 200, json.dumps(self._perform(operation, asked)).encode())
        except RefusedCall as refused:
            body = {
                "__type": f"com.amazonaws.dynamodb.v20120810#{refused.code}",
                "message": "no",
                **refused.more,
            }
            return _answer(request, refused.status, json.dumps(body).encode())

    def deliver(self, other: "RegionInProcess", *, count: int | None = None) -> None:
        """Replicate the oldest `count` undelivered writes, or all of them, to the other region."""
        sent = self.outbox[:count]
        del self.outbox[: len(sent)]
        for write in sent:
            other.receive(write)

    def receive(self, write: WriteInProcess) -> None:
        """A write of the other region arrives: it stands if it is the later one."""
        there = self.table.get(write.key)
        if there is not None and there.stamp >= write.stamp:
            return
        self._write_outputs(write)

    def stream(self) -> Json:
        """The batch of all records so far, as Lambda hands it over; they are not handed over again."""
        records, self.changes = self.changes, []
        return {"Records": records}

    def _write_outputs(self, write: WriteInProcess) -> None:
        """Put an item into the table. DynamoDB streams no record where nothing changes."""
        there = self.table.get(write.key)
        self.table[write.key] = write
        self._keys.setdefault(write.key[0], {})[write.key] = None
        if there is not None and there.item == write.item:
            return
        images = {"NewImage": write.item} | ({} if there is None else {"OldImage": there.item})
        keys = {name: write.item[name] for name in ("payment_id", "timestamp") if name in write.item}
        change: Json = {
            "Keys": keys,
            "SequenceNumber": str(self.stamps.next()),
            "ApproximateCreationDateTime": self.now_ms / 1000,
            **images,
        }
        kind = "INSERT" if there is None else "MODIFY"
        self.changes.append({"eventSource": "aws:dynamodb", "eventName": kind, "dynamodb": change})

    def items(self) -> dict[Key, Item]:
        return {key: write.item for key, write in self.table.items()}

    def _perform(self, operation: str, asked: Json) -> Json:
        perform: Mapping[str, Callable[[Json], Json]] = {
            "Query": self._query,
            "TransactWriteItems": self._transact,
            "PutItem": self._put_item,
            "UpdateItem": self._update_item,
            "GetItem": self._get_item,
            "GetParameter": self._get_parameter,
            "PutParameter": self._put_parameter,
        }
        return perform[operation](asked)

    def _query(self, asked: Json) -> Json:
        values = cast(Mapping[str, Mapping[str, str]], asked["ExpressionAttributeValues"])
        index = cast(str | None, asked.get("IndexName"))
        if index is None:
            # A read that is not strongly consistent may miss what was written last.
            newest = None if asked.get("ConsistentRead") else self.stamps.last
            keys = self._keys.get(values[":id"]["S"], ())
            rows = [self.table[key].item for key in keys if self.table[key].stamp != newest]
        else:
            by, low, high = _INDEXED[index], int(values[":earliest"]["N"]), int(values[":latest"]["N"])
            rows = [
                write.item
                for key, write in self.table.items()
                if write.item.get(by) == values[":value"] and low <= key[1] <= high
            ]
        rows.sort(key=_order)
        start = cast(Item | None, asked.get("ExclusiveStartKey"))
        if start is not None:
            rows = [row for row in rows if _order(row) > _order(start)]
        limit = min(self.fits, cast(int, asked.get("Limit", self.fits)))
        answer: Json = {"Items": rows[:limit]}
        if len(rows) >= limit:
            names = ["payment_id", "timestamp", *([_INDEXED[index]] if index else [])]
            answer["LastEvaluatedKey"] = {name: rows[limit - 1][name] for name in names}
        return answer

    def _transact(self, asked: Json) -> Json:
        puts = [cast(Json, entry["Put"]) for entry in cast(list[Json], asked["TransactItems"])]
        reasons = [{"Code": "None" if self._allows(put) else "ConditionalCheckFailed"} for put in puts]
        if any(reason["Code"] != "None" for reason in reasons):
            raise RefusedCall("TransactionCanceledException", more={"CancellationReasons": reasons})
        for put in puts:
            self._write(cast(Item, put["Item"]))
        return {}

    def _put_item(self, asked: Json) -> Json:
        self._check(asked, cast(Item, asked["Item"]))
        self._write(cast(Item, asked["Item"]))
        return {}

    def _check(self, asked: Json, key: Item) -> None:
        if not self._allows(asked):
            wanted = asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            more: Json | None = {"Item": self.table[_key(key)].item} if wanted else None
            raise RefusedCall("ConditionalCheckFailedException", more=more)

    def _update_item(self, asked: Json) -> Json:
        """`SET #a = :a, b = :b` or `ADD c :c`, a set, in as much of DynamoDB's language as is used here."""
        self._check(asked, cast(Item, asked["Key"]))
        names = cast(Mapping[str, str], asked.get("ExpressionAttributeNames", {}))
        values = cast(Item, asked["ExpressionAttributeValues"])
        key = cast(Item, asked["Key"])
        there = self.table.get(_key(key))
        changed = dict(key if there is None else there.item)
        expression = cast(str, asked["UpdateExpression"])
        _refuse_reserved(expression)
        for name, value in re.findall(r"(#?\w+) = (:\w+)", expression):
            changed[names.get(name, name)] = values[value]
        for name, value in re.findall(r"ADD (\w+) (:\w+)", expression):
            members = {*changed.get(name, {"SS": ""})["SS"], *values[value]["SS"]}
            changed[name] = cast(Mapping[str, str], {"SS": sorted(members)})
        self._write(changed)
        return {}

    def _get_item(self, asked: Json) -> Json:
        there = self.table.get(_key(cast(Item, asked["Key"])))
        return {} if there is None else {"Item": there.item}

    def _get_parameter(self, asked: Json) -> Json:
        value = self.flag if asked["Name"] == FLAG else self.sealing
        written = {"LastModifiedDate": self.flag_written_ms / 1000}
        return {"Parameter": {"Name": asked["Name"], "Type": "SecureString", "Value": value, **written}}

    def _put_parameter(self, asked: Json) -> Json:
        self.flag, self.flag_written_ms = str(asked["Value"]), self.now_ms
        return {"Version": 2}

    def _put_object(self, request: AWSPreparedRequest) -> AWSResponse:
        self.calls.append("PutObject")
        try:
            self.before("PutObject")
            self._store(request)
        except RefusedCall as refused:
            body = f"<Error><Code>{refused.code}</Code><Message>no</Message></Error>"
            return _answer(request, refused.status, body.encode())
        return _answer(request, 200, b"")

    def _store(self, request: AWSPreparedRequest) -> None:
        name = request.url.partition("?")[0].partition(".amazonaws.com/")[2]
        headers = {key.lower(): _as_text(value) for key, value in request.headers.items()}
        if headers.get("if-none-match") == "*" and name in self.objects:
            raise RefusedCall("PreconditionFailed", 412)
        sent = request.body
        self.metadata[name] = {
            key.removeprefix("x-amz-meta-"): value
            for key, value in headers.items()
            if key.startswith("x-amz-meta-")
        }
        self.objects[name] = sent if isinstance(sent, bytes) else cast(io.BytesIO, sent).read()
        self.puts.append(headers)

    def _allows(self, asked: Json) -> bool:
        """Whether a write's condition holds for the item that is there."""
        there = self.table.get(_key(cast(Item, asked.get("Item", asked.get("Key")))))
        condition = cast(str | None, asked.get("ConditionExpression"))
        return condition is None or _holds(condition, {} if there is None else there.item, asked)

    def _write(self, item: Item) -> None:
        write = WriteInProcess(_key(item), item, self.stamps.next())
        self._write_outputs(write)
        self.outbox.append(write)


_TERM = re.compile(
    r"attribute_(?P<test>not_exists|exists)\((?P<tested>#?\w+)\)"
    r"|contains\((?P<set>#?\w+), (?P<member>:\w+)\)"
    r"|(?P<compared>#?\w+) (?P<how>=|<) (?P<value>:\w+)"
)


# Those of DynamoDB's 573 that an attribute of this table is called by, or may come to be.
_RESERVED = re.compile(
    r"(?<![#:\w])(conflict|status|timestamp|region|by|at|source|key|date|method)(?!\w)", re.IGNORECASE
)


def _refuse_reserved(expression: str) -> None:
    if _RESERVED.search(expression):
        raise RefusedCall("ValidationException")


def _holds(condition: str, item: Item, asked: Json) -> bool:
    """Whether a condition expression holds, as far as the function uses them."""
    names = cast(Mapping[str, str], asked.get("ExpressionAttributeNames", {}))
    values = cast(Item, asked.get("ExpressionAttributeValues", {}))

    _refuse_reserved(condition)

    def truth(term: re.Match[str]) -> str:
        if term["test"]:
            there = names.get(term["tested"], term["tested"]) in item
            return str(there == (term["test"] == "exists"))
        if term["set"]:
            members = item.get(names.get(term["set"], term["set"]), {"SS": ""})["SS"]
            return str(values[term["member"]]["S"] in members)
        found = item.get(names.get(term["compared"], term["compared"]))
        wanted = values[term["value"]]
        if term["how"] == "=":
            return str(found == wanted)
        return str(found is not None and int(found["N"]) < int(wanted["N"]))

    logic = _TERM.sub(truth, condition).replace("AND", "and").replace("OR", "or").replace("NOT", "not")
    return bool(eval(logic, {"__builtins__": {}}))  # noqa: S307 - of True, False, and, or, not and brackets


class _Raw(io.BytesIO):
    """What botocore reads a response's body from."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def _answer(request: AWSPreparedRequest, status: int, body: bytes) -> AWSResponse:
    return AWSResponse(
        request.url, status, HTTPHeaders.from_dict({"content-length": str(len(body))}), _Raw(body)
    )


def _key(item: Item) -> Key:
    """Powertools' idempotency items have an `id` and no range."""
    if "id" in item:
        return item["id"]["S"], 0
    return item["payment_id"]["S"], int(item["timestamp"]["N"])


def _order(item: Item) -> tuple[int, bytes]:
    """By the timestamp. Of one timestamp DynamoDB has an order of its own, which it says nothing about."""
    return int(item["timestamp"]["N"]), hashlib.sha256(item["payment_id"]["S"].encode()).digest()


def _as_text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
