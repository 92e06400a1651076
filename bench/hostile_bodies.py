"""Bodies that were made to cost much: the largest that are taken, with what is slow to read in them."""

import json

from handlers.payments.request import MAX_BODY_BYTES

BODY = {
    "amount": 1250,
    "currency": "EUR",
    "customer_id": "customer-7",
    "payment_method": "card",
    "timestamp": 1_800_000_000_000,
}


def filled(**more: object) -> str:
    """A payment's body with more members, or others."""
    return json.dumps({**BODY, **more})


def many(count: int, value: object) -> dict[str, object]:
    """Members with short names."""
    return {f"n{number}": value for number in range(count)}


BODIES = {
    "many metadata": filled(metadata=many(4500, "v")),
    "many bad metadata": filled(metadata=many(4500, 1)),
    "many unknown members": json.dumps({**BODY, **many(4500, 1)}),
    "many nested unknown members": json.dumps(many(2800, many(1, []))),
    "long names": filled(metadata={"n" * 3000 + str(number): "" for number in range(20)}),
    "long values": filled(metadata=many(20, "4 " * 1500)),
    "single digits": filled(metadata=many(20, "4 " * 250)),
    "pairs of digits": filled(metadata=many(20, "44 " * 166)),
    "fours of digits": filled(metadata=many(20, "4444 " * 100)),
    "one number": filled(metadata=many(20, "4" * 500)),
    "like ibans": filled(metadata=many(20, "de12 " * 100)),
    "separators": filled(metadata=many(20, "4" + " " * 498)),
    "numerals of all kinds": filled(metadata=many(20, "\u0664\u00b9\u2460\uff14\u200b" * 100)),
    "ligatures that grow": filled(metadata=many(20, "\ufdfa" * 500)),
    "deep array": "[" * MAX_BODY_BYTES,
    "deep object": '{"a":' * (MAX_BODY_BYTES // 5),
    "deep in a member": filled()[:-1] + ', "description": ' + "[" * 60_000,
    "long digits": '{"amount": ' + "9" * 60_000 + "}",
    "long fraction": '{"amount": 1.' + "0" * 60_000 + "1}",
    "huge exponent": '{"amount": 1e999999999}',
    "exponent out of range": '{"amount": 1e99999999999999999999}',
    "tiny exponent": '{"amount": 1e-999999999}',
    "exponents": filled(metadata={str(n): 1 for n in range(5000)}).replace(": 1,", ": 1e400,"),
    "escapes": filled(description="\ud800" * 8000),
    "larger than is taken": " " * 6_000_000,
}
