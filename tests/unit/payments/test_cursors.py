"""A cursor works for the list it came from, in both regions, and for nothing else."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.payments.cursors import PARTITIONS, Position, seal, signing_key, unseal

KEY = signing_key("an api key")
ID = "pay_" + "0123456789" * 4
AT = Position(17, (("", ID),))


def test_a_cursor_leads_back_to_its_position() -> None:
    assert unseal(KEY, "list", seal(KEY, "list", AT)) == AT


@given(st.dictionaries(st.sampled_from(sorted(PARTITIONS)), st.just(ID), min_size=1))
def test_a_cursor_leads_back_to_the_position_in_every_partition(passed: dict[str, str]) -> None:
    position = Position(17, tuple(sorted(passed.items())))
    assert unseal(KEY, "list", seal(KEY, "list", position)) == position


def test_cursors_of_earlier_versions_are_taken() -> None:
    """As the version before the shards has sealed it."""
    former = "oy13sG-zcf3xIMwQKHiWJFsxNywicGF5XzAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkiXQ"
    assert unseal(KEY, "list", former) == AT
    assert seal(KEY, "list", AT) == former


def test_a_cursor_is_safe_in_a_query() -> None:
    assert set(seal(KEY, "list", AT)) <= set(base64.urlsafe_b64encode(bytes(range(256))).decode()) - {"="}


def test_a_cursor_belongs_to_one_list_and_one_secret() -> None:
    cursor = seal(KEY, "list", AT)
    assert unseal(KEY, "another", cursor) is None
    assert unseal(signing_key("another"), "list", cursor) is None


@given(st.data())
def test_no_changed_cursor_is_taken(data: st.DataObject) -> None:
    cursor = seal(KEY, "list", AT)
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda letter: letter != cursor[place]))
    assert unseal(KEY, "list", cursor[:place] + other + cursor[place + 1 :]) is None


@given(st.text(max_size=80))
def test_anything_else_is_no_cursor(text: str) -> None:
    assert unseal(KEY, "list", text) is None


def test_spare_bits_cannot_be_changed() -> None:
    positions = [Position(10**n, AT.passed) for n in range(3)]
    sealed = [seal(KEY, "list", position) for position in positions]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twins = [cursor[:-1] + letter for cursor in sealed for letter in alphabet if letter != cursor[-1]]
    assert [twin for twin in twins if unseal(KEY, "list", twin) is not None] == []


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "17",
        "{}",
        "[17]",
        f'[17, "{ID}", 1]',
        f'["17", "{ID}"]',
        f'[true, "{ID}"]',
        f'[1.5, "{ID}"]',
        f'[0, "{ID}"]',
        f'[-17, "{ID}"]',
        f'[{"9" * 30}, "{ID}"]',
        '[17, "pay_1"]',
        "[17, null]",
        "[17, {}]",
        '[17,{"0":"pay_1"}]',
        '[17,{"0":null}]',
        f'[17,{{"":"{ID}"}}]',
        f'[17,{{"10":"{ID}"}}]',
        f'[17,{{"1":"{ID}","0":"{ID}"}}]',
        f'[17,{{"0":"{ID}","#0":"{ID}"}}]',
        f'[true,{{"0":"{ID}"}}]',
        f'[0,{{"0":"{ID}"}}]',
        "[" * 100_000,
        "\xff",
    ],
)
def test_what_is_unsealed_is_checked_whoever_sealed_it(payload: str) -> None:
    """A position that no list has is refused, and does not reach the table."""
    sealed = hmac.digest(KEY, b"list\x00" + payload.encode("latin-1"), "sha256")[:16]
    cursor = base64.urlsafe_b64encode(sealed + payload.encode("latin-1")).rstrip(b"=").decode()
    assert unseal(KEY, "list", cursor) is None


def test_the_signing_key_is_hkdf() -> None:
    """As `openssl kdf HKDF` derives it: both regions and all versions must agree."""
    assert KEY.hex() == "79183154658bb071ff4d8339cb0eae0b505511ba7122fae55b5e14c77932d4db"
