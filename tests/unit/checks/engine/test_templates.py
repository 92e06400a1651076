"""Where a `${…}` begins and ends, and what it refers to."""

import pytest

from payinfra.checks.manifest.templates import (
    Reference,
    Span,
    is_literal,
    references_in,
    spans,
    string_end,
    unescape,
    with_addresses,
)


def test_a_span_ends_at_its_own_brace() -> None:
    text = 'a${jsonencode({"b" = "}${c["x"]}\\"}"})}d$${e}${f'

    assert spans(text) == (
        Span(1, 39, 'jsonencode({"b" = "}${c["x"]}\\"}"})', closed=True),
        Span(45, 48, "f", closed=False),
    )


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", True),
        ("$${escaped}", True),
        ("%%{escaped}", True),
        ("%%{a}%{b}", False),
        ("%{ if x }", False),
        ("${x}", False),
        ("$", True),
        ("${", False),
    ],
)
def test_a_literal_has_nothing_for_terraform_in_it(text: str, literal: bool) -> None:
    assert is_literal(text) is literal


def test_escapes_are_undone() -> None:
    assert unescape("$${a} %%{b}") == "${a} %{b}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${aws_kms_key.k.arn}", [("aws_kms_key.k", "arn")]),
        ("${aws_kms_key.k}", [("aws_kms_key.k", "")]),
        ("${aws_x_y.k[0].a.b[1].c}", [("aws_x_y.k[0]", "a.b[1].c")]),
        ('${aws_x.k["a"].arn}', [('aws_x.k["a"]', "arn")]),
        ('${aws_x.k["a]b.c"].arn}', [('aws_x.k["a]b.c"]', "arn")]),
        ("${aws_x.k[each.key].arn}", [("aws_x.k", "arn")]),
        ('${aws_x.k["${var.a}"].arn}', [("aws_x.k", "arn")]),
        ('${module.a["b"].module.c.aws_x.k[0].arn}', [('module.a["b"].module.c.aws_x.k[0]', "arn")]),
        ("${module.a.data.aws_x.k.arn}", [("module.a.data.aws_x.k", "arn")]),
        ("${aws_x.k.*.arn}", [("aws_x.k", "*.arn")]),
        ("${data.aws_region.here.name}", [("data.aws_region.here", "name")]),
        ("${join(aws_x.a.b, data.aws_y.c.d)}", [("aws_x.a", "b"), ("data.aws_y.c", "d")]),
        ("${aws_x.a.b}/${aws_x.a.b}", [("aws_x.a", "b")]),
        ("${var.some_thing.x} ${module.a_b.c}", []),
        ("aws_kms_key.k.arn", []),
        ("$${aws_kms_key.k.arn}", []),
    ],
)
def test_references_are_found_inside_expressions_only(text: str, found: list[tuple[str, str]]) -> None:
    assert references_in(text) == tuple(Reference(*one) for one in found)


def test_addresses_are_replaced_with_and_without_their_instance() -> None:
    text = '${aws_x.a["k"].arn} ${aws_x.b[each.key].id} ${module.m.aws_x.c.arn[0]}'

    assert with_addresses(text, lambda address: f"<{address}>") == (
        '${<aws_x.a["k"]>.arn} ${<aws_x.b>[each.key].id} ${<module.m.aws_x.c>.arn[0]}'
    )


def test_a_quoted_text_ends_at_its_quote_or_with_everything() -> None:
    assert string_end('a"c', 0) == 1
    assert string_end("abc", 0) == 3
