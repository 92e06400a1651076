"""The environments as a table and as JSON; names of strangers move no cursor."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from payinfra.account.environments.model import Cost, State
from payinfra.account.environments.reaping import ReapDecision, Reaped, ReapResult
from payinfra.report import environments as report
from payinfra.report.formats import Format
from payinfra.report.results import age
from tests.unit.account.environments.conftest import NOW, environment, inventory_of


def console() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=160, no_color=True), text


def test_the_inventory_as_a_table() -> None:
    out, text = console()
    partial = replace(
        environment("dev"), state=State.PARTIAL, lacks=("table in us-west-2",), owner="", regions=()
    )
    found = inventory_of(environment(), replace(partial, costs=()), unknown=("eu-west-1: refused",))
    report.inventory(out, replace(found, departing=3), NOW, Format.TABLE)
    said = text.getvalue()
    assert "2 environments in account 123456789012 (aws), asked in us-east-1, us-west-2." in said
    assert "pr1 costs at most about 12 dollars a month while idle: 6 keys." in said
    assert "dev lacks: table in us-west-2." in said
    assert "3 keys wait to be deleted" in said
    assert "Unknown: eu-west-1: refused" in said


def test_what_there_is_one_of_is_said_so() -> None:
    out, text = console()
    paid = ("keys", "health checks", "hosted zones", "tables with point-in-time recovery")
    one = replace(environment(), costs=tuple(Cost(what, 1) for what in paid))
    report.inventory(out, inventory_of(one), NOW, Format.TABLE)
    said = "1 key, 1 health check, 1 hosted zone, 1 table with point-in-time recovery."
    assert said in text.getvalue()


def test_an_empty_inventory_draws_no_table() -> None:
    out, text = console()
    report.inventory(out, inventory_of(), NOW, Format.TABLE)
    assert text.getvalue() == "0 environments in account 123456789012 (aws), asked in us-east-1, us-west-2.\n"


def test_the_inventory_as_json() -> None:
    out, text = console()
    found = inventory_of(environment(unknown=("a: b",)), environment("old", age=None))
    report.inventory(out, found, NOW, Format.JSON)
    said = json.loads(text.getvalue())
    assert said["environments"][0] == {
        "environment": "pr1",
        "owner": "team",
        "regions": ["us-east-1", "us-west-2"],
        "state": "complete",
        "lacks": [],
        "protection": "ephemeral",
        "created": "2026-05-05T12:00:00+00:00",
        "age_s": 432000,
        "resources": 75,
        "costs": {"keys": 6},
        "monthly_usd": 12.0,
        "unknown": ["a: b"],
    }
    assert (said["environments"][1]["created"], said["environments"][1]["age_s"]) == (None, None)
    assert said["version"] == 1


def test_names_of_strangers_are_made_visible() -> None:
    out, text = console()
    report.inventory(out, inventory_of(environment("pr1\x1b[2J")), NOW, Format.TABLE)
    report.reaped(
        out, Reaped(True, (ReapResult(environment("\x1b[2J"), ReapDecision.KEPT, "no"),)), NOW, Format.TABLE
    )
    assert "\x1b" not in text.getvalue()


def test_what_became_of_each() -> None:
    outcome = Reaped(False, (ReapResult(environment(), ReapDecision.FAILED, "It broke.", "Mend it."),))
    out, text = console()
    report.reaped(out, outcome, NOW, Format.TABLE)
    assert "0 destroyed, 0 kept, 1 failed." in text.getvalue()
    assert "pr1: Mend it." in text.getvalue()
    out, text = console()
    report.reaped(out, outcome, NOW, Format.JSON)
    said = json.loads(text.getvalue())
    assert (said["dry_run"], said["environments"][0]["fate"]) == (False, "failed")
    assert said["environments"][0]["next"] == "Mend it."


def test_nobody_to_reap_draws_no_table() -> None:
    out, text = console()
    report.reaped(out, Reaped(False, ()), NOW, Format.TABLE)
    assert text.getvalue() == "0 destroyed, 0 kept, 0 failed.\n"


@pytest.mark.parametrize(
    ("span", "said"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (172_800, "2 d"), (None, "unknown")],
)
def test_ages_are_said_in_their_largest_unit(span: float | None, said: str) -> None:
    assert age(span) == said


def test_what_has_no_known_price_is_said_in_numbers() -> None:
    besides = (Cost("kinesis stream", 1), Cost("states stateMachine", 2))
    found = inventory_of(replace(environment(), not_priced=besides))
    out, text = console()
    report.inventory(out, found, NOW, Format.TABLE)
    assert "while idle: 6 keys; not priced: kinesis stream x 1, states stateMachine x 2." in text.getvalue()
    out, text = console()
    report.inventory(out, found, NOW, Format.JSON)
    said = json.loads(text.getvalue())["environments"][0]
    assert said["not_priced"] == {"kinesis stream": 1, "states stateMachine": 2}
    assert said["monthly_usd"] == 12.0
