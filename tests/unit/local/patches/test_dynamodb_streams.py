"""What reads a stream begins anew with it."""

import threading
from types import SimpleNamespace

import pytest

from payinfra.local.server.patches.streams import readers_begin_with_the_stream

MINE = "arn:aws:dynamodb:us-east-1:000000000000:table/payments/stream/2026"
OTHERS = "arn:aws:dynamodb:us-east-1:000000000000:table/others/stream/2026"


@pytest.mark.parametrize(
    ("positions", "after"),
    [
        ({"reader": 40}, {"reader": 5}),
        ({"reader": 12}, {"reader": 12}),
        ({"reader": 7}, {"reader": 7}),
        ({}, {}),
        ({"reader": 12, "other": 40}, {"reader": 12, "other": 40}),
    ],
)
def test_a_reader_beyond_the_end_is_one_of_a_stream_that_is_gone(
    positions: dict[str, int], after: dict[str, int]
) -> None:
    functions = SimpleNamespace(
        _dynamodb_stream_positions_lock=threading.Lock(),
        _dynamodb_stream_positions=dict(positions),
        _esms={
            "reader": {"UUID": "reader", "EventSourceArn": MINE},
            "other": {"UUID": "other", "EventSourceArn": OTHERS},
            "queue": {"UUID": "queue"},
        },
    )
    position = readers_begin_with_the_stream(lambda _table: 5, lambda _table: 12, functions)
    with functions._dynamodb_stream_positions_lock:  # as whoever makes a mapping holds it
        assert position("payments") == 5
    assert functions._dynamodb_stream_positions == after
