"""The environments of an account, and what became of the stale ones, as tables and as JSON."""

import re
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.account.costs import of_environment
from payinfra.account.environments.classify import age_s
from payinfra.report.documents import document
from payinfra.report.formats import Format
from payinfra.report.printable import visible
from payinfra.report.results import age, in_numbers, table, write, write_json

if TYPE_CHECKING:
    from payinfra.account.environments.model import Environment, EnvironmentInventory
    from payinfra.account.environments.reaping import Reaped

_ONE_OF = re.compile(r"s\b")
"""What a plural loses when there is one."""


def inventory(console: Console, found: "EnvironmentInventory", now: datetime, fmt: Format) -> None:
    """Every environment on a line, then what could not be found out."""
    if fmt is Format.JSON:
        write_json(console, _inventory_json(found, now))
        return
    rows = [_row(each, now) for each in found.environments]
    where = f"account {found.account} ({found.target}), asked in {', '.join(found.asked)}"
    columns = ("environment", "age", "owner", "regions", "state", "protection", "resources")
    write(
        console,
        *((table(columns, rows),) if rows else ()),
        Text(f"{len(rows)} environment{'' if len(rows) == 1 else 's'} in {where}."),
        *(
            (Text(f"{found.departing} keys wait to be deleted, which costs nothing."),)
            if found.departing
            else ()
        ),
        *(
            Text(
                f"{visible(each.name)} costs {'' if found.target == 'aws' else 'on AWS '}at most about "
                f"{_monthly(each):.0f} dollars a month while idle: {_costs(each)}{_unpriced(each)}."
            )
            for each in found.environments
            if each.costs
        ),
        *(
            Text(f"{visible(each.name)} lacks: {', '.join(map(visible, each.lacks))}.", style="yellow")
            for each in found.environments
            if each.lacks
        ),
        *(Text(f"Unknown: {visible(why)}", style="yellow") for why in _unknown(found)),
    )


def reaped(console: Console, outcome: "Reaped", now: datetime, fmt: Format) -> None:
    """What became of each environment, or would."""
    if fmt is Format.JSON:
        write_json(
            console,
            document(
                "reaped",
                {
                    "dry_run": outcome.dry_run,
                    "environments": [
                        {
                            "environment": each.environment.name,
                            "age_s": age_s(each.environment, now),
                            "fate": each.fate.value,
                            "why": each.why,
                            "next": each.hint,
                            "resources": each.environment.resources,
                        }
                        for each in outcome.ends
                    ],
                },
            ),
        )
        return
    rows = [
        (
            visible(each.environment.name),
            age(age_s(each.environment, now)),
            each.fate.value,
            visible(each.why),
        )
        for each in outcome.ends
    ]
    write(
        console,
        *((table(("environment", "age", "", "why"), rows),) if rows else ()),
        Text(outcome.headline),
        *(
            Text(f"{visible(each.environment.name)}: {visible(each.hint)}", style="yellow")
            for each in outcome.ends
            if each.hint
        ),
    )


def _row(each: "Environment", now: datetime) -> tuple[str, ...]:
    return (
        visible(each.name),
        age(age_s(each, now)),
        visible(each.owner) or "-",
        ", ".join(each.regions) or "-",
        each.state.value,
        each.protection.value,
        str(each.resources),
    )


def _monthly(each: "Environment") -> float:
    return of_environment({cost.what: cost.count for cost in each.costs}, len(each.regions))


def _costs(each: "Environment") -> str:
    return ", ".join(
        f"{cost.count} {_ONE_OF.sub('', cost.what, count=1) if cost.count == 1 else cost.what}"
        for cost in each.costs
    )


def _unpriced(each: "Environment") -> str:
    besides = in_numbers({cost.what: cost.count for cost in each.not_priced})
    return f"; not priced: {besides}" if besides else ""


def _unknown(found: "EnvironmentInventory") -> tuple[str, ...]:
    return (*found.unknown, *(why for each in found.environments for why in each.unknown))


def _inventory_json(found: "EnvironmentInventory", now: datetime) -> dict[str, object]:
    fields: dict[str, object] = {
        "account": found.account,
        "target": found.target,
        "regions": list(found.asked),
        "environments": [
            {
                "environment": each.name,
                "owner": each.owner or None,
                "regions": list(each.regions),
                "state": each.state.value,
                "lacks": list(each.lacks),
                "protection": each.protection.value,
                "created": None if each.born is None else each.born.isoformat(),
                "age_s": age_s(each, now),
                "resources": each.resources,
                "costs": {cost.what: cost.count for cost in each.costs},
                "monthly_usd": round(_monthly(each), 2),
                **(
                    {"not_priced": {cost.what: cost.count for cost in each.not_priced}}
                    if each.not_priced
                    else {}
                ),
                "unknown": list(each.unknown),
            }
            for each in found.environments
        ],
        "departing_keys": found.departing,
        "unknown": list(found.unknown),
    }
    return document("environments", fields)
