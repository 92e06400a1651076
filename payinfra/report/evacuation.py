"""What an evacuation and a return did, on a screen and as JSON."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.report.documents import document
from payinfra.report.formats import Format
from payinfra.report.printable import visible
from payinfra.report.results import table, write, write_json

if TYPE_CHECKING:
    from payinfra.evacuation.capacity import CapacityLine
    from payinfra.evacuation.evacuate import Evacuated, EvacuationPlan, NameLed
    from payinfra.evacuation.returning import Returned

_ENOUGH = {True: "yes", False: "NO", None: "unknown"}


def planned(console: Console, plan: "EvacuationPlan") -> None:
    """What will be done, and what the survivor carries: for whoever is about to decide."""
    rows = [(line.what, line.limit, line.needed, _ENOUGH[line.enough]) for line in plan.capacity]
    write(
        console,
        Text(f"Evacuate {plan.evacuated} of {plan.env}; {plan.survivor} survives.", style="bold"),
        *_standing(plan),
        *(Text(_led(one)) for one in plan.names),
        Text(f"The health page of {plan.survivor} answers {plan.health}."),
        table((f"{plan.survivor}", "limit", "needed", "enough"), rows),
        Text(
            f"Name servers answer with {plan.survivor} within {plan.moves_within_s:.0f} s, and clients "
            f"follow within {plan.forgotten_within_s:.0f} s more."
        ),
        Text(f"{plan.evacuated} is not asked and not changed. Nothing comes back before `payinfra return`."),
    )


def _standing(plan: "EvacuationPlan") -> tuple[Text, ...]:
    if plan.flag is None:
        return ()
    if plan.flag.drill:
        return (Text(visible(f"The flag of failover drill {plan.flag.drill} stands: it is taken over.")),)
    return (Text(visible(f"It is evacuated already, since {plan.flag.since}, by {plan.flag.by}.")),)


def _led(name: "NameLed") -> str:
    where = sorted({answer.region or "no region" for answer in name.answers}) or ["unknown: no answer"]
    return f"{name.name} leads to {', '.join(where)}"


def evacuated(console: Console, done: "Evacuated", return_command: str, fmt: Format) -> None:
    """Whether the names have moved, in what time, and what comes next."""
    plan = done.plan
    if fmt is Format.JSON:
        write_json(console, _evacuated_json(done))
        return
    if done.has_moved:
        said = f"Both names lead to {plan.survivor}, after {done.seconds:.1f} s."
    else:
        said = f"The names do not lead to {plan.survivor} after {done.seconds:.1f} s. The flag stands."
    write(
        console,
        Text(said, style="bold" if done.has_moved else "bold red"),
        *(Text(_led(one)) for one in done.names),
        Text(f"Clients may keep the former answer for {plan.forgotten_within_s:.0f} s more."),
        Text(f"The page that health checkers ask answers {done.page}; an evacuation needs 200."),
        Text(f"When {plan.evacuated} is well again: {return_command}"),
    )


def _capacity_json(line: "CapacityLine") -> dict[str, object]:
    return {"what": line.what, "limit": line.limit, "needed": line.needed, "enough": line.enough}


def _name_json(name: "NameLed") -> dict[str, object]:
    return {
        "name": name.name,
        "answers": [
            {"server": one.server, "region": one.region, "data": list(one.data), "ttl_s": one.ttl_s}
            for one in name.answers
        ],
    }


def _evacuated_json(done: "Evacuated") -> dict[str, object]:
    plan = done.plan
    fields: dict[str, object] = {
        "environment": plan.env,
        "evacuated": plan.evacuated,
        "survivor": plan.survivor,
        "since": done.flag.since,
        "by": done.flag.by,
        "moved": done.has_moved,
        "seconds": round(done.seconds, 2),
        "moves_within_s": round(plan.moves_within_s, 2),
        "forgotten_within_s": round(plan.forgotten_within_s, 2),
        "page": done.page,
        "health": plan.health,
        "names": [_name_json(one) for one in done.names],
        "capacity": [_capacity_json(one) for one in plan.capacity],
    }
    return document("evacuation", fields)


def returned(console: Console, done: "Returned", accept_command: str, fmt: Format) -> None:
    """Whether clients are back, and which payments the regions do not agree on."""
    if fmt is Format.JSON:
        write_json(console, _returned_json(done))
        return
    found = done.reconciled
    if found is not None:
        rows = [(one.payment_id, one.what, one.next_step) for one in found.open]
        write(
            console,
            Text(f"{found.payments} payments compared, {len(found.open)} open."),
            *([table(("payment", "what", "next"), rows)] if rows else []),
            *(
                [Text(f"{found.not_copied} audit objects are still being copied.")]
                if found.not_copied
                else []
            ),
        )
    write(console, Text(_returned_said(done), style="bold" if done.exit_code == 0 else "bold red"))
    write(console, *(Text(_led(one)) for one in done.names))
    if not done.lifted:
        write(console, Text(f"To return although they are open: {accept_command}"))


def _returned_said(done: "Returned") -> str:
    if not done.lifted:
        return f"{done.region} stays evacuated: payments are open."
    if not done.is_back:
        return f"The flag is lifted, and the names are not back after {done.seconds:.1f} s."
    if done.flag is None:
        return f"{done.region} is not evacuated, and the names are as they should be."
    return f"The names are back, {done.seconds:.1f} s after the flag was lifted."


def _returned_json(done: "Returned") -> dict[str, object]:
    found = done.reconciled
    fields: dict[str, object] = {
        "environment": done.env,
        "region": done.region,
        "survivor": done.survivor,
        "evacuated_since": None if done.flag is None else done.flag.since,
        "lifted": done.lifted,
        "back": done.is_back,
        "seconds": round(done.seconds, 2),
        "latency_s": None if done.latency_s is None else round(done.latency_s, 3),
        "payments": None if found is None else found.payments,
        "open": []
        if found is None
        else [
            {"payment_id": one.payment_id, "what": one.what, "next_step": one.next_step} for one in found.open
        ],
        "not_copied": None if found is None else found.not_copied,
        "names": [_name_json(one) for one in done.names],
    }
    return document("return", fields)
