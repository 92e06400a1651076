"""Finds what looks like a card number, so that it is refused and neither stored nor logged."""

import re

SHORTEST = 13
LONGEST = 19

# Digits in groups, as people write them: 4111 1111 1111 1111, 4111-1111-…; \d and \s know other scripts too.
_GROUPS = re.compile(r"\d+(?:[\s\u2010-\u2015-]\d+)*")
_DIGITS = re.compile(r"\d+")


def has_card_number(text: str) -> bool:
    """Whether some run of whole digit groups in `text` has 13 to 19 digits and passes the Luhn test.

    Every run of neighbouring groups is tried, so that a year before a card number does not hide it.
    """
    return any(_run_hides_card(_DIGITS.findall(run.group())) for run in _GROUPS.finditer(text))


def _run_hides_card(groups: list[str]) -> bool:
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) > LONGEST:
                break
            if len(digits) >= SHORTEST and passes_luhn(digits):
                return True
    return False


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right is doubled, its digits added up."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
