"""Global tables of the embedded AWS: ministack's tables, with `replication` between their regions."""

from collections.abc import Callable, Mapping
from typing import Protocol

from payinfra.local.server.ministack import Emulator, Untyped
from payinfra.local.server.replication import Item, ItemKey, Write


class Wrote(Protocol):
    """`Replicator.wrote`."""

    def __call__(self, key: ItemKey, origin: str, targets: list[str], item: Item | None) -> None: ...


Table = Mapping[str, object]


def replicate_through(emulator: Emulator, wrote: Wrote) -> None:
    """AWS: a write to a global table reaches the other regions after it was answered, not with it.

    ministack copies each write to all replicas before it answers; from now on it reports them instead.
    """
    dynamodb = emulator.service("dynamodb")
    responses = emulator.core("responses")

    def replicate(table: Table, _event: str, old_item: Item | None, new_item: Item | None) -> None:
        home: str = responses.get_region()
        targets = [region for region in dynamodb._replica_group(table) if region != home]
        item = new_item if new_item is not None else old_item
        if targets and item is not None:
            key = ItemKey(
                responses.get_account_id(), str(table["TableName"]), *_key_of(dynamodb, table, item)
            )
            wrote(key, home, targets, new_item)

    emulator.replace(dynamodb, "_replicate_write", replicate)


def key_schema(table: Mapping[str, Untyped], index: str) -> Untyped:
    """The key of an index, as `DescribeTable` has it; the table's own where it has no such index."""
    indexes = (
        *(table.get("GlobalSecondaryIndexes") or ()),
        *(table.get("LocalSecondaryIndexes") or ()),
    )
    found = (one["KeySchema"] for one in indexes if one["IndexName"] == index)
    return next(found, table.get("KeySchema") or ())


def _key_of(dynamodb: Untyped, table: Table, item: Item) -> tuple[str, str]:
    """An item's key as ministack files it."""
    sort_name = table["sk_name"]
    sort = dynamodb._extract_key_val(item.get(str(sort_name))) if sort_name else "__no_sort__"
    return dynamodb._extract_key_val(item.get(str(table["pk_name"]))), sort


def applier(emulator: Emulator) -> Callable[[Write], None]:
    """What applies a write that has arrived to the replica in its target region."""
    dynamodb = emulator.service("dynamodb")

    def apply(write: Write) -> None:
        key = write.key
        with emulator.scope(key.account, write.target):
            table = dynamodb._tables.get(key.table)
            if table is None:
                return
            before = table["items"].get(key.partition, {}).get(key.sort)
            after = None if write.item is None else dict(write.item)
            if after is None:
                dynamodb._remove_item(table, key.partition, key.sort)
            else:
                dynamodb._set_item(table, key.partition, key.sort, after)
            if before is None and after is None:
                return
            event = "REMOVE" if after is None else "MODIFY" if before else "INSERT"
            dynamodb._emit_stream_event(key.table, event, before, after, replicate=False)

    return apply


def expire_items(emulator: Emulator, now: float) -> int:
    """AWS: an item whose time to live is over is deleted in one region, and that delete replicates.

    ministack's own reaper, which does neither, is kept from it (see `patches.dynamodb`).

    Args:
        now: seconds since the epoch.

    Returns:
        how many items were deleted.
    """
    dynamodb = emulator.service("dynamodb")
    gone = 0
    for (account, region, name), setting in list(dynamodb._ttl_settings.all_items()):
        table = dynamodb._tables.get_scoped(account, region, name)
        if table is None or setting.get("TimeToLiveStatus") != "ENABLED":
            continue
        with emulator.scope(account, region):
            for partition, items in list(table["items"].items()):
                for sort, item in list(items.items()):
                    if _expired(item.get(setting["AttributeName"]), now):
                        dynamodb._remove_item(table, partition, sort)
                        dynamodb._emit_stream_event(name, "REMOVE", item, None)
                        gone += 1
    return gone


def _expired(attribute: object, now: float) -> bool:
    """Only a number counts, and one older than five years is taken for something else, as AWS does."""
    match attribute:
        case {"N": str(text)}:
            return now - 5 * 365 * 86400 < float(text) <= now
        case _:
            return False
