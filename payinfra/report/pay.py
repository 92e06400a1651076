"""A payment that was sent: the request, and each answer, as a person reads them or as JSON."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.text import Text

from payinfra.report.documents import document
from payinfra.report.folding import FoldedText
from payinfra.report.formats import Format
from payinfra.report.printable import visible, visible_lines
from payinfra.report.results import UnfoldedLines, write, write_json

_INDENT = 2

if TYPE_CHECKING:
    from payinfra.payments.sending import PaymentAnswer, SentPayment


def sent(console: Console, payment: "SentPayment", fmt: Format) -> None:
    """The request, then every answer."""
    if fmt is Format.JSON:
        write_json(console, _sent_json(payment))
        return
    parts: list[RenderableType] = [
        Text(f"POST {payment.url}", style="bold"),
        *(
            FoldedText(Text(f"{visible(name)}: {visible(value)}"), _INDENT)
            for name, value in payment.headers.items()
        ),
        _as_it_is(json.dumps(payment.body, indent=2)),
    ]
    for answer in payment.answers:
        parts += [Text(""), *_answer(answer)]
    write(console, *parts)


def _as_it_is(text: str) -> UnfoldedLines:
    """Text that is copied: no line of it is folded."""
    return UnfoldedLines(Text(text).split("\n"))


def _answer(answer: "PaymentAnswer") -> list[RenderableType]:
    by = f" by {visible(answer.region)}" if answer.region else ""
    again = ", recorded by an earlier request" if answer.replayed else ""
    # The shipped API's answer shows its id by the usual name: there is nothing to add.
    own = [_id_of(answer)] if answer.id_field and answer.is_recorded else []
    return [
        Text.assemble(
            (_status(answer.status), "bold green" if answer.is_recorded else "bold red"),
            f" after {answer.seconds * 1000:.0f} ms, answered{by}{again}",
        ),
        # Fields are in ASCII, so that nothing in them can move a terminal.
        _as_it_is(json.dumps(answer.fields, indent=2) if answer.fields else visible_lines(answer.text)),
        *own,
    ]


def _id_of(answer: "PaymentAnswer") -> Text:
    name = visible(answer.id_field)
    if answer.payment_id:
        return Text(f"The payment's id ({name}): {visible(answer.payment_id)}")
    return Text(f"The answer has no {name}, which [canary] calls the payment's id.", style="yellow")


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _sent_json(payment: "SentPayment") -> Mapping[str, object]:
    fields = {
        "environment": payment.env,
        "region": payment.region,
        "request": {
            "method": "POST",
            "url": payment.url,
            "idempotency_key": payment.key,
            "api_key_parameter": payment.parameter,
            "body": dict(payment.body),
        },
        "answers": [
            {
                "status": answer.status,
                "seconds": round(answer.seconds, 3),
                "region": answer.region or None,
                "replayed": answer.replayed,
                "body": answer.fields or answer.text,
            }
            for answer in payment.answers
        ],
    }
    return document("payment", fields)
