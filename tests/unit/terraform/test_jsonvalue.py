from payinfra.terraform.jsonvalue import JsonValue, at, items, members, number, parse_object, text

MESSAGE: JsonValue = {"hook": {"name": "one", "seconds": 3, "list": [1, 2]}, "flat": "x"}


def test_a_line_that_is_no_object_is_none() -> None:
    assert parse_object('{"a": 1}') == {"a": 1}
    assert parse_object("Warning: something") is None
    assert parse_object("{broken") is None
    assert parse_object("[1]") is None


def test_values_are_found_under_nested_keys() -> None:
    assert text(MESSAGE, "hook", "name") == "one"
    assert number(MESSAGE, "hook", "seconds") == 3
    assert items(MESSAGE, "hook", "list") == [1, 2]
    assert members(MESSAGE, "hook")["name"] == "one"


def test_what_is_missing_or_of_another_type_is_empty() -> None:
    assert at(MESSAGE, "flat", "deeper") is None
    assert text(MESSAGE, "hook", "seconds") == ""
    assert number(MESSAGE, "flat") == 0
    assert items(MESSAGE, "flat") == ()
    assert members(MESSAGE, "flat") == {}
