"""From bytes to sections: whatever is in the file, the answer is its content or one clear sentence."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.checks.manifest import reading
from payinfra.checks.manifest.json_value import Json
from payinfra.core.errors import EnvironmentUnusable, ExitCode


def refusal(text: str) -> str:
    """The sentence with which a text is refused."""
    with pytest.raises(EnvironmentUnusable) as caught:
        reading.parse(text, "x.tf.json")
    assert caught.value.exit_code == ExitCode.UNUSABLE_ENVIRONMENT
    return caught.value.what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" \n\t ", "is empty"),
        ('{"resource": {"aws_s3_bucket"', "cut off"),
        ('{"resource": {"aws', "cut off"),
        ('{"resource": }', "no JSON: Expecting value at line 1, column 14"),
        ('{"a": 1, "a": 2}', "'a' twice"),
        ('resource "aws_s3_bucket" "b" {\n}', "is HCL"),
        ("# a comment\nlocals {\n}", "is HCL"),
        ('region = "us-east-1"', "is HCL"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 200 + "1" + "}" * 200, "nested too deeply"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": ' + "9" * 5000 + "}", "no JSON that Terraform reads"),
        ('"text"', "the whole of it is text, not an object"),
        ("3", "the whole of it is a number"),
        ("null", "is null"),
        ("true", "the whole of it is a boolean"),
        ("[1]", "has a number where an object is due"),
        ('[{"a": 1}, {"a": 2}]', "has 'a' twice"),
    ],
)
def test_bad_text_is_refused_in_one_sentence(text: str, said: str) -> None:
    what = refusal(text)

    assert said in what
    assert what.startswith("x.tf.json")
    assert "\n" not in what


def test_a_key_that_only_comments_may_be_there_twice() -> None:
    assert reading.parse('{"//": "one", "//": "two", "a": 1}', "f") == {"//": "two", "a": 1}


def test_a_list_of_objects_is_one_object_and_parts_of_a_section_meet() -> None:
    text = '[{"resource": {"a": 1}}, {"resource": {"b": 2}, "//": "x"}, {"//": "y"}]'

    assert reading.parse(text, "f") == {"resource": {"a": 1, "b": 2}, "//": "y"}


def test_null_is_an_empty_section() -> None:
    assert reading.section(None, "locals", "f") == {}


@pytest.mark.parametrize("body", [3, "text", [], [{}, {}], ["x"], None])
def test_a_resource_that_is_no_block_is_refused(body: Json) -> None:
    with pytest.raises(EnvironmentUnusable, match=r"aws_x\.y is "):
        list(reading.labelled({"aws_x": {"y": body}}, "resource", "f"))


def test_comments_between_resources_are_passed_over_and_a_list_of_one_is_its_block() -> None:
    section: Json = {"//": "x", "aws_x": {"//": {}, "y": [{"a": 1}]}}

    assert list(reading.labelled(section, "resource", "f")) == [("aws_x", "y", {"a": 1})]


def test_a_file_is_read_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}')

    assert reading.read_text(file) == '{"a": 1}'


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="No such file"):
        reading.read_text(tmp_path / "none")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="Is a directory"):
        reading.read_text(tmp_path)


def test_a_path_that_no_system_takes_is_refused() -> None:
    with pytest.raises(EnvironmentUnusable, match=r"a\\0b cannot be read: a path has no null character"):
        reading.read_text(Path("a\0b"))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(EnvironmentUnusable, match="not UTF-8"):
        reading.read_text(file)


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    with file.open("wb") as sparse:
        sparse.truncate(600 * 1024 * 1024)

    with pytest.raises(EnvironmentUnusable, match="larger than 512 MB"):
        reading.read_text(file)


@given(st.text())
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        found = reading.parse(text, "f")
    except EnvironmentUnusable:
        return
    assert isinstance(found, dict)
    assert json.loads(text) in (found, [found]) or isinstance(json.loads(text), list)
