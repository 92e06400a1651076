"""Finds card numbers and card security codes, so that they are refused and neither stored nor logged.

A card number is 13 to 19 digits that begin as an issuer's numbers do, have a length that this issuer uses
(ISO/IEC 7812-1; the ranges are those that the schemes publish), and pass the Luhn test. It is found in any
script, with anything but letters between its digits, and with zeros before or after it. Valid IBANs, UUIDs
and dates with times are left alone. The Luhn test passes one number in ten by chance: of ordinary 16-digit
numbers about one in thirty is refused (tests/unit/payments/test_cards.py measures it).
"""

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

SHORTEST = 13
LONGEST = 19
MOST_GROUPS = 6
"""Into how many groups of unequal length people write a card number. Lists of amounts have more."""
LEAST_PADDING = 2
"""How many zeros after a card number are padding. One is the last digit of every tenth number."""

_ANY = range(SHORTEST, LONGEST + 1)
_ISSUERS: tuple[tuple[int, int, Iterable[int]], ...] = (
    (4, 4, (13, 16, 19)),  # Visa
    (51, 55, (16,)),  # Mastercard
    (2221, 2720, (16,)),
    (34, 34, (15,)),  # American Express
    (37, 37, (15,)),
    (6011, 6011, range(16, 20)),  # Discover
    (644, 649, range(16, 20)),
    (65, 65, range(16, 20)),
    (300, 305, (14, 16)),  # Diners Club
    (3095, 3095, (14, 16)),
    (36, 36, (14, 16)),
    (38, 39, (14,)),
    (3528, 3589, range(16, 20)),  # JCB
    (1800, 1800, (15,)),
    (2131, 2131, (15,)),
    (62, 62, range(16, 20)),  # UnionPay
    (81, 81, range(16, 20)),
    (50, 50, _ANY),  # Maestro, Verve, Elo, Dankort
    (56, 58, _ANY),
    (63, 63, _ANY),
    (67, 67, _ANY),
    (6062, 6062, (16,)),  # Hipercard
    (6521, 6522, (16,)),  # RuPay
    (2200, 2204, range(16, 20)),  # Mir
    (9792, 9792, (16,)),  # Troy
)
_LENGTHS: dict[str, frozenset[int]] = {
    str(prefix): frozenset(lengths) for first, last, lengths in _ISSUERS for prefix in range(first, last + 1)
}
_LONGEST_PREFIX = 4
_DOUBLED = str.maketrans("0123456789", "0246813579")
"""Each digit doubled, and the digits of that added up."""

# Digits with anything but letters and other digits between them.
_RUN = re.compile(r"[0-9]+(?:[\W_]+[0-9]+)*")
_GROUP = re.compile(r"([0-9]+)([\W_]*)")
_UUID = re.compile(
    r"(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|[0-9a-f]{24})"
    r"(?![0-9a-z])"
)
_DATE_AND_TIME = re.compile(
    r"(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}[t ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?![0-9])"
)
_LETTERS_OF_A_UUID = 4
"""A random UUID has twelve letters. One with fewer than four may be a number in the form of a UUID."""
_IBAN = re.compile(r"(?<![0-9a-z])[a-z]{2}[0-9]{2}(?=[ -]?[0-9a-z])")
_IBAN_REGISTRY = """
    ad24 ae23 al28 at20 az28 ba20 be16 bg22 bh22 bi27 br29 by28 ch21 cr22 cy28 cz24 de22 dj27 dk18 do28 ee20
    eg29 es24 fi18 fk18 fo18 fr27 gb22 ge22 gi23 gl18 gr27 gt28 hn28 hr21 hu28 ie22 il23 iq23 is26 it27 jo30
    kw30 kz20 lb28 lc32 li21 lt20 lu20 lv21 ly25 mc27 md24 me22 mk19 mn20 mr27 mt31 mu30 ni28 nl18 no15 om23
    pk24 pl28 ps29 pt25 qa29 ro24 rs22 ru33 sa24 sc31 sd18 se24 si19 sk24 sm27 so23 st25 sv28 tl23 tn24 tr26
    ua29 va22 vg24 xk20 ye30
"""
"""Country codes with the length of an IBAN there (SWIFT, IBAN registry)."""
_IBAN_LENGTHS = {country: int(length) for country, length in re.findall("([a-z]+)([0-9]+)", _IBAN_REGISTRY)}

_CODES = frozenset(("cvv", "cvv2", "icvv", "cvc", "cvc2", "cvn", "cvn2", "cvd", "cav2", "csc"))
_CODE_PHRASES = ("cardsecuritycode", "securitycode", "cardverification", "cardcode")
_CODE_IN_TEXT = re.compile(
    r"(?<![0-9a-z])(?:cvv2?|icvv|cvc2?|cvn2?|cvd|cav2|csc|(?:card )?security code)"
    r"(?:[\W_]|is|was|code|number){0,6}[0-9]{3,4}(?![0-9])"
)
_CODE_VALUE = re.compile(r"(?<![0-9])[0-9]{3,4}(?![0-9])")
_LONGEST_UNFOLDED = 4
_WORD = re.compile(r"[0-9a-z]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def has_card_number(text: str) -> bool:
    """Whether a card number is in `text`."""
    plain = _plain(text)
    return any(_run_hides_card(run.group()) for run in _RUN.finditer(_without_others(plain)))


def is_split_card(one: str, other: str) -> bool:
    """Whether two texts are the halves of a card number: each all digits, neither long enough by itself."""
    halves = tuple("".join(_digits_only(text)) for text in (one, other))
    return all(4 <= len(half) < SHORTEST for half in halves) and _is_card("".join(halves))


def has_security_code(text: str) -> bool:
    """Whether `text` says a card's security code, as in "CVV: 123"."""
    return _CODE_IN_TEXT.search(_plain(text)) is not None


def is_security_code(name: str, value: str) -> bool:
    """Whether a member of this name and value is a card's security code. `cvv_result: M` is none."""
    words = _WORD.findall(_plain(_CAMEL.sub(" ", _visible(name))))
    together = "".join(words)
    named = (
        not _CODES.isdisjoint(words)
        or together in _CODES
        or any(phrase in together for phrase in _CODE_PHRASES)
    )
    return named and _CODE_VALUE.search(_plain(value)) is not None


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right is doubled, its digits added up."""
    total = sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))
    return total % 10 == 0


def _plain(text: str) -> str:
    """The text in lower case and ASCII: any digit as one, any other letter as x, anything else as a space."""
    if text.isascii():
        return text.lower()
    return "".join(letter.lower() if letter.isascii() else _as_ascii(letter) for letter in text)


@functools.lru_cache(maxsize=4096)
def _as_ascii(letter: str) -> str:
    value = unicodedata.digit(letter, -1)  # of any script, superscript, circled
    if value >= 0:
        return str(value)
    folded = unicodedata.normalize("NFKC", letter).lower()
    # Full width letters, and the numbers above nine in circles. Some ligatures unfold to eighteen letters.
    if folded.isascii() and len(folded) <= _LONGEST_UNFOLDED:
        return folded
    return "x" if letter.isalnum() else " "


def _visible(text: str) -> str:
    """The text without characters that have no width."""
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf")


def _digits_only(text: str) -> list[str]:
    """The groups of digits of a text that has nothing but digits and separators; else none."""
    plain = _plain(text)
    return re.findall("[0-9]+", plain) if re.fullmatch(r"[\W_0-9]+", plain) else []


def _without_others(plain: str) -> str:
    """The text with a letter in place of each UUID, each date with a time, and each valid IBAN."""
    return "".join(_without_ibans(_DATE_AND_TIME.sub("x", _UUID.sub(_unless_a_number, plain))))


def _unless_a_number(uuid: re.Match[str]) -> str:
    letters = sum(letter.isalpha() for letter in uuid.group())
    return "x" if letters >= _LETTERS_OF_A_UUID else uuid.group()


def _without_ibans(plain: str) -> Iterator[str]:
    at = 0
    for found in _IBAN.finditer(plain):
        end = _end_of_iban(plain, found.start())
        if found.start() >= at and end:
            yield plain[at : found.start()] + "x"
            at = end
    yield plain[at:]


def _end_of_iban(plain: str, start: int) -> int:
    """Where a valid IBAN that begins at `start` ends; 0 when none does (ISO 13616-1: modulo 97 is 1)."""
    length = _IBAN_LENGTHS.get(plain[start : start + 2])
    found = _written_iban(length).match(plain, start) if length else None
    if found is None:
        return 0
    iban = found.group().replace(" ", "").replace("-", "")
    turned = "".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])
    return found.end() if int(turned) % 97 == 1 else 0


@functools.cache
def _written_iban(length: int) -> re.Pattern[str]:
    return re.compile(rf"[0-9a-z](?:[ -]?[0-9a-z]){{{length - 1}}}(?![0-9a-z])")


def _run_hides_card(run: str) -> bool:
    """Whether some neighbouring groups of digits are a card number; a year before it does not hide it."""
    groups, separators = zip(*_GROUP.findall(run), strict=True)
    return (
        any(_hides_padded_card(group) for group in groups)
        or _few_groups_are_card(groups)
        or _equal_groups_are_card(groups, separators)
    )


def _hides_padded_card(group: str) -> bool:
    """Whether one group of digits is a card number, perhaps with zeros before and after it."""
    digits = group.lstrip("0")
    end = len(digits.rstrip("0"))
    shorter = range(max(end, SHORTEST), min(len(digits) - LEAST_PADDING, LONGEST) + 1)
    return _is_card(digits) or any(_is_card(digits[:length]) for length in shorter)


def _few_groups_are_card(groups: Sequence[str]) -> bool:
    for first in range(len(groups)):
        digits = groups[first]
        for group in groups[first + 1 : first + MOST_GROUPS]:
            digits += group
            if len(digits) > LONGEST:
                break
            if _is_card(digits):
                return True
    return False


def _equal_groups_are_card(groups: Sequence[str], separators: Sequence[str]) -> bool:
    """Whether a card number is written in single digits, or in pairs or threes with equal separators.

    It must be all of its row of equal groups: a list of small numbers is none.
    """
    first = 0
    while first < len(groups):
        size, end = len(groups[first]), first + 1
        while (
            size < 4
            and end < len(groups)
            and len(groups[end]) == size
            and (size == 1 or separators[end - 1] == separators[first])
        ):
            end += 1
        if end - first > MOST_GROUPS - 1:
            digits = "".join(groups[first:end])
            # A shorter last group, as 16 digits in threes have.
            rest = groups[end] if end < len(groups) and len(groups[end]) < size else ""
            if _is_card(digits) or _is_card(digits + rest):
                return True
        first = end
    return False


def _is_card(digits: str) -> bool:
    length = len(digits)
    return (
        SHORTEST <= length <= LONGEST
        and any(length in _LENGTHS.get(digits[:prefix], ()) for prefix in range(1, _LONGEST_PREFIX + 1))
        and passes_luhn(digits)
    )
