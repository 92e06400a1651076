"""How many there are of each block: `count`, `for_each`, `dynamic`, variables, and files of one module."""

from pathlib import Path

import pytest

from payinfra.checks.manifest import Given, Json, Manifest, Unresolved
from payinfra.checks.manifest.configuration import ConfigurationFile, read
from payinfra.core.errors import EnvironmentUnusable


def manifest(resources: Json, *, given: Given | None = None, **more: Json) -> Manifest:
    """A manifest with these resources."""
    return Manifest.from_json({"resource": resources, **more}, given=given or Given())


def made(body: Json, *, given: Given | None = None, **more: Json) -> list[str]:
    """The addresses of what one block makes, with a question mark behind what may not be made at all."""
    one = manifest({"aws_x": {"a": body}}, given=given, **more)
    return [f"{each.address}{'?' if each.conditional else ''}" for each in one.resources]


@pytest.mark.parametrize(
    "count",
    [
        0,
        0.0,
        "0",
        "${0}",
        '${"0"}',
        "${local.none}",
        "${local.none + 0}",
        "${false ? 1 : 0}",
        "${local.off ? 1 : 0}",
        "${!local.off ? 0 : 1}",
        "${length(local.nobody)}",
        "${length([])}",
        "${1 - 1}",
        "${local.off == true ? 1 : 0}",
        "${-1}",
    ],
)
def test_a_count_of_zero_in_any_spelling_makes_nothing(count: Json) -> None:
    assert made({"count": count}, locals={"none": 0, "off": False, "nobody": []}) == []


@pytest.mark.parametrize(
    "each",
    [
        [],
        {},
        "${[]}",
        "${{}}",
        "${toset([])}",
        "${tomap({})}",
        "${local.nobody}",
        "${{for name in local.nobody : name => name}}",
        '${local.off ? toset(["a"]) : toset([])}',
    ],
)
def test_an_empty_for_each_makes_nothing(each: Json) -> None:
    assert made({"for_each": each}, locals={"off": False, "nobody": []}) == []


@pytest.mark.parametrize(
    ("body", "addresses"),
    [
        ({"count": 2}, ["aws_x.a[0]", "aws_x.a[1]"]),
        ({"count": "2"}, ["aws_x.a[0]", "aws_x.a[1]"]),
        ({"count": "${true ? 1 : 0}"}, ["aws_x.a[0]"]),
        ({"count": "${false ? 3 : 1}"}, ["aws_x.a[0]"]),
        ({"count": False}, ["aws_x.a"]),
        ({"count": 10_000}, ["aws_x.a"]),
        ({"for_each": ["eu", "us"]}, ['aws_x.a["eu"]', 'aws_x.a["us"]']),
        ({"for_each": {"eu": 1}}, ['aws_x.a["eu"]']),
        ({"for_each": '${toset(["b", "a", "b"])}'}, ['aws_x.a["a"]', 'aws_x.a["b"]']),
        ({"for_each": '${{for name in ["a"] : "${name}-1" => name}}'}, ['aws_x.a["a-1"]']),
        ({}, ["aws_x.a"]),
        ({"count": None, "for_each": None}, ["aws_x.a"]),
    ],
)
def test_each_instance_has_terraforms_address(body: Json, addresses: list[str]) -> None:
    assert made(body) == addresses


@pytest.mark.parametrize(
    ("body", "addresses"),
    [
        ({"count": "${var.number}"}, ["aws_x.a?"]),
        ({"count": "${data.aws_y.z.count}"}, ["aws_x.a?"]),
        ({"count": "${var.closed ? 1 : 0}"}, ["aws_x.a?"]),
        ({"count": "${var.open ? 1 : 0}"}, ["aws_x.a[0]?"]),
        ({"count": "${local.open ? 1 : 0}"}, ["aws_x.a[0]?"]),
        ({"count": "${var.number > 3 ? 3 : 2}"}, ["aws_x.a"]),
        ({"count": "${var.number > 3 ? var.number : 2}"}, ["aws_x.a?"]),
        ({"count": "no number at all"}, ["aws_x.a?"]),
        ({"count": "${var.many}"}, ["aws_x.a?"]),
        ({"for_each": "${var.names}"}, ["aws_x.a?"]),
        ({"for_each": "${var.nobody}"}, ["aws_x.a?"]),
        ({"for_each": "${toset(var.names)}"}, ["aws_x.a?"]),
        ({"for_each": ["${aws_y.z.id}"]}, ["aws_x.a"]),
        ({"for_each": "text"}, ["aws_x.a?"]),
        ({"for_each": {"a": "${"}}, ["aws_x.a"]),
        ({"for_each": '${toset([for n in range(900) : "k${n}"])}'}, ["aws_x.a"]),
    ],
)
def test_what_a_variable_or_terraform_decides_may_not_be_there(body: Json, addresses: list[str]) -> None:
    variables: Json = {
        "number": {},
        "names": {},
        "nobody": {"default": []},
        "many": {"default": 9_999},
        "closed": {"default": False},
        "open": {"default": True},
    }

    assert made(body, variable=variables, locals={"open": "${var.open}"}) == addresses


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        (Given(texts={"closed": "true"}), ["aws_x.a[0]"]),
        (Given(texts={"closed": "false"}), []),
        (Given(values={"closed": True}), ["aws_x.a[0]"]),
        (Given(values={"closed": True, "of_another_module": 1}), ["aws_x.a[0]"]),
    ],
)
def test_a_variable_that_is_given_decides(given: Given, addresses: list[str]) -> None:
    body: Json = {"count": "${var.closed ? 1 : 0}"}

    assert made(body, given=given, variable={"closed": {"type": "bool"}}) == addresses


def test_a_text_is_an_expression_unless_the_variable_is_a_text() -> None:
    variables: Json = {
        "plain": {},
        "text": {"type": "string"},
        "list": {"type": "list(string)"},
        "broken": {"type": "list(string)"},
    }
    texts = {"plain": "[1]", "text": "[1]", "list": '["a", "b"]', "broken": "[1"}

    one = manifest({"aws_x": {"a": {}}}, variable=variables, given=Given(texts=texts))

    assert dict(one.variables) == {"plain": "[1]", "text": "[1]", "list": ["a", "b"], "broken": "[1"}


def test_a_variable_that_the_module_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(EnvironmentUnusable, match=r"^cdk\.tf\.json has no variable 'regoin'\.$"):
        manifest({"aws_x": {"a": {}}}, variable={"region": {}}, given=Given(texts={"regoin": "secret"}))


def test_an_instance_knows_its_own_key() -> None:
    body: Json = {
        "for_each": {"eu": {"region": "eu-west-1"}, "us": {"region": "us-east-1"}},
        "name": "pay-${each.key}",
        "region": "${each.value.region}",
        "tags": {"other": "${each.value}", "broken": "${each.key"},
    }
    counted: Json = {"count": 2, "name": "pay-${count.index + 1}", "twin": "${aws_x.a[count.index].arn}"}

    one = manifest({"aws_x": {"a": body}, "aws_y": {"b": counted}})
    eu, us, first, second = one.resources

    assert (eu.text("name"), eu.text("region")) == ("pay-eu", "eu-west-1")
    assert (us.text("name"), us.text("region")) == ("pay-us", "us-east-1")
    assert [first.text("name"), second.text("name")] == ["pay-1", "pay-2"]
    assert second.template("twin") == "${aws_x.a[1].arn}"
    assert eu.raw("tags.broken") == "${each.key"


def test_one_for_each_instance_of_another_block_belongs_to_that_instance() -> None:
    one = manifest(
        {
            "aws_s3_bucket": {"b": {"for_each": ["eu", "us"], "bucket": "pay-${each.key}"}},
            "aws_s3_bucket_versioning": {
                "v": {"for_each": "${aws_s3_bucket.b}", "bucket": "${each.value.id}"},
                "only_eu": {"bucket": '${aws_s3_bucket.b["eu"].id}'},
                "one_of_them": {"bucket": "${aws_s3_bucket.b[var.which].id}"},
            },
        }
    )
    eu, us = one.all("aws_s3_bucket")
    found = one.attached(eu, "aws_s3_bucket_versioning", by="bucket")

    assert [each.address for each in found.resources] == [
        'aws_s3_bucket_versioning.v["eu"]',
        "aws_s3_bucket_versioning.only_eu",
    ]
    assert [each.name for each in found.unclear] == ["one_of_them"]
    assert one.resource("aws_s3_bucket.b") is None
    assert one.referents(one.all("aws_s3_bucket_versioning")[-1], "bucket") == (eu, us)


@pytest.mark.parametrize(
    "each",
    [
        "${aws_x.counted}",
        "${aws_x.numbered}",
        "${aws_x.unsure}",
        "${aws_x.only}",
        "${aws_x.none}",
        "${aws_x.circle}",
    ],
)
def test_one_for_each_of_what_has_no_known_keys_stands_for_all(each: str) -> None:
    others: Json = {
        "counted": {"count": 1},
        "numbered": {"for_each": {"a": 1}, "count": 1},
        "unsure": {"for_each": "${var.names}"},
        "only": {},
        "circle": {"for_each": "${aws_x.circle}"},
    }
    one = manifest({"aws_x": others, "aws_y": {"a": {"for_each": each}}}, variable={"names": {}})

    assert [each.address for each in one.all("aws_y")] == ["aws_y.a"]


def blocks(dynamic: Json, static: Json = None, **more: Json) -> object:
    """The actions of every statement of a document; the Gap where they are not known."""
    body: dict[str, Json] = {"dynamic": dynamic} | ({} if static is None else {"statement": static})
    one = Manifest.from_json({"data": {"aws_iam_policy_document": {"d": body}}, **more})
    found = one.data[0].blocks("statement")
    return [block.texts("actions") for block in found] if isinstance(found, tuple) else found


def test_dynamic_and_static_blocks_keep_the_order_of_the_file() -> None:
    content: Json = {"actions": ["${statement.value}"]}
    spec: Json = {"for_each": ["s3:*", "sns:*"], "content": content}

    statics: tuple[Json, Json] = ({"actions": ["a:b"]}, [{"actions": ["a:b"]}])
    for static in statics:
        assert blocks({"statement": spec}, static) == [("s3:*",), ("sns:*",), ("a:b",)]
        before: Json = {"statement": static, "dynamic": {"statement": spec}}
        one = Manifest.from_json({"data": {"aws_iam_policy_document": {"d": before}}})
        found = one.data[0].blocks("statement")
        assert isinstance(found, tuple)
        assert [block.texts("actions") for block in found] == [("a:b",), ("s3:*",), ("sns:*",)]
    assert blocks([{"statement": [spec]}]) == [("s3:*",), ("sns:*",)]


def test_a_dynamic_block_takes_maps_iterators_and_blocks_within() -> None:
    spec: Json = {
        "for_each": {"a": ["x"], "b": []},
        "iterator": "each_one",
        "content": [
            {
                "actions": ["${each_one.key}:*"],
                "dynamic": {
                    "condition": {"for_each": "${each_one.value}", "content": {"test": "${condition.value}"}}
                },
            }
        ],
    }
    one = Manifest.from_json({"data": {"aws_iam_policy_document": {"d": {"dynamic": {"statement": spec}}}}})

    assert one.data[0].raw("statement") == [
        {"actions": ["a:*"], "condition": [{"test": "x"}]},
        {"actions": ["b:*"]},
    ]


@pytest.mark.parametrize(
    ("spec", "expression"),
    [
        ({"for_each": "${var.statements}", "content": {}}, "${var.statements}"),
        ({"for_each": 3, "content": {}}, '${dynamic "statement"}'),
        ({"for_each": ["a"]}, '${dynamic "statement"}'),
        ({"content": {}}, '${dynamic "statement"}'),
        ({"for_each": ["${"], "content": {}}, '${dynamic "statement"}'),
        (3, '${dynamic "statement"}'),
    ],
)
def test_a_dynamic_block_that_is_not_known_is_never_dropped(spec: Json, expression: str) -> None:
    found = blocks({"statement": spec}, {"actions": ["a:b"]})

    assert isinstance(found, Unresolved)
    assert found.expression == expression


def test_a_dynamic_block_of_nobody_leaves_the_static_ones() -> None:
    spec: Json = {"for_each": "${local.more}", "content": {"actions": ["*"]}}

    assert blocks({"statement": spec}, {"actions": ["a:b"]}, locals={"more": []}) == [("a:b",)]
    assert blocks({"other": spec}, {"actions": ["a:b"]}, locals={"more": ["x"]}) == [("a:b",)]


def test_defaults_and_given_values_are_the_variables_values() -> None:
    providers: Json = {"aws": [{"alias": "home", "region": "${var.home}"}]}
    body: Json = {"aws_x": {"a": {"provider": "aws.home", "name": "${var.nameless}"}}}
    variables: Json = {"home": {"default": "eu-west-1"}, "nameless": {}}

    by_default = manifest(body, provider=providers, variable=variables)
    given = manifest(body, provider=providers, variable=variables, given=Given(texts={"home": "eu-north-1"}))

    assert by_default.resources[0].region == "eu-west-1"
    assert given.resources[0].region == "eu-north-1"
    assert by_default.resources[0].text("name") == Unresolved("name", "${var.nameless}")


BUCKET: Json = {"aws_s3_bucket": {"b": {"bucket": "audit"}}}
BLOCK: Json = {"aws_s3_bucket_public_access_block": {"b": {"bucket": "${aws_s3_bucket.b.id}"}}}


class TestSeveralFiles:
    """All files of a folder are one module."""

    def test_they_are_judged_together(self) -> None:
        sources = [
            ConfigurationFile("a.tf.json", {"resource": BUCKET}),
            ConfigurationFile("b.tf.json", {"resource": BLOCK}),
        ]
        one = Manifest(read(sources, Path()))
        (bucket,) = one.all("aws_s3_bucket")

        assert one.attached(bucket, "aws_s3_bucket_public_access_block", by="bucket").resources
        assert [each.manifest_file for each in one.resources] == ["a.tf.json", "b.tf.json"]
        assert (one.file, one.files) == ("a.tf.json", ("a.tf.json", "b.tf.json"))

    @pytest.mark.parametrize(
        ("section", "what"),
        [
            ({"resource": {"aws_s3_bucket": {"b": {}}}}, r"aws_s3_bucket\.b"),
            ({"data": {"aws_y": {"z": {}}}}, r"data\.aws_y\.z"),
            ({"locals": {"name": 1}}, "locals 'name'"),
            ({"variable": {"name": {}}}, "variable 'name'"),
            ({"output": {"name": {}}}, "output 'name'"),
        ],
    )
    def test_what_is_in_two_of_them_is_refused(self, section: dict[str, Json], what: str) -> None:
        sources = [ConfigurationFile("a.tf.json", section), ConfigurationFile("b.tf.json", section)]

        with pytest.raises(EnvironmentUnusable, match=rf"^{what} is in a\.tf\.json and in b\.tf\.json\.$"):
            read(sources, Path())

    def test_what_is_twice_in_one_of_them_is_refused(self) -> None:
        section: dict[str, Json] = {"locals": {"name": 1}}

        with pytest.raises(EnvironmentUnusable, match=r"twice in a\.tf\.json"):
            read([ConfigurationFile("a.tf.json", section), ConfigurationFile("a.tf.json", section)], Path())

    @pytest.mark.parametrize("name", ["override.tf.json", "b_override.tf.json", "override.tf"])
    def test_an_override_replaces_what_it_names_wherever_it_stands(self, name: str) -> None:
        override: dict[str, Json] = {
            "resource": {"aws_s3_bucket": {"b": {"bucket": "other"}, "new": {}}},
            "locals": {"name": 2},
            "variable": {"v": {"default": 2}},
        }
        base: dict[str, Json] = {
            "resource": {"aws_s3_bucket": {"b": {"bucket": "audit", "force_destroy": True}}},
            "locals": {"name": 1},
            "variable": {"v": {"type": "number"}},
        }
        one = Manifest(
            read([ConfigurationFile(name, override), ConfigurationFile("a.tf.json", base)], Path())
        )

        assert [each.body for each in one.resources] == [{"bucket": "other", "force_destroy": True}, {}]
        assert (one.locals["name"], one.variables["v"]) == (2, 2)


@pytest.mark.parametrize(
    ("each", "keys"),
    [
        ('${toset(["b", "a"])}', ["a", "b"]),
        ("${local.names}", ["a", "b"]),
        ('${setsubtract(["a", "b"], ["b"])}', ["a"]),
        ("${[for name in local.names : name]}", ["0", "1"]),
        (["a"], ["0"]),
    ],
)
def test_the_key_of_an_item_of_a_set_is_the_item(each: Json, keys: list[str]) -> None:
    spec: Json = {"for_each": each, "content": {"actions": ["${statement.key}:*"]}}
    names: Json = {"names": '${toset(["b", "a"])}'}
    assert blocks({"statement": spec}, locals=names) == [(f"{key}:*",) for key in keys]
