"""What the comparison of two syntheses counts as a difference."""

from scripts.compat import differences

BEFORE = '{\n "a": 1,\n "version": "5.100.0"\n}'


def test_the_provider_s_version_is_no_difference() -> None:
    assert list(differences(BEFORE, BEFORE.replace("5.100.0", "6.25.0"))) == []


def test_anything_else_is() -> None:
    assert list(differences(BEFORE, BEFORE.replace('"a": 1', '"a": 2'))) == ['- "a": 1,', '+ "a": 2,']
