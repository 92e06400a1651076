"""How long a schedule leaves between two times. Source: EventBridge's "Schedule types", cron and rate."""

import re

from payinfra.checks.manifest import Unreadable, WrongType

_RATE = re.compile(r"rate\((?P<many>\d+) (?P<unit>minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((?:\S+ ){3}(?P<months>\S+) \S+ (?P<years>\S+)\)")
_DAYS = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_YEAR = len(_MONTHS)
_DAYS_OF_A_MONTH = 30


def longest_days_between(schedule: str) -> float | Unreadable:
    """The longest time in days between two times of a schedule; of `cron`, by its months of 30 days."""
    text = " ".join(schedule.split())
    rate = _RATE.fullmatch(text)
    if rate is not None:
        return int(rate["many"]) * _DAYS[rate["unit"]]
    cron = _CRON.fullmatch(text)
    months = None if cron is None or cron["years"] != "*" else _months(cron["months"])
    if not months:
        return WrongType("schedule_expression", repr(schedule), "a schedule of rate or cron for every year")
    gaps = [later - earlier for earlier, later in zip(months, (*months[1:], months[0] + _YEAR), strict=True)]
    return max(gaps) * _DAYS_OF_A_MONTH


def _months(field: str) -> list[int] | None:
    """The months of a field of `cron`, from 1; None where it is no such field."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        begin = 1 if first == "*" else _month(first)
        end = _YEAR if first == "*" or (step and not dash) else _month(last if dash else first)
        if begin is None or end is None or (step and not step.isdigit()):
            return None
        found |= set(range(begin, end + 1, max(int(step or 1), 1)))
    return sorted(found)


def _month(text: str) -> int | None:
    if text.upper() in _MONTHS:
        return _MONTHS.index(text.upper()) + 1
    return int(text) if text.isdigit() and 1 <= int(text) <= _YEAR else None
