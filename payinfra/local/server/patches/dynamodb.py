"""Global tables, as AWS describes them."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from payinfra.local.server.ministack import Emulator

RECOVERY_DAYS = 35
"""What AWS keeps for point-in-time recovery where nothing else was asked for."""

PROTECTED = (
    "Resource cannot be deleted as it is currently protected against deletion. "
    "Disable deletion protection first."
)

REAPER = "dynamodb-ttl-reaper"
"""ministack's thread that deletes, once a minute and on its own account, items whose time to live is over."""

Answer = tuple[int, dict[str, str], bytes]


def install(emulator: Emulator) -> None:
    """Apply the patches that reach into the service."""
    dynamodb = emulator.service("dynamodb")
    account = emulator.core("responses").get_account_id
    emulator.replace(
        dynamodb, "_create_replica", replica_has_its_own_key(dynamodb, dynamodb._create_replica, account)
    )
    emulator.replace(
        dynamodb, "_table_description", describe_replicas(dynamodb, dynamodb._table_description, account)
    )
    emulator.replace(
        dynamodb,
        "_apply_replica_updates",
        update_replica_key(dynamodb, dynamodb._apply_replica_updates, account),
    )
    emulator.replace(dynamodb, "_remove_item", not_by_the_reaper(dynamodb._remove_item))


def not_by_the_reaper(original: Callable[..., Any]) -> Callable[..., Any]:
    """AWS: an expired item is deleted in one region, which leaves a record in the stream and replicates.

    `global_tables.expire_items` does that. ministack's reaper deletes in each region by itself, without a
    record, whatever became of the item since it looked, and whatever else changes the table. The thread runs
    from the moment on that ministack is loaded, and cannot be stopped: it finds nothing that it may delete.
    """

    def remove(table: Any, partition: str, sort: str) -> Any:
        return None if threading.current_thread().name == REAPER else original(table, partition, sort)

    return remove


def replica_has_its_own_key(
    dynamodb: Any, original: Callable[[str, Any, str], None], account: Callable[[], str]
) -> Callable[[str, Any, str], None]:
    """AWS: a replica is encrypted with a key of its own region, not with the first region's."""

    def create(name: str, table: Any, region: str) -> None:
        original(name, table, region)
        replica = dynamodb._tables.get_scoped(account(), region, name)
        if replica.get("SSEDescription"):
            own = f"arn:aws:kms:{region}:{account()}:alias/aws/dynamodb"
            replica["SSEDescription"] = {**replica["SSEDescription"], "KMSMasterKeyArn": own}

    return create


def update_replica_key(
    dynamodb: Any, original: Callable[[str, Any, Any], Any], account: Callable[[], str]
) -> Callable[[str, Any, Any], Any]:
    """AWS: a replica takes the key and the table class that were asked for, when made and later. One that is
    protected against deletion does not go: the protection is each replica's own (DynamoDB developer guide,
    "Using deletion protection")."""

    def update(name: str, table: Any, updates: list[Mapping[str, Any]]) -> Any:
        for change in updates:
            leaving = (change.get("Delete") or {}).get("RegionName", "")
            replica = dynamodb._tables.get_scoped(account(), leaving, name) or {}
            if replica.get("DeletionProtectionEnabled"):
                return dynamodb.error_response_json("ValidationException", PROTECTED, 400)
        refused = original(name, table, updates)
        if refused:
            return refused
        for change in updates:
            for action in ("Create", "Update"):
                wanted = change.get(action) or {}
                replica = dynamodb._tables.get_scoped(account(), wanted.get("RegionName", ""), name)
                if replica is not None and wanted.get("KMSMasterKeyId"):
                    replica["SSEDescription"] = {
                        "Status": "ENABLED",
                        "SSEType": "KMS",
                        "KMSMasterKeyArn": wanted["KMSMasterKeyId"],
                    }
        return None

    return update


def describe_replicas(
    dynamodb: Any, original: Callable[[str], dict[str, Any]], account: Callable[[], str]
) -> Callable[[str], dict[str, Any]]:
    """AWS: describes each replica with its key."""

    def describe(name: str) -> dict[str, Any]:
        shown = original(name)
        for replica in shown.get("Replicas", []):
            table = dynamodb._tables.get_scoped(account(), replica["RegionName"], name) or {}
            key = (table.get("SSEDescription") or {}).get("KMSMasterKeyArn")
            if key:
                replica["KMSMasterKeyId"] = key
        return shown

    return describe
