"""What DynamoDB refuses (DynamoDB API reference, and the developer guide's pages that are named)."""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from payinfra.local.server.global_tables import key_schema
from payinfra.local.server.validation.calls import (
    AwsRefusal,
    Rules,
    ServiceCall,
    for_each,
    joined,
    key_state,
    refuse_if,
)
from payinfra.local.server.validation.models import ITEMS
from payinfra.local.server.validation.tags import tags_are_possible

INVALID = "ValidationException"
GLOBAL_INDEXES_MOST, LOCAL_INDEXES_MOST = 20, 5
OF_AWS = "alias/aws/"
SOURCE = "_source_of_replicas"
"""In a table's record: from which region a replica was added, and when."""
A_DAY_S = 24 * 3600
EXPRESSIONS = (
    *("ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", "FilterExpression"),
    *("KeyConditionExpression", "ProjectionExpression", "UpdateExpression"),
)
LEGACY = (
    *("AttributesToGet", "AttributeUpdates", "ConditionalOperator", "Expected", "KeyConditions"),
    *("QueryFilter", "ScanFilter"),
)
WORDS = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})
_SECTION = re.compile(r"(?:^|(?<=\s))(SET|REMOVE|ADD|DELETE)(?=\s)", re.IGNORECASE)
_OPERAND = re.compile(r"(?<![:\w#.\]])([#A-Za-z_][\w#.\[\]]*)(\s*\()?")


def _table(call: ServiceCall, name: str = "TableName") -> Any:
    return call.module("dynamodb")._tables.get(call.text(name).rpartition("/")[2]) or {}


def _tables_of(call: ServiceCall) -> Iterator[Any]:
    named = [call.text("TableName"), *call.inner("RequestItems")]
    for item in call.entries("TransactItems"):
        named += [str(step.get("TableName")) for step in item.values() if isinstance(step, dict)]
    tables = call.module("dynamodb")._tables
    return (tables.get(one.rpartition("/")[2]) or {} for one in named if one)


def key_is_usable(call: ServiceCall, key: str, region: str) -> None:
    """AWS: a table's own key is a symmetric one of the table's region, and enabled (developer guide,
    "DynamoDB encryption at rest usage notes")."""
    if not key or OF_AWS in key:
        return
    with call.emulator.scope(call.account, region):
        found = call.module("kms")._resolve_key(key)
    said = f"KMS validation error: {key} is no enabled symmetric key in {region}."
    fits = found and found["KeyState"] == "Enabled" and found.get("KeySpec") == "SYMMETRIC_DEFAULT"
    refuse_if(not fits, INVALID, said)


def chosen_keys_are_usable(call: ServiceCall) -> None:
    """AWS: so is the key of each replica, in its own region."""
    key_is_usable(call, str(call.inner("SSESpecification").get("KMSMasterKeyId") or ""), call.region)
    for change in call.entries("ReplicaUpdates"):
        for wanted in change.values():
            region = str(wanted.get("RegionName", call.region))
            key_is_usable(call, str(wanted.get("KMSMasterKeyId") or ""), region)


def items_need_the_key(call: ServiceCall) -> None:
    """AWS: items under a key that is disabled or to be deleted are out of reach (developer guide, "DynamoDB
    encryption at rest usage notes"). The page names no error code; this one is assumed."""
    for table in _tables_of(call):
        key = str((table.get("SSEDescription") or {}).get("KMSMasterKeyArn") or "")
        state = key_state(call, key) if key and OF_AWS not in key else "Enabled"
        refuse_if(state in ("Disabled", "PendingDeletion"), INVALID, f"KMS key {key} is {state}.")


def indexes_are_possible(call: ServiceCall) -> None:
    """AWS: at most 20 global and 5 local secondary indexes, and attributes are named for INCLUDE alone
    (developer guide, "Quotas in Amazon DynamoDB"; API reference, Projection)."""
    for name, most in (
        ("GlobalSecondaryIndexes", GLOBAL_INDEXES_MOST),
        ("LocalSecondaryIndexes", LOCAL_INDEXES_MOST),
    ):
        indexes = call.entries(name)
        refuse_if(call.parameters.get(name) == [], INVALID, f"List of {name} is empty")
        refuse_if(len(indexes) > most, INVALID, f"{name} count exceeds the per-table limit of {most}")
        for index in indexes:
            projection = index["Projection"]
            refuse_if(
                "NonKeyAttributes" in projection and projection.get("ProjectionType") != "INCLUDE",
                INVALID,
                f"ProjectionType is {projection.get('ProjectionType')}, but NonKeyAttributes is specified",
            )


def one_index_at_a_time(call: ServiceCall) -> None:
    """AWS: one global secondary index is made or deleted per UpdateTable (API reference, UpdateTable)."""
    changes = [one for one in call.entries("GlobalSecondaryIndexUpdates") if "Update" not in one]
    refuse_if(
        len(changes) > 1,
        "LimitExceededException",
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    )


def stream_is_possible(call: ServiceCall) -> None:
    """AWS: a stream has a view type, is not turned on twice nor off where there is none, and stays on, with
    both images, where there are replicas (API reference, StreamSpecification and UpdateTable; developer
    guide, "How DynamoDB global tables work")."""
    wanted = call.inner("StreamSpecification")
    table = _table(call) if call.operation == "UpdateTable" else {}
    known = table.get("StreamSpecification") or {}
    replicas = len(call.module("dynamodb")._replica_group(table)) > 1 if table else False
    name = call.text("TableName")
    if wanted.get("StreamEnabled") is True:
        refuse_if("StreamViewType" not in wanted, INVALID, "StreamViewType must be specified.")
        refuse_if(
            bool(known.get("StreamEnabled")),
            INVALID,
            f"Table already has an enabled stream: TableName: {name}",
        )
    elif wanted and table:
        refuse_if(not known.get("StreamEnabled"), INVALID, f"Table has no stream: TableName: {name}")
        refuse_if(replicas, INVALID, f"The stream of a global table cannot be turned off: TableName: {name}")
    adds = any("Create" in one for one in call.entries("ReplicaUpdates"))
    view = known.get("StreamViewType", "NEW_AND_OLD_IMAGES")
    refuse_if(
        adds and view != "NEW_AND_OLD_IMAGES", INVALID, "A global table's stream has new and old images."
    )


def note_the_source_of_replicas(call: ServiceCall) -> None:
    """Note when a table's region became the source of a replica."""
    if any("Create" in one for one in call.entries("ReplicaUpdates")):
        _table(call).setdefault(SOURCE, {})[call.region] = time.time()


def source_of_replicas_stays(call: ServiceCall) -> None:
    """AWS: a table from which a replica was added within 24 hours is not deleted while it has replicas. The
    documentation does not have it; the words are those that users saw (github.com/go-to-k/cdkd, issue
    1442)."""
    table = _table(call)
    since = float((table.get(SOURCE) or {}).get(call.region) or 0)
    replicas = bool(table) and len(call.module("dynamodb")._replica_group(table)) > 1
    refuse_if(
        replicas and time.time() - since < A_DAY_S,
        INVALID,
        "Replica cannot be deleted because it has acted as a source region for new replica(s) being added to "
        "the table in the last 24 hours.",
    )


def time_to_live_changes(call: ServiceCall) -> None:
    """AWS: time to live is not turned on or off twice, nor moved while it is on (API reference,
    UpdateTimeToLive)."""
    wanted = call.inner("TimeToLiveSpecification")
    known = call.module("dynamodb")._ttl_settings.get(call.text("TableName").rpartition("/")[2]) or {}
    on = known.get("TimeToLiveStatus") == "ENABLED"
    attribute = known.get("AttributeName")
    refuse_if(wanted.get("Enabled") is False and not on, INVALID, "TimeToLive is already disabled")
    refuse_if(
        on and wanted.get("AttributeName") != attribute,
        INVALID,
        f"TimeToLive is active on a different AttributeName: current AttributeName is {attribute}",
    )
    refuse_if(wanted.get("Enabled") is True and on, INVALID, "TimeToLive is already enabled")


def recovery_is_on(call: ServiceCall) -> None:
    """AWS: only a table with point-in-time recovery is restored to a point in time (API reference,
    RestoreTableToPointInTime)."""
    name = call.text("SourceTableName") or call.text("SourceTableArn").rpartition("/")[2]
    dynamodb = call.module("dynamodb")
    refuse_if(
        name in dynamodb._tables and not dynamodb._pitr_settings.get(name),
        "PointInTimeRecoveryUnavailableException",
        f"Point in time recovery is not enabled for table '{name}'",
    )


def one_step_an_item(call: ServiceCall) -> None:
    """AWS: each item of a transaction is one step (API reference, TransactWriteItem)."""
    refuse_if(
        any(len(item) != 1 for item in call.entries("TransactItems")),
        INVALID,
        "TransactItems can only contain one of Check, Put, Update or Delete",
    )


def expressions_are_possible(call: ServiceCall) -> None:
    """AWS: expressions stand alone, each section of an update comes once and no path twice, and a key
    condition is made of equality and one comparison (developer guide, "Update expressions" and "Key
    condition expressions for the Query operation")."""
    mixed = any(name in call.parameters for name in LEGACY) and any(
        name in call.parameters for name in EXPRESSIONS
    )
    refuse_if(mixed, INVALID, "Can not use both expression and non-expression parameters in the same request")
    steps = [step for item in call.entries("TransactItems") for step in item.values()]
    for one in (call.parameters, *steps):
        if isinstance(one, dict) and isinstance(one.get("UpdateExpression"), str):
            _update_is_possible(one["UpdateExpression"], one.get("ExpressionAttributeNames") or {})
    condition = call.text("KeyConditionExpression")
    wrong = re.search(
        r"(?i)<>|\b(OR|NOT|IN|contains|attribute_exists|attribute_not_exists|size)\b", condition
    )
    # The names of attributes are words too.
    names = call.inner("ExpressionAttributeNames")
    if wrong and not any(wrong[0] in str(one) for one in names):
        raise AwsRefusal(INVALID, f"Invalid operator used in KeyConditionExpression: {wrong[0]}")


def _update_is_possible(expression: str, names: Mapping[str, str]) -> None:
    sections = _SECTION.split(expression)[1:]
    kinds = [one.upper() for one in sections[::2]]
    twice = next((one for one in kinds if kinds.count(one) > 1), "")
    refuse_if(
        bool(twice),
        INVALID,
        f'Invalid UpdateExpression: The "{twice}" section can only be used once in an update expression;',
    )
    paths = [
        path for kind, text in zip(kinds, sections[1::2], strict=True) for path in _paths(kind, text, names)
    ]
    for number, path in enumerate(paths):
        for other in paths[number + 1 :]:
            shorter = min(len(path), len(other))
            refuse_if(
                path[:shorter] == other[:shorter],
                INVALID,
                "Invalid UpdateExpression: Two document paths overlap with each other; must remove or "
                f"rewrite one of these paths; path one: [{', '.join(path)}], path two: [{', '.join(other)}]",
            )


def _paths(kind: str, text: str, names: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    depth, start = 0, 0
    parts = []
    for at, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
    for part in (*parts, text[start:]):
        path = part.partition("=")[0].strip() if kind == "SET" else part.split()[0] if part.split() else ""
        yield tuple(names.get(one, one) for one in re.split(r"\.|(?=\[)", path) if one)


def filter_leaves_keys_alone(call: ServiceCall) -> None:
    """AWS: a query's filter names no attribute of the key (developer guide, "Filter expressions for the Query
    operation")."""
    keys = {one["AttributeName"] for one in key_schema(_table(call), call.text("IndexName"))}
    names = call.inner("ExpressionAttributeNames")
    for found in _OPERAND.finditer(call.text("FilterExpression")):
        head = re.split(r"[.\[]", found[1])[0]
        attribute = str(names.get(head, head))
        refuse_if(
            not found[2] and head.upper() not in WORDS and attribute in keys,
            INVALID,
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: "
            + attribute,
        )


def index_has_what_is_asked(call: ServiceCall) -> None:
    """AWS: ALL_ATTRIBUTES is asked of an index that projects all (API reference, Query, Select)."""
    index = call.text("IndexName")
    for one in _table(call).get("GlobalSecondaryIndexes") or ():
        kind = (one.get("Projection") or {}).get("ProjectionType")
        refuse_if(
            one["IndexName"] == index and kind != "ALL" and call.text("Select") == "ALL_ATTRIBUTES",
            INVALID,
            f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index} because its "
            "projection type is not ALL",
        )


TAGS = tags_are_possible("Tags", INVALID)
RULES: Rules = joined(
    for_each(sorted(ITEMS), items_need_the_key),
    for_each(("CreateTable", "TagResource"), TAGS),
    for_each(("CreateTable", "UpdateTable"), stream_is_possible),
    for_each(("CreateTable", "UpdateTable"), chosen_keys_are_usable),
    for_each(
        ("PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "Scan", "TransactWriteItems"),
        expressions_are_possible,
    ),
    for_each(("Query", "Scan"), index_has_what_is_asked),
    {
        "CreateTable": (indexes_are_possible,),
        "DeleteTable": (source_of_replicas_stays,),
        "Query": (filter_leaves_keys_alone,),
        "RestoreTableToPointInTime": (recovery_is_on,),
        "TransactWriteItems": (one_step_an_item,),
        "UpdateTable": (one_index_at_a_time, note_the_source_of_replicas),
        "UpdateTimeToLive": (time_to_live_changes,),
    },
)
