"""What a payment of the backend looks like to who tests it: body, headers, id, and what answers mean.

`[canary]` of payinfra.toml says so for a function of one's own; the shipped payments API is `PAYMENTS`. Smoke
test, probes, drill load and reconciliation make and judge their payments by it.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from payinfra.core.errors import UsageProblem, did_you_mean
from payinfra.core.json_text import parse_json

AMOUNT = 1
"""Of every payment that payinfra makes, in the currency's minor unit."""
PLACEHOLDERS = ("amount", "customer", "env", "hash", "key", "metadata", "time", "time_iso")
WHOLE = ("amount", "metadata", "time")
"""Those whose value is no text: they stand alone in theirs."""
_PLACEHOLDER = re.compile(r"\{([a-z_]*)\}")
_STATUSES = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")
RETRIED = (408, 425, 429)
"""Answers to send the same request again after, whatever else is refused (RFC 9110, RFC 6585, RFC 8470)."""

_BODY = (
    '{"amount": "{amount}", "currency": "USD", "customer_id": "{customer}", "payment_method": "wallet", '
    '"timestamp": "{time}", "metadata": "{metadata}"}'
)


@dataclass(frozen=True)
class CanaryContract:
    """What a payment looks like, and what the answers to it mean.

    Attributes:
        body: the JSON object that is posted, as text, with placeholders: `{amount}` (a number of minor
            units), `{time}` (milliseconds since 1970), `{time_iso}`, `{customer}` (by whom payinfra finds its
            payments again), `{key}` (the same for every attempt at one payment), `{env}`, `{metadata}` (an
            object).
        headers: besides the API key's; `{key}` in a value is the key of the payment.
        payment_id: the id under which the table holds it, with `{key}`, or `{hash}`: the first 40 digits of
            the SHA-256 of `payment`, a null byte and the key.
        id_field: what the id is called in an answer.
        accepted, replayed: the statuses of a payment that is recorded just now, and by an earlier request.
        refused: the statuses after which nobody sends it again, such as `422` or `400-499`.
    """

    body: str = _BODY
    headers: Mapping[str, str] = field(default_factory=lambda: {"Idempotency-Key": "{key}"})
    payment_id: str = "pay_{hash}"
    id_field: str = "payment_id"
    accepted: tuple[str, ...] = ("201",)
    replayed: tuple[str, ...] = ("200",)
    refused: tuple[str, ...] = ("400-499",)

    def check(self) -> None:
        """Refuse what cannot be filled in, or would leave payments that nobody finds again.

        Raises:
            ValueError: something of it is not possible; the message says what.
        """
        try:
            template = parse_json(self.body)
        except ValueError as error:
            raise ValueError(f"body is not JSON: {error}") from None
        if not isinstance(template, dict):
            raise ValueError("body must be a JSON object")  # noqa: TRY004 - callers report ValueError as a setting
        for name, text in (("body", self.body), ("payment_id", self.payment_id), *self.headers.items()):
            for found in _PLACEHOLDER.findall(text) if name != "body" else _placeholders(template):
                if found not in PLACEHOLDERS:
                    near = did_you_mean(found, PLACEHOLDERS)
                    raise ValueError(
                        f"{name} has the placeholder {{{found}}}{near}; known are {', '.join(PLACEHOLDERS)}"
                    )
        missing = [name for name in ("customer", "time") if name not in _placeholders(template)]
        if missing:
            raise ValueError(
                f"body has no {{{missing[0]}}}: by it, payinfra finds its payments again and removes them"
            )
        if "{key}" not in self.payment_id and "{hash}" not in self.payment_id:
            raise ValueError("payment_id needs {key} or {hash}: each payment has an id of its own")
        for name in ("accepted", "replayed", "refused"):
            for text in getattr(self, name):
                if not _STATUSES.fullmatch(text):
                    raise ValueError(f"{name} has {text!r}; use statuses such as 201 or 400-499")
        if not self.accepted:
            raise ValueError("accepted names no status: no payment would count as recorded")

    @property
    def is_own(self) -> bool:
        """Whether it is not that of the shipped payments API."""
        return self != PAYMENTS

    @property
    def marks(self) -> tuple[str, ...]:
        """The fields of a body that are filled in with more than an amount: payments are found by them."""
        template = parse_json(self.body)
        return tuple(name for name, value in template.items() if set(_placeholders(value)) - {"amount"})

    @property
    def placeholders(self) -> frozenset[str]:
        """What is filled in in the body, by the names of `PLACEHOLDERS`."""
        return frozenset(_placeholders(parse_json(self.body)))

    def body_of(
        self,
        *,
        key: str,
        customer: str,
        timestamp_ms: int,
        env: str,
        metadata: Mapping[str, str],
        amount: int = AMOUNT,
    ) -> dict[str, object]:
        """The body of one payment.

        Args:
            key: the same for every attempt at it.
            customer: by whom it is found again.
            timestamp_ms: when it was made, in milliseconds since 1970.
            env: the environment's name.
            metadata: what tells it from others.
            amount: in the currency's minor unit.
        """
        values: dict[str, object] = {
            "amount": amount,
            "customer": customer,
            "env": env,
            "hash": hash_of(key),
            "key": key,
            "metadata": dict(metadata),
            "time": timestamp_ms,
            "time_iso": datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        }
        filled = _filled(parse_json(self.body), values)
        return filled if isinstance(filled, dict) else {}

    def headers_of(self, key: str) -> dict[str, str]:
        """The headers of one payment, without the API key's."""
        return {name: self._text(value, key) for name, value in self.headers.items()}

    def id_of(self, key: str) -> str:
        """The id that the table has for the payment with this key."""
        return self._text(self.payment_id, key)

    def is_recorded(self, status: int) -> bool:
        """Whether an answer says that the payment is recorded."""
        return is_among(status, self.accepted) or is_among(status, self.replayed)

    def is_accepted(self, status: int) -> bool:
        """Whether an answer says that the payment was recorded just now."""
        return is_among(status, self.accepted)

    def is_replayed(self, status: int) -> bool:
        """Whether an answer says that an earlier request had recorded it."""
        return is_among(status, self.replayed)

    def is_refused(self, status: int) -> bool:
        """Whether an answer says that sending it again is of no use."""
        return status not in RETRIED and is_among(status, self.refused) and not self.is_recorded(status)

    @staticmethod
    def _text(template: str, key: str) -> str:
        return template.replace("{key}", key).replace("{hash}", hash_of(key))


def hash_of(key: str) -> str:
    """What `{hash}` stands for."""
    return hashlib.sha256(b"payment\x00" + key.encode()).hexdigest()[:40]


PAYMENTS = CanaryContract()
"""That of the payments API which payinfra comes with; docs/openapi.json describes it."""


def _placeholders(template: object) -> set[str]:
    match template:
        case str():
            return set(_PLACEHOLDER.findall(template))
        case dict():
            return set().union(*map(_placeholders, template.values()))
        case list():
            return set().union(*map(_placeholders, template))
        case _:
            return set()


def _filled(template: object, values: Mapping[str, object]) -> object:
    match template:
        case str():
            if (alone := _PLACEHOLDER.fullmatch(template)) and alone[1] in WHOLE:
                return values[alone[1]]
            return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), template)
        case dict():
            return {name: _filled(value, values) for name, value in template.items()}
        case list():
            return [_filled(one, values) for one in template]
        case _:
            return template


def is_among(status: int, statuses: tuple[str, ...]) -> bool:
    """Whether a status is one of these, or in one of these ranges."""
    for text in statuses:
        first, _, last = text.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


def fits(contract: CanaryContract, schema: Mapping[str, object], where: str) -> None:
    """Hold the body of the canary payments against the schema of the function that will answer them.

    Args:
        schema: JSON Schema of the request's body.
        where: the file that holds it.

    Raises:
        UsageProblem: it does not fit, so that no payment of payinfra's would be recorded.
    """
    import fastjsonschema

    made = contract.body_of(
        key="payinfra-canary-0",
        customer="payinfra-canary-env",
        timestamp_ms=1_700_000_000_000,
        env="env",
        metadata={"canary": "run"},
    )
    try:
        fastjsonschema.compile(dict(schema))(made)
    except fastjsonschema.JsonSchemaValueException as error:
        raise UsageProblem(
            f"The canary payment does not fit {where}: {error.message.replace('data', 'the body', 1)}.",
            "Say in [canary] of payinfra.toml what a payment of this backend looks like: body.",
        ) from None
    except fastjsonschema.JsonSchemaDefinitionException as error:
        raise UsageProblem(f"{where} is no JSON Schema: {error}.", "Correct the schema.") from None
