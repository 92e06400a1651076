"""Reading properties: a value, or one of three reasons for none, whatever is written there."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.checks.manifest import (
    Block,
    Json,
    Manifest,
    Missing,
    PolicyDocument,
    Reference,
    Resource,
    Unreadable,
    Unresolved,
    WrongType,
)
from payinfra.checks.manifest.paths import parse

BODY: dict[str, Json] = {
    "name": "table",
    "escaped": "$${x}",
    "number": 7,
    "ratio": 0.5,
    "digits": "42",
    "decimal": "4.5",
    "on": True,
    "on_text": "true",
    "off_text": "false",
    "nothing": None,
    "named": "${local.name}",
    "named_null": "${local.none}",
    "arn": "${aws_kms_key.k.arn}/*",
    "block": {"a": {"b": "deep"}},
    "one": [{"a": [{"b": "deep"}]}],
    "several": [{"a": 1}, {"a": 2}],
    "empty": [],
    "texts": ["x", "${local.name}", "${aws_kms_key.k.arn}"],
    "mixed": ["x", 1],
    "texts_named": "${local.list}",
    "blocks_named": "${local.blocks}",
    "block_named": "${local.map}",
    "blocks_partly": ["${local.map}", {"x": 2}],
    "blocks_unknown": ["${var.block}"],
    "blocks_wrong": [{"x": 1}, 3],
    "tags": {"A": "1", "B": "${local.name}", "C": "${aws_kms_key.k.arn}"},
    "tags_list": [{"A": "1"}],
    "made": [{"a": 1}],
    "dynamic": {"made": {"for_each": "${var.x}", "content": {"a": 2}}},
}
LOCALS: dict[str, Json] = {
    "name": "pay",
    "none": None,
    "list": ["a", "b"],
    "map": {"x": 1},
    "blocks": [{"x": 1}, {"x": 2}],
}


def resource(body: dict[str, Json] | None = None) -> Resource:
    """A resource with the body above, or another."""
    manifest = Manifest.from_json(
        {
            "locals": LOCALS,
            "resource": {"aws_thing": {"t": BODY if body is None else body}, "aws_kms_key": {"k": {}}},
        },
        folder=Path("made"),
    )
    found = manifest.resource("aws_thing.t")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "table"),
        ("escaped", "${x}"),
        ("number", 7),
        ("named", "pay"),
        ("block.a.b", "deep"),
        ("block[0].a[0].b", "deep"),
        ("one.a.b", "deep"),
        ("one[0].a[0].b", "deep"),
        ("several[1].a", 2),
        ("texts[0]", "x"),
        ("block_named.x", 1),
        ("blocks_named[1].x", 2),
        ("texts_named", ["a", "b"]),
        ("nothing", Missing("nothing")),
        ("named_null", Missing("named_null")),
        ("other", Missing("other")),
        ("other.deeper[3].still", Missing("other")),
        ("block[1]", Missing("block[1]")),
        ("several[9]", Missing("several[9]")),
        ("empty.a", Missing("empty.a")),
        ("arn", Unresolved("arn", "${aws_kms_key.k.arn}/*")),
        ("arn.part", Unresolved("arn.part", "${aws_kms_key.k.arn}/*")),
        ("made.a", Unresolved("made.a", "${var.x}")),
        ("several.a", WrongType("several", "2 blocks", "one block")),
        ("name.a", WrongType("name", "text", "a block")),
        ("number[0]", WrongType("number", "a number", "a block")),
    ],
)
def test_get(path: str, value: object) -> None:
    assert resource().get(path) == value


def test_dynamic_blocks_may_be_written_as_a_list() -> None:
    body: dict[str, Json] = {"dynamic": [{"a": {}}, {"replica": {}}, 3]}

    assert isinstance(resource(body).blocks("replica"), Unresolved)
    assert resource(body).blocks("other") == Missing("other")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "table"),
        ("number", "7"),
        ("ratio", "0.5"),
        ("on", "true"),
        ("nothing", Missing("nothing")),
        ("block", WrongType("block", "a block", "text")),
        ("several", WrongType("several", "a list", "text")),
    ],
)
def test_text(path: str, value: object) -> None:
    assert resource().text(path) == value


def test_false_is_text_too() -> None:
    assert resource({"off": False}).text("off") == "false"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("arn", "${aws_kms_key.k.arn}/*"),
        ("named", "pay"),
        ("number", "7"),
        ("texts_named", WrongType("texts_named", "a list", "text")),
        ("other", Missing("other")),
    ],
)
def test_template(path: str, value: object) -> None:
    assert resource().template(path) == value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("on", True),
        ("on_text", True),
        ("off_text", False),
        ("other", Missing("other")),
        ("number", WrongType("number", "a number", "a boolean")),
        ("name", WrongType("name", "text", "a boolean")),
    ],
)
def test_flag(path: str, value: object) -> None:
    assert resource().flag(path) == value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("number", 7),
        ("ratio", 0.5),
        ("digits", 42),
        ("decimal", 4.5),
        ("other", Missing("other")),
        ("on", WrongType("on", "a boolean", "a number")),
        ("name", WrongType("name", "text", "a number")),
        ("block", WrongType("block", "a block", "a number")),
    ],
)
def test_number(path: str, value: object) -> None:
    assert resource().number(path) == value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("texts", ("x", "pay", "${aws_kms_key.k.arn}")),
        ("texts_named", ("a", "b")),
        ("name", ("table",)),
        ("arn", Unresolved("arn", "${aws_kms_key.k.arn}/*")),
        ("other", Missing("other")),
        ("mixed", WrongType("mixed[1]", "a number", "text")),
        ("number", WrongType("number", "a number", "a list of texts")),
    ],
)
def test_texts(path: str, value: object) -> None:
    assert resource().texts(path) == value


@pytest.mark.parametrize(
    ("path", "bodies"),
    [
        ("block", [{"a": {"b": "deep"}}]),
        ("several", [{"a": 1}, {"a": 2}]),
        ("blocks_named", [{"x": 1}, {"x": 2}]),
        ("block_named", [{"x": 1}]),
        ("blocks_partly", [{"x": 1}, {"x": 2}]),
    ],
)
def test_blocks(path: str, bodies: list[Json]) -> None:
    found = resource().blocks(path)

    assert not isinstance(found, Unreadable)
    assert [one.body for one in found] == bodies


@pytest.mark.parametrize(
    ("path", "gap"),
    [
        ("other", Missing("other")),
        ("empty", Missing("empty")),
        ("arn", Unresolved("arn", "${aws_kms_key.k.arn}/*")),
        ("blocks_unknown", Unresolved("blocks_unknown[0]", "${var.block}")),
        ("blocks_wrong", WrongType("blocks_wrong[1]", "a number", "a block")),
        ("name", WrongType("name", "text", "a block")),
        ("number", WrongType("number", "a number", "a block")),
    ],
)
def test_blocks_that_cannot_be_read(path: str, gap: Unreadable) -> None:
    assert resource().blocks(path) == gap
    assert resource().block(path) == gap


def test_a_nested_block_says_where_it_stands() -> None:
    block = resource().block("one")

    assert isinstance(block, Block)
    assert block.path == "one[0]"
    assert block.text("a.c") == Missing("one[0].a.c")
    assert block.get("z") == Missing("one[0].z")


def test_one_block_is_meant_and_several_are_there() -> None:
    assert resource().block("several") == WrongType("several", "2 blocks", "one block")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tags", {"A": "1", "B": "pay", "C": "${aws_kms_key.k.arn}"}),
        ("tags_list", {"A": "1"}),
        ("block_named", {"x": 1}),
        ("other", Missing("other")),
        ("arn", Unresolved("arn", "${aws_kms_key.k.arn}/*")),
        ("several", WrongType("several", "a list", "a map")),
        ("name", WrongType("name", "text", "a map")),
    ],
)
def test_mapping(path: str, value: object) -> None:
    assert resource().mapping(path) == value


def test_references_are_found_however_deep_and_each_once() -> None:
    key = Reference("aws_kms_key.k", "arn")

    assert resource().references() == (key,)
    assert resource().references("tags") == (key,)
    assert resource().references("name") == ()
    assert resource().references("other") == ()


def test_references_behind_a_local_list_are_found() -> None:
    manifest = Manifest.from_json(
        {"locals": {"all": ["${aws_a.b.c}"]}, "resource": {"aws_x": {"y": {"z": "${local.all}"}}}}
    )

    assert manifest.resources[0].references("z") == (Reference("aws_a.b", "c"),)


def test_a_file_name_starts_from_the_manifests_folder() -> None:
    assert resource({"zip": "assets/a.zip"}).file("zip") == Path("made/assets/a.zip")
    assert resource({}).file("zip") == Missing("zip")


def test_has_tells_absent_from_everything_else() -> None:
    assert resource().has("arn")
    assert not resource().has("nothing")


def test_a_policy_that_is_not_set_is_absent() -> None:
    assert resource({}).policy("policy") == Missing("policy")


def test_a_policy_is_read_where_it_stands() -> None:
    text = json.dumps({"Statement": {"Effect": "Allow", "Action": "s3:Get*"}})

    assert isinstance(resource({"policy": text}).policy("policy"), PolicyDocument)


@pytest.mark.parametrize(
    ("gap", "why"),
    [
        (Missing("a.b"), "a.b is not set"),
        (Unresolved("a", "${var.x}"), "a cannot be resolved here: ${var.x}"),
        (WrongType("a", "text", "a number"), "a is text, not a number"),
    ],
)
def test_every_gap_says_why(gap: Unreadable, why: str) -> None:
    assert gap.why == why


def test_a_long_expression_is_cut_in_the_middle() -> None:
    why = Unresolved("a", "x" * 1000).why

    assert "…" in why
    assert len(why) < 200


@pytest.mark.parametrize("path", ["a..b", "[x]", "a[", "a]"])
def test_a_malformed_path_is_a_bug(path: str) -> None:
    with pytest.raises(ValueError, match="not a property path"):
        parse(path)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet='ab${}."', max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["a", "a.b", "a[0]", "a[1].b.c", "b.a.c[2]"]))
def test_no_value_makes_an_accessor_raise(value: Json, path: str) -> None:
    found = resource({"a": value, "b": {"a": value}})

    for read in (
        found.get,
        found.text,
        found.template,
        found.flag,
        found.number,
        found.texts,
        found.blocks,
        found.block,
        found.mapping,
        found.policy,
        found.references,
        found.has,
    ):
        read(path)
    assert isinstance(found.text(path), str | Unreadable)
