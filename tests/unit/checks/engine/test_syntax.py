"""Trees of expressions: written as text again, stepped into, and shown without what may be a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.checks.manifest.syntax import (
    IndexStep,
    ListOf,
    Literal,
    ObjectOf,
    Template,
    Traversal,
    Unparsable,
    as_expression,
    as_template,
    into,
    names_in,
    of_expression,
    of_template,
    of_value,
    resource_of,
    shown,
    size_of,
)

EXPRESSIONS = [
    "1",
    "-1",
    "1.5",
    "true",
    "null",
    '"text"',
    '"a ${var.b} \\"c\\" \\n"',
    "var.a",
    'local.map["key"].deep[0]',
    "aws_x.y[*].id",
    "aws_x.y[count.index].id",
    "[1, [], var.a]",
    '{a = 1, "b c" = 2, (var.d) = 3}',
    "f()",
    "f(1, var.a...)",
    "(f(x))[0].y",
    "!var.a",
    "-var.a",
    "var.a + (var.b * 2)",
    "(var.a && var.b) || (!var.c)",
    "(var.a == null) ? 1 : 2",
    "[for k, v in var.m : v if v != null]",
    "{for v in var.m : v.id => v...}",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_what_was_read_is_written_as_it_was(text: str) -> None:
    assert as_expression(of_expression(text)) == text


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_what_is_written_is_read_as_the_same_tree(text: str) -> None:
    node = of_expression(text)

    assert of_template(as_template(node)) == node
    assert size_of(node, 1000) >= 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("a.b || c.d && e.f", "a.b || (c.d && e.f)"),
        ("(a.b)", "a.b"),
        ("(a.b).c", "a.b.c"),
        ("a.b.*.c", "a.b[*].c"),
        ("a.b.0.c", "a.b[0].c"),
        ('a.b # "comment {\n', "a.b"),
        ("a.b /* } */", "a.b"),
        ("<<EOT\nx\nEOT\n", '"x\\n"'),
        ('{"a" : 1}', "{a = 1}"),
        ("{a = b.c\n(d.e) = 1}", "{a = b.c, (d.e) = 1}"),
        ("1.0e3", "1000.0"),
        ("for.x", "for.x"),
    ],
)
def test_two_spellings_are_one_tree(left: str, right: str) -> None:
    assert as_expression(of_expression(left)) == right


@pytest.mark.parametrize(
    "text",
    ["", "1 +", "a.", "a[", "a[1", "f(", "f(1", "{a}", "{= 1}",
     "[for x of y : x]", "[for x]", "[for x in y]", "a ? b",
     "{for x in y : x}", "[1 2]", '"', "a b", "a.=", "f(a... b)", "(" * 60, "!" * 60 + "a", "<<EOT\nx"],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(Unparsable):
        of_expression(text)


def test_a_template_with_an_open_brace_is_refused() -> None:
    with pytest.raises(Unparsable):
        of_template("a ${b")


def test_values_become_trees_and_texts_in_them_templates() -> None:
    tree = of_value({"a": ["x ${var.y}", None], "${var.k}": 1})

    assert isinstance(tree, ObjectOf)
    assert tree.pairs[0] == (
        Literal("a"),
        ListOf((Template(("x ", Traversal("var", ("y",)))), Literal(None))),
    )
    assert tree.pairs[1][0] == Traversal("var", ("k",))


def test_a_way_into_a_literal_is_taken_at_once() -> None:
    tree = of_expression('{a = [1, {b = var.c}], "d" = 2}')

    assert into(tree, ("d",)) == Literal(2)
    assert into(tree, ("a", IndexStep(Literal(1)), "b", "e")) == Traversal("var", ("c", "e"))
    assert as_expression(into(tree, ("a", IndexStep(Literal(7))))) == "([1, {b = var.c}])[7]"
    assert as_expression(into(into(tree, ("none",)), ("more",))).endswith(").none.more")


def test_names_are_each_found_once_without_those_of_a_for() -> None:
    tree = of_expression('[for k, v in var.m : "${k}${v}${var.m}${local.x[var.i]}"]')

    assert [as_expression(one) for one in names_in(tree)] == ["var.m", "var.i", "local.x[var.i]"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("aws_x.y", ("aws_x.y", 0)),
        ("aws_x.y.id", ("aws_x.y", 1)),
        ("aws_x.y[0].id", ("aws_x.y[0]", 1)),
        ('data.aws_x.y["a"].id.b', ('data.aws_x.y["a"]', 2)),
        ("aws_x.y[var.i].id", ("aws_x.y", 1)),
        ("aws_x.y[*].id", ("aws_x.y", 1)),
        ('module.a["b"].module.c.aws_x.y.id', ('module.a["b"].module.c.aws_x.y', 1)),
        ("var.a_b", None),
        ("module.a.b", None),
        ("local.x.y", None),
        ("aws_x", None),
    ],
)
def test_a_name_begins_with_a_resource_or_not(text: str, found: tuple[str, int] | None) -> None:
    name = of_expression(text)
    assert isinstance(name, Traversal)
    resource = resource_of(name)

    assert (resource and (resource[0], len(resource[1]))) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${var.region}", "${var.region}"),
        ("arn:aws:s3:::${var.b}/hunter2", "${var.b}"),
        ('${upper("hunter2")}', "${upper(…)}"),
        ('${var.a ? "hunter2" : aws_x.y["k"].id}', '${var.a ? … : aws_x.y["k"].id}'),
        ('${"hunter2-${var.a}"}', "${var.a}"),
        ('${"hunter2-${var.a}-${var.b}"}', "${[var.a, var.b]}"),
        ('${[1, "hunter2"]}', "${[1, …]}"),
        ('${{a = "hunter2"}}', "${{a = …}}"),
        ('${{a = "hunter2"}[var.k]}', "${({a = …})[var.k]}"),
        ('${!var.a == "hunter2"}', "${(!var.a) == …}"),
        ('${[for x in var.l : "hunter2"]}', "${[var.l, …]}"),
        ('${unreadable "hunter2" }', "${unreadable …}"),
        ("${a ${b}", "${a ${b}}"),
        ("%{ if var.a }hunter2%{ endif }", "a template directive"),
        ("no provider aws.x", "no provider aws.x"),
    ],
)
def test_a_message_shows_names_and_never_a_text(text: str, said: str) -> None:
    assert shown(text) == said
    assert "hunter2" not in shown(text)


def test_counting_stops_at_its_limit() -> None:
    tree = of_expression("[1, 2, 3, 4]")

    assert (size_of(tree, 3), size_of(tree, 100)) == (3, 5)


@given(st.text(alphabet='${}"[](),=:.? \nab1_%*-!&|<>#/', max_size=60))
def test_every_text_is_a_tree_or_refused(text: str) -> None:
    try:
        node = of_expression(text)
    except Unparsable:
        return
    assert isinstance(as_expression(node), str)
    assert isinstance(shown(f"${{{text}}}"), str)
