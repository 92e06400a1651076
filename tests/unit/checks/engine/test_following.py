"""What a plan does not know yet is followed through files, whole modules and blocks in their order."""

import json
from pathlib import Path
from typing import Any

import pytest

from payinfra.checks.manifest import Manifest, folders
from payinfra.checks.manifest.rewriting import Tree
from tests.unit.checks.engine.test_plan import change, config, document

KEY = "${aws_k.k.arn}"


def planned(folder: Path, root: str, attributes: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    """What is said of `aws_x.y`, of which the plan knows nothing, with this source."""
    (folder / "main.tf").write_text(root)
    module = folders.module_of(folder)
    assert module is not None
    shown = document(
        [change("aws_x.y", {}, dict.fromkeys(attributes, True)), change("aws_k.k", {"a": 1}), *others],
        {"resources": [config("aws_x", "y", {}), config("aws_k", "k", {})]},
    )
    found = Manifest.of_plan(shown, name="plan.json", source=Tree(module))
    assert found.has_source
    one = found.resource("aws_x.y")
    assert one is not None
    return {name: found.resolve_names(one.body.get(name)) for name in attributes}


def written(**attributes: str) -> str:
    """A root module with `aws_x.y` and a key."""
    lines = "\n".join(f"  {name} = {value}" for name, value in attributes.items())
    return f'resource "aws_k" "k" {{\n  a = 1\n}}\nresource "aws_x" "y" {{\n{lines}\n}}\n'


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('templatefile("t.json", { key = aws_k.k.arn })', f'{{"Resource": "{KEY}"}}'),
        ('templatefile("${path.module}/t.json", { key = aws_k.k.arn })', f'{{"Resource": "{KEY}"}}'),
        ('templatefile("${path.root}/t.json", { "key" = "a" })', '{"Resource": "a"}'),
        ('"${file("plain.txt")}-${aws_k.k.arn}"', f"$${{no}} template-{KEY}"),
        ('jsonencode([file("${path.cwd}/plain.txt"), aws_k.k.arn])', f'["$${{no}} template","{KEY}"]'),
    ],
)
def test_a_file_beside_the_source_is_read(expression: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"Resource": "${key}"}')
    (tmp_path / "plain.txt").write_text("${no} template")

    assert planned(tmp_path, written(text=expression), {"text": None}) == {"text": found}


@pytest.mark.parametrize(
    "expression",
    [
        'templatefile("none.json", { key = aws_k.k.arn })',
        'templatefile("directive.json", { key = aws_k.k.arn })',
        'templatefile("broken.json", { key = 1 })',
        'templatefile("t.json", { (aws_k.k.arn) = 1 })',
        'templatefile("t.json", local.names)',
        "templatefile(aws_k.k.path, { key = 1 })",
        'file("a folder")',
        'file("large.txt")',
        "file(aws_k.k.path)",
    ],
)
def test_a_file_that_cannot_be_read_leaves_the_expression(expression: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"Resource": "${key}"}')
    (tmp_path / "directive.json").write_text("%{ for one in key }${one}%{ endfor }")
    (tmp_path / "broken.json").write_text("${key +}")
    (tmp_path / "large.txt").write_text("x" * 300_000)
    (tmp_path / "a folder").mkdir()

    found = planned(tmp_path, written(text=expression), {"text": None})["text"]

    assert isinstance(found, str)
    assert found.startswith("${")
    assert "file(" in found


INNER = """
variable "name" { default = "x" }
resource "aws_i" "i" { text = templatefile("${path.module}/t.json", { key = aws_i.i.id }) }
output "arn" { value = aws_i.i.arn }
output "name" { value = var.name }
"""


@pytest.mark.parametrize(
    ("meta", "keys", "expression", "found"),
    [
        ("count = 2", (0, 1), "[for one in module.m : one.arn]", [0, 1]),
        ('for_each = toset(["a", "b"])', ("a", "b"), "[for one in module.m : one.arn]", ["a", "b"]),
        (
            'for_each = toset(["a", "b"])',
            ("a", "b"),
            "flatten([for one in module.m : [one.arn]])",
            ["a", "b"],
        ),
        ('for_each = toset(["a", "b"])', ("a", "b"), "values(module.m)[*].arn", ["a", "b"]),
        ("", (None,), "[module.m.arn]", [None]),
        ("", (None,), "[for one in [module.m] : one.arn]", [None]),
        ("count = 2", (0, 1), "[module.m[1].arn]", [1]),
        ('for_each = toset(["a"])', ("a",), '[module.m["a"]["arn"]]', ["a"]),
    ],
)
def test_a_module_is_a_value_too(
    meta: str, keys: tuple[Any, ...], expression: str, found: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "main.tf").write_text(INNER)

    def own(key: Any) -> str:
        quoted = "" if key is None else f'["{key}"]' if isinstance(key, str) else f"[{key}]"
        return f"module.m{quoted}.aws_i.i"

    root = f'{written(list=expression)}module "m" {{\n  source = "./m"\n  {meta}\n}}\n'
    others = [change(own(key), {"a": 1}) for key in keys]

    assert planned(tmp_path, root, {"list": None}, *others) == {
        "list": [f"${{{own(key)}.arn}}" for key in found]
    }


def test_a_step_into_a_module_that_leads_to_no_output_is_left(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "main.tf").write_text(INNER)
    root = f'{written(text="module.m[*]")}module "m" {{\n  source = "./m"\n  count = 1\n}}\n'

    found = planned(tmp_path, root, {"text": None}, change("module.m[0].aws_i.i", {"a": 1}))

    assert found == {"text": "${module.m[*]}"}


def test_the_path_of_a_module_is_its_folder(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "main.tf").write_text(INNER)
    (tmp_path / "m" / "t.json").write_text("[${key}]")
    (tmp_path / "main.tf").write_text('module "m" {\n  source = "./m"\n}\n')
    module = folders.module_of(tmp_path)
    assert module is not None
    shown = document([change("module.m.aws_i.i", {}, {"text": True})], {"resources": []})

    inner = Manifest.of_plan(shown, name="plan.json", source=Tree(module)).resource("module.m.aws_i.i")

    assert inner is not None
    assert inner.body["text"] == "[${module.m.aws_i.i.id}]"


def test_a_module_that_is_given_providers_by_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "main.tf").write_text(INNER)
    given = "providers = { aws.home = aws.one, aws.away = aws.two }"
    root = f'{written(text="module.m.arn")}module "m" {{\n  source = "./m"\n  {given}\n}}\n'

    found = planned(tmp_path, root, {"text": None}, change("module.m.aws_i.i", {"a": 1}))

    assert found == {"text": "${module.m.aws_i.i.arn}"}


def statements(tmp_path: Path, source: str, *known: dict[str, Any]) -> list[object]:
    """The resources of each statement of a document, of which the plan knows all but those."""
    (tmp_path / "main.tf").write_text(f'data "aws_iam_policy_document" "d" {{\n{source}\n}}\n')
    module = folders.module_of(tmp_path)
    assert module is not None
    unknown = {"statement": [{"resources": True, "actions": [False] * len(one["actions"])} for one in known]}
    shown = document(
        [change("data.aws_iam_policy_document.d", {"statement": [*known]}, unknown)],
        {"resources": [config("data.aws_iam_policy_document", "d", {})]},
    )
    manifest = Manifest.of_plan(shown, name="plan.json", source=Tree(module))
    blocks = manifest.data[0].blocks("statement")
    assert isinstance(blocks, tuple)
    return [block.raw("resources") for block in blocks]


DYNAMIC = """
  dynamic "statement" {
    for_each = { a = aws_k.a.arn, b = aws_k.b.arn }
    content {
      actions   = ["${statement.key}:Get"]
      resources = [statement.value]
    }
  }
"""
STATIC = """
  statement {
    actions   = ["c:Get", "c:Put"]
    resources = [aws_k.c.arn]
    condition {
      test = "Bool"
    }
  }
"""


@pytest.mark.parametrize(("source", "order"), [(DYNAMIC + STATIC, "abc"), (STATIC + DYNAMIC, "cab")])
def test_blocks_of_a_plan_find_what_they_were_written_as(source: str, order: str, tmp_path: Path) -> None:
    known: dict[str, dict[str, Any]] = {
        "a": {"actions": ["a:Get"]},
        "b": {"actions": ["b:Get"]},
        "c": {"actions": ["c:Put", "c:Get"], "condition": [{"test": "Bool"}]},
    }

    found = statements(tmp_path, source, *(known[one] for one in order))

    assert found == [[f"${{aws_k.{one}.arn}}"] for one in order]


def test_constants_inside_of_a_block_tell_which_it_is(tmp_path: Path) -> None:
    def one(name: str, test: str) -> str:
        return (
            f'  statement {{\n    actions = ["x:Get"]\n    resources = [aws_k.{name}.arn]\n'
            f'    condition {{\n      test = "{test}"\n      variable = aws_k.{name}.key\n'
            f"      values = [aws_k.{name}.id]\n      more = [1]\n    }}\n  }}\n"
        )

    source = one("a", "Bool") + one("b", "Null")
    plain = {"actions": ["x:Get"]}

    found = statements(
        tmp_path,
        source,
        plain | {"condition": [{"test": "Null", "values": ["v"], "variable": "k", "more": None}]},
        plain | {"condition": [{"test": "Bool", "values": ["v"], "variable": "k", "more": None}]},
    )

    assert found == [["${aws_k.b.arn}"], ["${aws_k.a.arn}"]]


def test_blocks_of_which_it_is_not_known_how_many_there_are_say_nothing(tmp_path: Path) -> None:
    source = (
        '  dynamic "statement" {\n    for_each = aws_k.k.list\n    content {\n'
        '      actions = ["x:Get"]\n      resources = [statement.value]\n    }\n  }\n'
    )

    found = statements(tmp_path, source, {"actions": ["x:Get"]})

    assert "${" in str(found)


def test_what_cannot_be_parsed_or_found_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "main.tf.json").write_text(
        json.dumps(
            {
                "module": {"far": {"source": "example/far/aws"}},
                "resource": {
                    "aws_k": {"k": {"a": 1}},
                    "aws_x": {"y": {"broken": "${aws_k.k.", "far": "${module.far.arn}"}},
                },
            }
        )
    )
    module = folders.module_of(tmp_path)
    assert module is not None
    unknown = {"broken": True, "far": True}
    shown = document(
        [change("aws_x.y", {}, unknown), change("aws_k.k", {"a": 1}), change("module.far.aws_i.i", {"a": 1})],
        {"resources": [config("aws_x", "y", {}), config("aws_k", "k", {})]},
    )

    one = Manifest.of_plan(shown, name="plan.json", source=Tree(module)).resource("aws_x.y")

    assert one is not None
    assert one.body == {"broken": "${aws_k.k.", "far": "${module.far.arn}"}
