"""What Terraform's functions and operators come to, and that nothing is said where there is doubt."""

import pytest

from payinfra.checks.manifest.expressions import Resolver
from payinfra.checks.manifest.json_value import Json
from tests.unit.checks.engine.test_expressions import Names, expand


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("6 / 4", 1.5),
        ("2 > 1 && 1 >= 1 && 1 < 2 && 1 <= 1", True),
        ("local.on || var.x", True),
        ("!local.on && var.x", False),
        ('1 == 1 && "1" != 1 && true != 1', True),
        ("local.on == true", True),
        ('local.count > 2 ? "many" : var.x', "many"),
        ("[for x in local.list : upper(x)]", ["A", "PAY"]),
        ('[for i, x in local.list : "${i}${x}" if x != "a"]', ["1pay"]),
        ("{for k, v in {a = 1, b = 2} : k => v * 2}", {"a": 2, "b": 4}),
        ('{for v in ["ab", "ac", "b"] : substr(v, 0, 1) => v...}', {"a": ["ab", "ac"], "b": ["b"]}),
        ("local.map[*].key", ["value"]),
        ("local.nothing[*]", []),
        ("[{a = 1}, {a = 2}][*].a", [1, 2]),
        ("local.list[0]", "a"),
        ('{a = {b = 1}}["a"].b', 1),
        ('"${local.count}-${local.on}"', "3-true"),
        ("abs(-2)", 2),
        ('"${1.0 + 2}-${6 / 4}"', "3-1.5"),
        ('"false" ? 1 : 2', 2),
        ('"${!"false"}!"', "true!"),
        ("alltrue([true, true])", True),
        ("anytrue([false, true])", True),
        ('base64decode("YSR7Yn0=")', "a$${b}"),
        ('base64encode("a")', "YQ=="),
        ("ceil(1.2)", 2),
        ('chomp("a\\n")', "a"),
        ('cidrsubnet("10.0.0.0/16", 8, 2)', "10.0.2.0/24"),
        ('coalesce(null, "", "a")', "a"),
        ("coalescelist([], [1])", [1]),
        ('compact(["a", "", null])', ["a"]),
        ('contains(["a"], "a")', True),
        ("element([1, 2], 3)", 2),
        ('endswith("abc", "bc") && startswith("abc", "a")', True),
        ("flatten([[1], [[2]], 3])", [1, 2, 3]),
        ("floor(1.8)", 1),
        ('format("%s is 5%% of %v", "a", 3)', "a is 5% of 3"),
        ("keys({b = 1, a = 2})", ["a", "b"]),
        ("values({b = 1, a = 2})", [2, 1]),
        ('length("abc") + length([1]) + length({})', 4),
        ('lookup({a = 1}, "a")', 1),
        ('lookup({}, "a", 2)', 2),
        ("max(1, 3, 2) - min(1, 3)", 2),
        ("merge(null, {a = 1})", {"a": 1}),
        ("one([])", None),
        ("one([1])", 1),
        ("range(3)", [0, 1, 2]),
        ("range(1, 6, 2)", [1, 3, 5]),
        ("reverse([1, 2])", [2, 1]),
        ('setsubtract(["a", "b"], ["a"])', ["b"]),
        ('setunion(["b"], ["a"])', ["a", "b"]),
        ("slice([1, 2, 3], 1, 3)", [2, 3]),
        ('sort(["b", "a"])', ["a", "b"]),
        ('split(",", "a,b")', ["a", "b"]),
        ('split("", "ab")', ["a", "b"]),
        ('substr("abcd", 1, 2)', "bc"),
        ('substr("abcd", -2, -1)', "cd"),
        ('title("ab cd")', "Ab Cd"),
        ('tobool("true")', True),
        ("tomap({a = 1})", {"a": 1}),
        ('tonumber("4.0")', 4),
        ('trim("xax", "x")', "a"),
        ('trimprefix("pre-a", "pre-")', "a"),
        ('trimsuffix("a-suf", "-suf")', "a"),
        ("try(local.count, 1)", 3),
        ('zipmap(["a"], [1])', {"a": 1}),
        ("concat([[1], [2]]...)", [1, 2]),
        ('jsonencode({a = "${aws_x.y["k"].arn}/*"})', '{"a":"${aws_x.y["k"].arn}/*"}'),
        ('jsonencode({a = ["${aws_x.y.arn}"], n = null})', '{"a":["${aws_x.y.arn}"],"n":null}'),
        ('jsonencode({\n# it\'s "narrow" }\na = 1 // one\n/* two */ b = 2\n})', '{"a":1,"b":2}'),
        ("[unknown(1)]", ["${unknown(1)}"]),
        ("[var.x + 1, {a = local.count + var.x}]", ["${var.x + 1}", {"a": "${3 + var.x}"}]),
    ],
)
def test_what_it_comes_to(expression: str, value: Json) -> None:
    assert expand(f"${{{expression}}}") == value


@pytest.mark.parametrize(
    "expression",
    [
        "1 / 0",
        "local.half.more",
        '"a" + 1',
        "true + 1",
        "1 && true",
        "var.x == 1",
        'aws_kms_key.k.arn == "a"',
        "var.x ? 1 : 2",
        '"maybe" ? 1 : 2',
        "[for x in 3 : x]",
        "[for x in local.list : x if var.x]",
        "{for x in local.list : var.x => x}",
        "alltrue([var.x])",
        'base64decode("?")',
        "can(1)",
        'cidrsubnet("10.0.0.0/16", 8, 900)',
        'cidrsubnet("nowhere", 8, 0)',
        "coalesce(null)",
        "coalesce(var.x, 1)",
        "coalescelist([])",
        "compact([var.x])",
        "contains([var.x], 1)",
        "element([], 0)",
        'element([1], "a")',
        "element([1], 1.5)",
        "flatten([var.x])",
        'format("%5d", 1)',
        "join(1)",
        "length(3)",
        "length(var.x)",
        'lookup({}, "a")',
        "max()",
        "min()",
        "one([1, 2])",
        "range(1, 2, 0)",
        "range(1000000)",
        'tobool("perhaps")',
        "tomap([])",
        'tonumber("x")',
        "tonumber(null)",
        "try()",
        "try(var.x, 1)",
        'zipmap(["a"], [])',
        "upper(1, 2)",
        "local.list[local.map]",
        "local.list[true]",
        "local.half[0].x[var.y]",
        "concat(local.count...)",
        '{(var.x) = 1}["a"]',
    ],
)
def test_where_there_is_doubt_nothing_is_said(expression: str) -> None:
    found = expand(f"${{{expression}}}")

    assert isinstance(found, str)
    assert found.startswith("${")


def test_a_way_into_something_unknown_is_a_longer_way() -> None:
    assert expand("${local.key.arn}") == "${local.key.arn}"
    assert expand("${[aws_x.y][0].arn}") == "${aws_x.y.arn}"
    assert expand("${[aws_x.y, aws_x.z][*].arn}") == ["${aws_x.y.arn}", "${aws_x.z.arn}"]
    assert expand('${[for one in {a = aws_x.y["a"]} : one.arn]}') == ['${aws_x.y["a"].arn}']


def test_what_is_left_has_every_known_name_replaced() -> None:
    assert expand("${upper(local.half)}") == '${upper("${aws_kms_key.k.arn}/x")}'
    assert expand('${"${local.name}-${var.x}"}') == "pay-${var.x}"
    assert expand("${local.count + var.x}") == "${3 + var.x}"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('${["a ${var.x}"][0].more}', '${("a ${var.x}").more}'),
        ("${local.whole}", 6),
        ('${toset(["key"])["key"]}', "key"),
        ("${tostring(local.precise)}", "2"),
    ],
)
def test_odd_ways_into_values(text: str, left: Json) -> None:
    names: dict[str, Json] = {"local.whole": "${2.0 * 3}", "local.precise": 2.0}

    assert Resolver(Names(names), through_resources=True).expand(text) == left
