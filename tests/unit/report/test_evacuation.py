"""What an evacuation and a return say, to a person and to a script."""

import io
import json
from collections.abc import Callable

from rich.console import Console

from payinfra.core.evacuation import EvacuationFlag
from payinfra.drill.observers import DnsAnswer
from payinfra.evacuation.capacity import CapacityLine
from payinfra.evacuation.evacuate import Evacuated, EvacuationPlan, NameLed
from payinfra.evacuation.reconciliation import OpenPayment, OutageReconciliation
from payinfra.evacuation.returning import Returned
from payinfra.report import evacuation as report
from payinfra.report.formats import Format

FLAG = EvacuationFlag("us-east-1", "2026-03-01T03:12:45+00:00", "alice")


def named(region: str) -> tuple[NameLed, ...]:
    return (NameLed("pay.example", (DnsAnswer("192.0.2.1", region, ("198.51.100.7",), 60),)),)


PLAN = EvacuationPlan(
    env="prod",
    evacuated="us-east-1",
    survivor="us-west-2",
    flag=None,
    health="200",
    names=named("us-east-1"),
    moves_within_s=74.0,
    forgotten_within_s=60.0,
    capacity=(CapacityLine("API's requests a second", "100", "90", False),),
)


def shown(write: Callable[[Console], None]) -> str:
    out = io.StringIO()
    write(Console(file=out, width=200))
    return out.getvalue()


def evacuated(region: str) -> Evacuated:
    return Evacuated(PLAN, FLAG, "200", named(region), 61.2)


def returned(**changes: object) -> Returned:
    fields: dict[str, object] = {
        "env": "prod",
        "region": "us-east-1",
        "survivor": "us-west-2",
        "flag": FLAG,
        "reconciled": OutageReconciliation(7, (), 2),
        "lifted": True,
        "latency_s": 0.5,
        "names": named("us-east-1"),
        "seconds": 61.0,
        "is_back": True,
    }
    return Returned(**{**fields, **changes})  # type: ignore[arg-type]  # fields by their names


def test_a_person_sees_what_will_be_done_and_what_is_not_enough() -> None:
    said = shown(lambda console: report.planned(console, PLAN))
    assert "Evacuate us-east-1 of prod; us-west-2 survives." in said
    assert "pay.example leads to us-east-1" in said
    assert "within 74 s, and clients follow within 60 s more" in said
    assert "NO" in said
    assert "It is evacuated already" not in said


def test_what_stands_already_is_said() -> None:
    from dataclasses import replace

    said = shown(lambda console: report.planned(console, replace(PLAN, flag=FLAG)))
    assert "It is evacuated already, since 2026-03-01T03:12:45+00:00, by alice." in said
    drilled = replace(FLAG, drill="drill-1")
    said = shown(lambda console: report.planned(console, replace(PLAN, flag=drilled)))
    assert "The flag of failover drill drill-1 stands: it is taken over." in said
    assert "evacuated already" not in said


def test_the_end_says_whether_the_names_moved_and_how_to_return() -> None:
    command = "payinfra return us-east-1 --env prod"
    said = shown(lambda out: report.evacuated(out, evacuated("us-west-2"), command, Format.TABLE))
    assert "Both names lead to us-west-2, after 61.2 s." in said
    assert command in said
    said = shown(lambda out: report.evacuated(out, evacuated("us-east-1"), command, Format.TABLE))
    assert "The names do not lead to us-west-2 after 61.2 s. The flag stands." in said


def test_a_script_gets_all_of_it() -> None:
    said = json.loads(shown(lambda out: report.evacuated(out, evacuated("us-west-2"), "", Format.JSON)))
    assert (said["moved"], said["seconds"], said["moves_within_s"]) == (True, 61.2, 74.0)
    assert said["names"][0]["answers"][0]["region"] == "us-west-2"
    assert said["capacity"][0]["enough"] is False


def test_a_return_says_that_the_names_are_back() -> None:
    said = shown(lambda out: report.returned(out, returned(), "", Format.TABLE))
    assert "7 payments compared, 0 open." in said
    assert "2 audit objects are still being copied." in said
    assert "The names are back, 61.0 s after the flag was lifted." in said


def test_open_payments_are_listed_with_what_to_do() -> None:
    open_ = OutageReconciliation(7, (OpenPayment("pay_1", "only us-west-2 has it", "Wait."),), 0)
    stays = returned(reconciled=open_, lifted=False, is_back=False)
    command = "payinfra return us-east-1 --env prod --accept"
    said = shown(lambda out: report.returned(out, stays, command, Format.TABLE))
    assert "us-east-1 stays evacuated: payments are open." in said
    assert "only us-west-2 has it" in said
    assert command in said
    listed = json.loads(shown(lambda out: report.returned(out, stays, "", Format.JSON)))
    assert listed["open"] == [{"payment_id": "pay_1", "what": "only us-west-2 has it", "next_step": "Wait."}]


def test_other_ends_of_a_return() -> None:
    late = shown(lambda out: report.returned(out, returned(is_back=False), "", Format.TABLE))
    assert "The flag is lifted, and the names are not back after 61.0 s." in late
    nothing = returned(flag=None, reconciled=None, latency_s=None)
    assert "us-east-1 is not evacuated" in shown(lambda out: report.returned(out, nothing, "", Format.TABLE))
    said = json.loads(shown(lambda out: report.returned(out, nothing, "", Format.JSON)))
    assert (said["payments"], said["open"], said["evacuated_since"]) == (None, [], None)
