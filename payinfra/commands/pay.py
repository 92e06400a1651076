"""Commands for the payments API: send a payment, and get the key that it takes."""

import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from typer._click.core import ParameterSource
from typer._click.globals import get_current_context

from payinfra.commands.options import WHERE, with_settings
from payinfra.commands.payments import RegionOption, deployed, region_of
from payinfra.commands.session import FormatOption, say, stdout
from payinfra.core.errors import GateFailed, UsageProblem
from payinfra.payments.sending import AMOUNT, CURRENCY, CUSTOMER, METHOD
from payinfra.report.formats import Format

if TYPE_CHECKING:
    from payinfra.core.settings import Settings
    from payinfra.payments.sending import SentPayment

app = typer.Typer()

ANSWERS_WITHIN_S = 70.0
"""Longer than the function's time-out by default, so that its own answer is shown and not ours."""


@app.command()
@with_settings(WHERE, found=True)
def pay(
    settings: "Settings",
    *,
    amount: Annotated[
        int, typer.Option(min=0, help="Amount in the currency's minor unit: 1250 is 12.50 EUR.")
    ] = AMOUNT,
    currency: Annotated[str, typer.Option(help="Currency, as ISO 4217 names it.")] = CURRENCY,
    customer: Annotated[str, typer.Option(help="Whose payment it is.")] = CUSTOMER,
    method: Annotated[str, typer.Option(help="Payment method: card, bank_transfer or wallet.")] = METHOD,
    description: Annotated[str | None, typer.Option(help="Free text.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A value of your own; may be repeated.")
    ] = None,
    timestamp: Annotated[
        int | None,
        typer.Option(min=0, metavar="MS", help="When it was made, in milliseconds since 1970. Default: now."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Idempotency-Key: the same key and body make one payment. Default: a new one."),
    ] = None,
    times: Annotated[int, typer.Option(min=1, max=1000, help="Send the same payment this often.")] = 1,
    region: RegionOption = None,
    curl: Annotated[
        bool, typer.Option("--curl", help="Send nothing: print the commands for a shell that would.")
    ] = False,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Send a payment through a region, and show the request and the answer.

    Where the environment has a [canary] of its own, the payment is as that says.
    """
    from payinfra.clients.http import HttpxHttp, make_client
    from payinfra.clients.payments_api import PaymentRequest, read_api_key
    from payinfra.payments import sending
    from payinfra.report import pay as report

    once, made_ms = _header(key or str(uuid.uuid4())), timestamp
    if made_ms is None:
        made_ms = int(time.time() * 1000)
    pairs, given = _pairs(metadata or ()), _given(sending.OF_A_PLACEHOLDER)
    with deployed(settings) as (outputs, aws):
        through, contract = region_of(outputs, region), outputs.canary
        body = (
            sending.own_body(
                contract,
                key=once,
                env=settings.env,
                amount=amount,
                customer=customer,
                timestamp_ms=made_ms,
                metadata=pairs,
                given=given,
            )
            if contract.is_own
            else sending.body(
                amount=amount,
                currency=currency,
                customer=customer,
                method=method,
                timestamp_ms=made_ms,
                description=description,
                metadata=pairs,
            )
        )
        request = PaymentRequest(once, body, contract)
        if curl:
            command = f"{settings.command('key')} --region {through.region}"
            sys.stdout.write(sending.curl(through.api_endpoint, request, command, times))
            return
        api_key = read_api_key(aws, through)
        with make_client(ANSWERS_WITHIN_S) as client:
            sent = sending.send(
                settings.env,
                through,
                request,
                HttpxHttp(client),
                api_key=api_key,
                times=times,
                timestamp_ms=made_ms,
            )
    report.sent(stdout(), sent, fmt)
    if not all(answer.is_recorded for answer in sent.answers):
        raise _not_recorded(settings, sent)


@app.command("key")
@with_settings(WHERE, found=True)
def print_key(
    settings: "Settings",
    *,
    region: RegionOption = None,
    show: Annotated[bool, typer.Option("--show", help="Print the key on a terminal as well.")] = False,
) -> None:
    """Print the API key, for a pipe or a variable: API_KEY=$(payinfra key).

    On a terminal, where it could be seen and stay, it is printed with --show only.
    """
    from payinfra.clients.payments_api import read_api_key

    with deployed(settings) as (outputs, aws):
        through = region_of(outputs, region)
        if sys.stdout.isatty() and not show:
            command = settings.command("key")
            say(
                f"The API key is in the parameter {through.api_key_parameter} of {through.region}. "
                f"It is not shown on a terminal. To use it:\n"
                f"  API_KEY=$({command})\n"
                f"To see it:\n"
                f"  {command} --show"
            )
            return
        value = read_api_key(aws, through)
    sys.stdout.write(f"{value}\n")


def _not_recorded(settings: "Settings", sent: "SentPayment") -> GateFailed:
    what = f"{sent.region} did not record the payment."
    if any(answer.says_key_is_taken for answer in sent.answers):
        return GateFailed(
            what,
            f"Key {sent.key} belongs to another payment. To send that one again, give the same body and "
            "--timestamp; to make a new one, leave --key out.",
        )
    if any(answer.says_what_is_wrong for answer in sent.answers):
        return GateFailed(what, "Change what the answer names, and send it again.")
    if sent.contract.is_own and any(answer.is_refused for answer in sent.answers):
        return GateFailed(
            what,
            "Compare the answer with what [canary] of payinfra.toml said when the environment was deployed: "
            "body, headers, and which statuses are accepted, replayed and refused.",
        )
    return GateFailed(
        what, f"See what the function says: `{settings.command('logs')} --region {sent.region}`."
    )


def _given(options: Iterable[str]) -> tuple[str, ...]:
    """Those of a command's options that somebody has given, on the command line or by a variable."""
    context, somebody = get_current_context(), (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return tuple(name for name in options if context.get_parameter_source(name) in somebody)


def _header(key: str) -> str:
    """A key that a header can carry.

    Raises:
        UsageProblem: it cannot.
    """
    if not key.isascii() or not key.isprintable() or key != key.strip():
        raise UsageProblem(
            "The --key has characters that a header cannot carry.",
            "Use letters, digits and hyphens, such as order-17-payment.",
        )
    return key


def _pairs(texts: Iterable[str]) -> Mapping[str, str]:
    """The names and values of `--metadata`.

    Raises:
        UsageProblem: one has no equals sign.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise UsageProblem("A --metadata has no equals sign.", "Write it as --metadata NAME=VALUE.")
        found[name] = value
    return found
