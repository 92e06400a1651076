"""Card numbers are found however they are written; other numbers are left alone."""

from __future__ import annotations

import hashlib
import itertools
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.payments.cards import (
    has_card_number,
    has_security_code,
    is_security_code,
    is_split_card,
    passes_luhn,
)
from tests.unit.payments.conftest import valid_body

if TYPE_CHECKING:
    from tests.unit.payments.conftest import Site

# The test numbers that the schemes and their processors publish.
CARDS = {
    "Visa": "4111111111111111",
    "Visa of 13": "4222222222222",
    "Visa of 19": "4000000000000000006",
    "Mastercard": "5555555555554444",
    "Mastercard of the 2 series": "2223003122003222",
    "American Express": "378282246310005",
    "American Express of 34": "343434343434343",
    "Discover": "6011111111111117",
    "Discover of 65": "6500000000000002",
    "Diners Club": "30569309025904",
    "Diners Club of 36": "36227206271667",
    "Diners Club of 16": "3056930009020004",
    "JCB": "3530111333300000",
    "UnionPay": "6200000000000005",
    "UnionPay of 19": "6205500000000000004",
    "Maestro": "6759649826438453",
    "Maestro of 50": "5018000000000000007"[:-1] + "9",
    "Maestro of 19": "6304000000000000000",
    "Mir": "2200000000000004",
    "Hipercard": "6062826786276634",
    "Troy": "9792000000000001"[:-1] + "1",
}


def checked(payload: str) -> str:
    """A number with its check digit."""
    return next(payload + digit for digit in "0123456789" if passes_luhn(payload + digit))


CARDS = {scheme: checked(number[:-1]) for scheme, number in CARDS.items()}


def fours(number: str) -> list[str]:
    return [number[at : at + 4] for at in range(0, len(number), 4)]


def as_issued(number: str) -> list[str]:
    """In the groups that are embossed: 4-6-5 for 15 digits, 4-6-4 for 14."""
    return [number[:4], number[4:10], number[10:]] if len(number) in (14, 15) else fours(number)


SEPARATORS = {
    "nothing": "",
    "space": " ",
    "double space": "  ",
    "hyphen": "-",
    "spaced hyphen": " - ",
    "full stop": ".",
    "comma": ",",
    "underscore": "_",
    "slash": "/",
    "backslash": "\\",
    "colon": ":",
    "bar": "|",
    "star": "*",
    "no-break space": "\u00a0",
    "thin space": "\u2009",
    "ideographic space": "\u3000",
    "tab": "\t",
    "line break": "\n",
    "soft hyphen": "\u00ad",
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "en dash": "\u2013",
    "em dash": "\u2014",
    "figure dash": "\u2012",
    "minus": "\u2212",
    "hyphen bullet": "\u2043",
    "middle dot": "\u00b7",
    "full-width hyphen": "\uff0d",
    "combining mark": "\u0301",
    "emoji": "\U0001f4b3",
}
DIGITS: dict[str, Callable[[str], str]] = {
    "ascii": lambda text: text,
    "full width": lambda text: text.translate({48 + n: 0xFF10 + n for n in range(10)}),
    "arabic": lambda text: text.translate({48 + n: 0x0660 + n for n in range(10)}),
    "devanagari": lambda text: text.translate({48 + n: 0x0966 + n for n in range(10)}),
    "superscript": lambda text: text.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")),
    "subscript": lambda text: text.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")),
    "circled": lambda text: text.translate(str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")),
    "negative circled": lambda text: text.translate(str.maketrans("0123456789", "⓿❶❷❸❹❺❻❼❽❾")),
    "bold": lambda text: text.translate({48 + n: 0x1D7CE + n for n in range(10)}),
    "keycaps": lambda text: "".join(f"{digit}\ufe0f\u20e3" for digit in text),
}
FRAMES = (
    "{}", "card {} please", "PAN{}", "{}EUR", "({})", "2024 {}", "{} 12/27", "000{}", "0000{}000", "{}00",
    "order 17: {}, thanks", "x{}x", "№{}№",
)  # fmt: skip
FORMS = [
    *((f"{scheme}, {kind}", sep.join(as_issued(number)))
      for scheme, number in CARDS.items() for kind, sep in SEPARATORS.items()),
    *((f"{scheme}, {kind} digits", write(number)) for scheme, number in CARDS.items()
      for kind, write in DIGITS.items()),
    *((f"{scheme} in {frame}", frame.format(number)) for scheme, number in CARDS.items() for frame in FRAMES),
    *((f"{scheme}, each digit apart by {kind}", sep.join(number)) for scheme, number in CARDS.items()
      for kind, sep in SEPARATORS.items()),
    *((f"{scheme}, pairs", " ".join(number[at : at + 2] for at in range(0, len(number), 2)))
      for scheme, number in CARDS.items()),
    *((f"{scheme}, threes", "-".join(number[at : at + 3] for at in range(0, len(number), 3)))
      for scheme, number in CARDS.items()),
    *((f"{scheme}, cut at {cut}", f"{number[:cut]} {number[cut:]}") for scheme, number in CARDS.items()
      for cut in (1, 4, 6, 8, 12)),
    *((f"{scheme}, mixed", f"{number[:4]}\u00a0{number[4:8]}\u2011{number[8:12]}\u2013{number[12:]}")
      for scheme, number in CARDS.items()),
]  # fmt: skip


def test_there_are_many_forms() -> None:
    assert len({text for _, text in FORMS}) > 1500


@pytest.mark.parametrize("scheme", CARDS)
def test_a_card_number_is_found_however_it_is_written(scheme: str) -> None:
    forms = [(form, text) for form, text in FORMS if form.startswith((f"{scheme},", f"{scheme} in"))]
    assert [(form, text) for form, text in forms if not has_card_number(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "order 12345",
        "4111111111111112",  # fails the Luhn test
        "411111111111",  # 12 digits
        "4111a1111b1111c1111",
        "41111111111111112345",  # 20 digits in one group
        "9111111111111111"[:-1] + "6",  # no issuer's
        "1700000000000",
        "2024-02-29 12:30:45.123456",
        "2024-02-29T12:30:45Z",
        "550e8400-e29b-41d4-a716-446655440000",
        "de89 3704 0044 0532 0130 00",
        "DE89370400440532013000",
        "GB29NWBK60161331926819",
        "4 5 5 3 2 1 4 4 5 1 3 2 4 5 5 5 1 2 3 4",  # answers to twenty questions
        "12.50 3.99 4.00 17.25 4.10 8.00",
    ],
)
def test_what_is_no_card_number_is_left_alone(text: str) -> None:
    assert not has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "DE88 3704 0044 0532 0130 00 4111 1111 1111 1111",
        "XX89370400440532 4111111111111111",
        "de8937040044 4111111111111111",  # begins as an IBAN, and is none
        "41111111-1111-1111-8111-111111111111",  # digits in the form of a UUID
        "550e8400-e29b-41d4-a716-446655440000 4111111111111111",
        "2024-02-29 12:30:45 4111111111111111",
    ],
)
def test_nothing_hides_beside_what_is_left_alone(text: str) -> None:
    assert has_card_number(text)


COUNTER = itertools.count()


def any_number(low: int, high: int) -> int:
    """A number from `low` to below `high`, as good as random and the same in every run."""
    digest = hashlib.sha256(next(COUNTER).to_bytes(8, "big")).digest()
    return low + int.from_bytes(digest, "big") % (high - low)


def iban(country: str, length: int) -> str:
    account = str(any_number(0, 10 ** (length - 4))).zfill(length - 4)
    turned = "".join(str(int(letter, 36)) for letter in account + country) + "00"
    return f"{country}{98 - int(turned) % 97:02}{account}"


def in_fours(text: str) -> str:
    return " ".join(fours(text))


IBANS = itertools.cycle((("DE", 22), ("FR", 27), ("ES", 24), ("PL", 28), ("NO", 15), ("BE", 16), ("CH", 21)))


@pytest.mark.parametrize(
    ("make", "most_percent"),
    [
        (lambda: str(any_number(1_400_000_000_000, 2_000_000_000_000)), 0.1),
        (lambda: str(any_number(1_400_000_000_000_000, 2_000_000_000_000_000)), 0.1),
        (lambda: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(any_number(0, 2_000_000_000))), 0.1),
        (lambda: str(uuid.UUID(int=any_number(0, 2**128), version=4)), 0.1),
        (lambda: uuid.UUID(int=any_number(0, 2**128), version=4).hex, 0.1),
        (lambda: f"{any_number(0, 2**256):064x}", 0.1),
        (lambda: iban(*next(IBANS)), 0.1),
        (lambda: in_fours(iban(*next(IBANS))), 0.1),
        (lambda: str(any_number(10**9, 10**12)), 0.0),
        (lambda: str(any_number(10**15, 10**16)), 4.0),
        (lambda: in_fours(str(any_number(10**15, 10**16))), 4.0),
    ],
    ids=[
        "milliseconds", "microseconds", "dates with times", "uuids", "bare uuids", "hashes", "ibans",
        "spaced ibans", "up to 12 digits", "16 digits", "spaced 16 digits",
    ],
)  # fmt: skip
def test_few_innocents_are_refused(make: Callable[[], str], most_percent: float) -> None:
    count = 20_000
    refused = sum(has_card_number(make()) for _ in range(count))
    assert 100 * refused / count <= most_percent


@given(st.text(alphabet="0123456789", min_size=12, max_size=18))
def test_exactly_one_check_digit_passes(payload: str) -> None:
    assert sum(passes_luhn(payload + digit) for digit in "0123456789") == 1


@given(st.text(max_size=600))
def test_any_text_is_looked_through(text: str) -> None:
    has_card_number(text)
    has_security_code(text)
    is_security_code(text, text)
    is_split_card(text, text)


class TestSplit:
    @pytest.mark.parametrize(
        ("one", "other"),
        [("41111111", "11111111"), ("4111", "111111111111"), ("4111 1111 ", "-1111 1111"),
         ("\uff13\uff17\uff18\uff12", "82246310005")],
    )  # fmt: skip
    def test_halves_are_one(self, one: str, other: str) -> None:
        assert is_split_card(one, other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("41111111", "11111112"),
            ("411", "1111111111111"),
            ("4111111111111111", "4111"),
            ("41111111 a", "11111111"),
            ("", "11111111"),
        ],
    )
    def test_others_are_not(self, one: str, other: str) -> None:
        assert not is_split_card(one, other)

    @pytest.mark.parametrize(
        "changes",
        [
            {"metadata": {"a": "41111111", "b": "11111111"}},
            {"metadata": {"41111111": "11111111"}},
            {"metadata": {"41111111": "", "11111111": ""}},
            {"metadata": {"a": "11111111"}, "description": "41111111"},
            {"metadata": {"a": "11111111"}, "customer_id": "41111111"},
            {"description": "11111111", "customer_id": "41111111"},
        ],
    )
    def test_a_payment_with_them_is_refused(self, site: Site, changes: dict[str, object]) -> None:
        refused = site.pay(body=valid_body() | changes)
        assert refused.status == 422
        assert "continue a card number" in refused.text
        assert "1111" not in refused.text + site.log.getvalue()
        assert site.region.calls == []


class TestSecurityCodes:
    @pytest.mark.parametrize(
        "name",
        [
            "cvv", "CVV", "cvv2", "cvc", "card_cvc", "cardCvv", "c_v_v", "security-code", "cardSecurityCode",
            "card verification value", "\uff43\uff56\uff56", "c\u200bvv", "csc",
        ],
    )  # fmt: skip
    def test_a_member_that_is_one(self, site: Site, name: str) -> None:
        assert is_security_code(name, "123")
        assert is_security_code(name, " 1234 ")
        refused = site.pay(metadata={"order": "17", name: "123"})
        assert refused.json()["errors"] == [
            {"field": "/metadata (value of entry 2)", "detail": "must not be a card's security code"}
        ]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("cvv_result", "M"), ("cvc_check", "pass"), ("order", "123"), ("cvv", "***"), ("cid", "1234")],
    )
    def test_a_member_that_is_none(self, site: Site, name: str, value: str) -> None:
        assert site.pay(metadata={name: value}).status == 201

    @pytest.mark.parametrize("text", ["CVV: 123", "cvc 1234", "the cvv2 is 123", "Security code 123"])
    def test_a_text_that_says_one(self, site: Site, text: str) -> None:
        assert has_security_code(text)
        assert site.pay(description=text).status == 422

    @pytest.mark.parametrize("text", ["cvv checked", "cvc 12", "cvv 12345", "postal code 123"])
    def test_a_text_that_says_none(self, text: str) -> None:
        assert not has_security_code(text)


@pytest.mark.parametrize("text", [form for _, form in FORMS[:40]])
@pytest.mark.parametrize("field", ["customer_id", "description", "metadata"])
def test_no_field_takes_one(site: Site, field: str, text: str) -> None:
    value = {"order": text} if field == "metadata" else text
    refused = site.pay(body=valid_body() | {field: value})
    assert refused.status == 422
    assert site.region.calls == []
