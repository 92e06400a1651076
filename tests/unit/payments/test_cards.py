"""Card numbers are found however they are written; other numbers are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.payments.cards import has_card_number, passes_luhn


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "card 4111 1111 1111 1111 please",
        "4111-1111-1111-1111",
        "378282246310005",  # 15 digits
        "4222222222222",  # 13 digits
        "6304000000000000000",  # 19 digits
        "2024 4111 1111 1111 1111",  # a year before it
        "4111\u00a01111\u20111111\u20131111",
        "٤١١١١١١١١١١١١١١١",
    ],
)
def test_a_card_number_is_found(text: str) -> None:
    assert has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "order 12345",
        "4111111111111112",  # fails the Luhn test
        "411111111111",  # 12 digits
        "4111a1111b1111c1111",
        "41111111111111110000",  # 20 digits in one group
    ],
)
def test_what_is_no_card_number_is_left_alone(text: str) -> None:
    assert not has_card_number(text)


@given(st.text(alphabet="0123456789", min_size=12, max_size=18))
def test_exactly_one_check_digit_passes(payload: str) -> None:
    assert sum(passes_luhn(payload + digit) for digit in "0123456789") == 1
