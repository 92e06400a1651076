"""How Lambda reads a table's stream in the name of a function's role, as on AWS."""

import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

from payinfra.local.server.ministack import Emulator
from payinfra.local.server.patches.kms_permissions import CustomerKeys
from payinfra.local.server.patches.lambda_execution_role import who
from payinfra.local.server.patches.permission_checks import PermissionCheck, Refusal, asks_the_role

Answer = tuple[int, dict[str, str], bytes]
Mapped = Mapping[str, Any]

READING = ("GetRecords", "GetShardIterator", "DescribeStream")
PROBLEM = "PROBLEM: Lambda cannot access the stream"
NOTHING_YET = "No records processed"
FOR_EVER = float("inf")


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    functions = emulator.service("lambda_svc")
    may_read = Readers(functions, CustomerKeys(emulator), asks_the_role(emulator))
    emulator.replace(functions, "_create_esm", may_read.before_it_is_mapped(functions._create_esm))
    emulator.replace(
        functions,
        "_poll_dynamodb_streams",
        may_read.while_it_is_read(functions._poll_dynamodb_streams, emulator),
    )
    emulator.replace(functions, "_execute_function", retried_if_reported(functions._execute_function))


def retried_if_reported(
    original: Callable[[Any, Any], dict[str, Any]],
) -> Callable[[Any, Any], dict[str, Any]]:
    """AWS: a function that reports batch item failures gets the records again from the first of them on
    (Lambda developer guide, "Configuring partial batch response with DynamoDB and Lambda"). Here it gets the
    whole batch."""

    def execute(function: Any, event: Any) -> dict[str, Any]:
        result = original(function, event)
        body = result.get("body")
        if not _is_of_a_table(event) or not isinstance(body, dict) or not body.get("batchItemFailures"):
            return result
        failed = {
            "errorType": "PartialBatchFailure",
            "errorMessage": "Some records are to be handed over again.",
        }
        return {**result, "error": True, "body": failed}

    return execute


def _is_of_a_table(event: Any) -> bool:
    records = event.get("Records") if isinstance(event, dict) else None
    return bool(records) and isinstance(records, list) and records[0].get("eventSource") == "aws:dynamodb"


class Readers:
    """Functions that a table's stream is mapped to.

    AWS: Lambda reads the stream as the function's role, which needs dynamodb:DescribeStream, GetRecords,
    GetShardIterator and ListStreams (Lambda developer guide, "Process DynamoDB records with Lambda"), and
    kms:Decrypt on the table's key, under which the stream lies too (DynamoDB developer guide, "DynamoDB
    encryption at rest usage notes").
    """

    def __init__(self, functions: Any, keys: CustomerKeys, refusal: Refusal) -> None:
        self.functions, self.keys, self.refusal = functions, keys, refusal

    def denied(self, stream: str, function: str, qualifier: str | None) -> str:
        """Why the stream may not be read for the function; nothing for what is no table's stream, or for no
        function."""
        record, _config = self.functions._get_func_record_for_qualifier(function, qualifier)
        if record is None or ":dynamodb:" not in stream:
            return ""
        return self.refusal(*who(record["config"]), self.asks(stream))

    def asks(self, stream: str) -> Iterator[PermissionCheck]:
        """What reading a stream takes. Streams are listed by table, not one by one."""
        _, _, _, region, account, _ = stream.split(":", 5)
        table, _, _label = stream.partition("/stream/")
        for action in READING:
            yield PermissionCheck(f"dynamodb:{action}", stream, region)
        yield PermissionCheck("dynamodb:ListStreams", f"{table}/stream/*", region)
        yield from self.keys.of_table(table.rpartition("/")[2], region, account)

    def before_it_is_mapped(self, original: Callable[[Mapped], Answer]) -> Callable[[Mapped], Answer]:
        """AWS: a mapping whose function may not read the stream is refused."""

        def create(wanted: Mapped) -> Answer:
            stream = str(wanted.get("EventSourceArn", ""))
            named = self.functions._resolve_request_scoped_name_and_qualifier(wanted.get("FunctionName", ""))
            if self.denied(stream, *named):
                refused: Answer = self.functions._invalid_parameter_value(
                    f"Cannot access stream {stream}. Please ensure the role can perform the GetRecords, "
                    "GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM."
                )
                return refused
            told = str(wanted.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", ""))
            if self.may_not_tell(told, *named):
                refusal: Answer = self.functions._invalid_parameter_value(
                    "The provided execution role does not have permissions to call Publish on SNS"
                )
                return refusal
            return original(wanted)

        return create

    def may_not_tell(self, topic: str, function: str, qualifier: str | None) -> str:
        """Why Lambda may not publish what it gives up, as the function's role; nothing where it may, or where
        no topic is told."""
        record, _config = self.functions._get_func_record_for_qualifier(function, qualifier)
        if record is None or ":sns:" not in topic:
            return ""
        region = topic.split(":")[3]
        return self.refusal(*who(record["config"]), iter([PermissionCheck("sns:Publish", topic, region)]))

    def while_it_is_read(self, original: Callable[[], bool], emulator: Emulator) -> Callable[[], bool]:
        """AWS: nothing more is read once the role may not, and the mapping's last result says that there is a
        problem. The words after the colon are payinfra's."""

        def poll() -> bool:
            waits = self.functions._esm_backoff_until
            for account, region, mapping in self.functions._iter_all_esms():
                if not mapping.get("Enabled", True):
                    continue
                with emulator.scope(account, region):
                    self.look_at(mapping, waits)
            return original()

        return poll

    def look_at(self, mapping: dict[str, Any], waits: MutableMapping[str, float]) -> None:
        """Let a mapping wait while its stream may not be read."""
        stream = str(mapping.get("EventSourceArn", ""))
        if self.denied(stream, mapping["FunctionName"], mapping.get("Qualifier")):
            waits[mapping["UUID"]] = FOR_EVER
            mapping["LastProcessingResult"] = PROBLEM
        elif mapping.get("LastProcessingResult") == PROBLEM:
            waits.pop(mapping["UUID"], None)
            mapping["LastProcessingResult"] = NOTHING_YET


def read_side_by_side(emulator: Emulator) -> None:
    """AWS: each mapping is read by itself, whatever becomes of another one's function (Lambda developer
    guide, "Process DynamoDB records with Lambda", "Polling and batching streams").

    ministack reads all of them in one thread, and waits for each function in turn: while the one of a region
    that is dark waits for its services, nobody reads the other region's stream.
    """
    functions = emulator.service("lambda_svc")
    readers = SeparateReaders(
        functions._iter_all_esms, functions._poll_dynamodb_streams, emulator.core("concurrency").esm_wake.set
    )
    emulator.replace(functions, "_iter_all_esms", readers.mappings)
    emulator.replace(functions, "_poll_dynamodb_streams", readers.read)


MappedPlace = tuple[str, str, dict[str, Any]]
"""The account and the region of a mapping, and the mapping."""


class SeparateReaders:
    """Reads the stream of each mapping in a thread of its own, one batch at a time.

    Args:
        every: all mappings.
        read_each: reads one batch of each, and says whether there was any.
        wake: lets them be read again at once.
    """

    def __init__(
        self,
        every: Callable[[], Iterator[MappedPlace]],
        read_each: Callable[[], bool],
        wake: Callable[[], None],
    ) -> None:
        self.every, self.read_each, self.wake = every, read_each, wake
        self._only: ContextVar[MappedPlace | None] = ContextVar("payinfra_only_mapping", default=None)
        self._in_work: set[str] = set()
        self._asked_again: set[str] = set()
        self._lock = threading.Lock()

    def mappings(self) -> Iterator[MappedPlace]:
        """All mappings; in a thread that reads for one of them, that one."""
        only = self._only.get()
        return self.every() if only is None else iter((only,))

    def read(self) -> bool:
        """Begin to read for each mapping that nobody reads for; there is nothing to wait for."""
        for one in self.every():
            name = str(one[2]["UUID"])
            if ":dynamodb:" not in str(one[2].get("EventSourceArn", "")):
                continue
            with self._lock:
                if name in self._in_work:
                    self._asked_again.add(name)
                    continue
                self._in_work.add(name)
            threading.Thread(target=self._read_for, args=(one,), name="stream-reader", daemon=True).start()
        return False

    def _read_for(self, one: MappedPlace) -> None:
        self._only.set(one)
        name, found = str(one[2]["UUID"]), False
        try:
            found = self.read_each()
        except Exception:  # noqa: BLE001 - whatever it is, the stream is read again
            traceback.print_exc()
        with self._lock:
            # A record may have come after this one had looked.
            found |= name in self._asked_again
            self._asked_again.discard(name)
            self._in_work.discard(name)
        if found:
            self.wake()
