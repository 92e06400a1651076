"""What can be known of an expression, and that everything else is left standing."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.checks.manifest.expressions import Resolver, Unknown
from payinfra.checks.manifest.values import Json


class Names:
    """A scope with a few names in it."""

    def __init__(self, names: Mapping[str, Json]) -> None:
        self._names = names

    def local(self, name: str) -> Json:
        """A local, or Unknown."""
        return self._read(f"local.{name}")

    def variable(self, name: str) -> Json:
        """A variable, or Unknown."""
        return self._read(f"var.{name}")

    def attribute(self, address: str, attribute: str) -> Json:
        """An attribute, or Unknown."""
        return self._read(f"{address}.{attribute}")

    def _read(self, key: str) -> Json:
        if key not in self._names:
            raise Unknown
        return self._names[key]


NAMES: dict[str, Json] = {
    "local.name": "pay",
    "local.count": 3,
    "local.ratio": 1.5,
    "local.on": True,
    "local.nothing": None,
    "local.list": ["a", "${local.name}"],
    "local.map": {"key": "value", "dash-ed": {"deep": [1, 2]}},
    "local.a": "${local.b}",
    "local.b": "${local.a}",
    "local.self": "x${local.self}",
    "local.half": "${aws_kms_key.k.arn}/x",
    "aws_s3_bucket.audit.bucket": "audit-${local.name}",
    "aws_s3_bucket.one.bucket": "${aws_s3_bucket.two.bucket}",
    "aws_s3_bucket.two.bucket": "${aws_s3_bucket.one.bucket}",
    "data.aws_region.here.name": "us-east-1",
}


def expand(value: Json, *, through: bool = True) -> Json:
    """The value as the names above make it."""
    return Resolver(Names(NAMES), through_resources=through).expand(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${local.name}", "pay"),
        ("${ local.name }", "pay"),
        ("a-${local.name}-${local.count}-${local.on}-${local.ratio}", "a-pay-3-true-1.5"),
        ("${local.count}", 3),
        ("${local.list}", ["a", "pay"]),
        ("${local.list[1]}", "pay"),
        ("${local.map.key}", "value"),
        ('${local.map["dash-ed"].deep[1]}', 2),
        ("${local.map.dash-ed.deep.0}", 1),
        ("${aws_s3_bucket.audit.bucket}", "audit-pay"),
        ("${data.aws_region.here.name}", "us-east-1"),
        ("${path.module}/asset.zip", "./asset.zip"),
        ('${"quoted ${local.name} \\"x\\" \\n \\u0041 \\U0001F600"}', 'quoted pay "x" \n A 😀'),
        ('${"\\UFFFFFFFF"}', "\\UFFFFFFFF"),
        ("${true}", True),
        ("${false}", False),
        ("${null}", None),
        ("${-4}", -4),
        ("${2.5}", 2.5),
        ("${(local.name)}", "pay"),
        ("${[1, local.name,]}", [1, "pay"]),
        ("${[]}", []),
        ('${{a = 1, "b" : local.name, c = [true]}}', {"a": 1, "b": "pay", "c": [True]}),
        ("${{a = aws_kms_key.k.arn}}", {"a": "${aws_kms_key.k.arn}"}),
        ("${[aws_kms_key.k.arn, 1]}", ["${aws_kms_key.k.arn}", 1]),
        ('${jsonencode({"a" = aws_kms_key.k.arn})}', '{"a":"${aws_kms_key.k.arn}"}'),
        ('${jsonencode({a = "${aws_kms_key.k.arn}/*"})}', '{"a":"${aws_kms_key.k.arn}/*"}'),
        ('${jsondecode("{\\"a\\": 1}")}', {"a": 1}),
        ('${join("-", ["a", local.name], ["c"])}', "a-pay-c"),
        ('${join("/", [aws_kms_key.k.arn, "x"])}', "${aws_kms_key.k.arn}/x"),
        ('${format("%s-%s", local.name, "x")}', "pay-x"),
        ('${lower("ABC")}${upper("abc")}', "abcABC"),
        ('${replace("a_b", "_", "-")}', "a-b"),
        ('${trimspace("  a ")}', "a"),
        ("${concat([1], local.list)}", [1, "a", "pay"]),
        ("${merge({a = 1}, {a = 2, b = 3})}", {"a": 2, "b": 3}),
        ("${toset([1, 1, 2])}", [1, 2]),
        ("${distinct([2, 2])}", [2]),
        ("${tolist([1])}", [1]),
        ("${tostring(local.count)}", "3"),
        ("${sensitive(local.name)}${nonsensitive(local.name)}", "paypay"),
        ("$${local.name}", "$${local.name}"),
        ("${local.half}", "${aws_kms_key.k.arn}/x"),
    ],
)
def test_what_can_be_known_is(text: str, value: Json) -> None:
    assert expand(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "${}",
        "${local}",
        "${local.missing}",
        "${var.x}",
        "${each.value}",
        "${module.m.out}",
        "${aws_kms_key.k.arn}",
        "${aws_kms_key.k[0].arn}",
        "${aws_kms_key.k}",
        "${local.list[7]}",
        "${local.map.other}",
        "${local.name.deeper}",
        "${local.list[*].x}",
        "${[1 2]}",
        "${[[1 2]]}",
        "${[1",
        "${{a 2}}",
        "${(1}",
        "${unknown(1)}",
        '${"open}',
        "${lower([1])}",
        "${lower()}",
        '${join(",")}',
        '${join(",", "text")}',
        "${join(aws_kms_key.k.arn, [])}",
        '${join(",", [[1]])}',
        '${format("%d", 1)}',
        '${format("%s")}',
        "${merge([1])}",
        "${concat(1)}",
        '${replace("a", "/x/", "b")}',
        '${replace("a", "b")}',
        '${jsondecode("{")}',
        "a ${local.list} b",
        "a ${local.nothing} b",
        "${local.a",
        "${" * 300,
        "${" + "[" * 300,
        "${" + "(" * 60 + "1" + ")" * 60 + "}",
    ],
)
def test_everything_else_is_left_standing(text: str) -> None:
    assert expand(text) == text


def test_names_in_a_circle_stay_unresolved() -> None:
    assert expand("${local.a}") in ("${local.a}", "${local.b}")
    assert expand("${aws_s3_bucket.one.bucket}") in (
        "${aws_s3_bucket.one.bucket}",
        "${aws_s3_bucket.two.bucket}",
    )


def test_a_name_that_holds_itself_stays_unresolved() -> None:
    assert "${local.self}" in str(expand("${local.self}"))


def test_without_going_through_resources_references_stay() -> None:
    text = "${local.name}-${aws_s3_bucket.audit.bucket}"

    assert expand(text, through=False) == "pay-${aws_s3_bucket.audit.bucket}"


def test_values_within_values_are_expanded() -> None:
    assert expand({"a": ["${local.name}", 1, None, True]}) == {"a": ["pay", 1, None, True]}


def test_names_that_double_each_other_do_not_grow_without_end() -> None:
    names: dict[str, Json] = {f"local.n{number}": f"${{local.n{number + 1}}}" * 2 for number in range(35)}
    names["local.n35"] = "x" * 50
    lists: dict[str, Json] = {f"local.l{number}": [f"${{local.l{number + 1}}}"] * 2 for number in range(35)}
    lists["local.l35"] = "x"
    resolver = Resolver(Names(names | lists), through_resources=True)

    starts: list[Json] = ["${local.n0}", "${local.l0}", ["${local.n5}", "${local.n5}"]]
    for start in starts:
        found = resolver.expand(start)
        assert len(str(found)) < 2_000_000
        assert "${" in str(found)


def test_a_value_nested_beyond_the_limit_is_given_back_as_it_is() -> None:
    deep: Json = "${local.name}"
    for _ in range(60):
        deep = [deep]

    assert expand(deep) == deep


def test_a_known_name_is_taken_from_memory() -> None:
    resolver = Resolver(Names(NAMES), through_resources=True)

    assert [resolver.expand("${local.list}") for _ in range(2)] == [["a", "pay"]] * 2


@given(st.text(alphabet='${}"[](),=:. \\abn1_%*-?', max_size=60))
def test_no_text_makes_the_resolver_raise(text: str) -> None:
    for written in (text, f"${{{text}}}"):
        assert expand(written) == expand(written)
