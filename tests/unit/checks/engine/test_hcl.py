"""Terraform's native syntax, read into the shape of its JSON syntax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.checks.manifest import hcl
from payinfra.checks.manifest.values import Json

MODULE = """
# A comment with a "quote and a { brace.
terraform {
  required_version = ">= 1.10" // and another
}

/* resource "aws_x" "not" {
} */
locals {
  names = { eu = true, "us" : false }
  text  = <<-EOT
    one ${var.a}
      two
  EOT
  raw   = <<EOT
  kept
EOT
}
locals { more = 1 }

provider "aws" {
  region = var.home
}
provider "aws" {
  alias = "away"
}

resource "aws_x" "y" {
  count    = var.on ? 1 : 0
  text     = "a-${local.names["eu"]}-$${b}"
  number   = -3
  ratio    = 1.5
  list     = [
    "a", # first
    aws_z.w.id,
  ]
  object   = { (var.key) = 1 }
  call     = merge(local.names, { a = 1 })
  equal    = var.a == var.b
  nothing  = null
  block {
    inner = true
    dynamic "leaf" {
      for_each = var.leaves
      content { value = leaf.value }
    }
  }
  block { inner = false }
}
"""


def test_a_file_becomes_what_its_json_would_be() -> None:
    document = hcl.parse(MODULE)

    assert document.root == {
        "terraform": [{"required_version": ">= 1.10"}],
        "locals": [
            {
                "names": {"eu": True, "us": False},
                "text": "one ${var.a}\n  two\n",
                "raw": "  kept\n",
            },
            {"more": 1},
        ],
        "provider": {"aws": [{"region": "${var.home}"}, {"alias": "away"}]},
        "resource": {
            "aws_x": {
                "y": [
                    {
                        "count": "${var.on ? 1 : 0}",
                        "text": 'a-${local.names["eu"]}-$${b}',
                        "number": -3,
                        "ratio": 1.5,
                        "list": ["a", "${aws_z.w.id}"],
                        "object": "${{(var.key) = 1}}",
                        "call": "${merge(local.names, {a = 1})}",
                        "equal": "${var.a == var.b}",
                        "nothing": None,
                        "block": [
                            {
                                "inner": True,
                                "dynamic": {
                                    "leaf": [
                                        {"for_each": "${var.leaves}", "content": [{"value": "${leaf.value}"}]}
                                    ]
                                },
                            },
                            {"inner": False},
                        ],
                    }
                ]
            }
        },
    }
    assert document.lines["resource", "aws_x", "y"] == 28
    assert document.lines["terraform",] == 3


def test_a_file_of_values_is_read_alike() -> None:
    text = 'region = "eu-west-1"\nnames  = ["a", "b"]\ntags = {\n  a = "b"\n}\n'

    assert hcl.attributes(text) == {"region": "eu-west-1", "names": ["a", "b"], "tags": {"a": "b"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resource {", "a brace is not closed at line 1"),
        ('resource "a"', "a block has no brace at line 1"),
        ("\n\n= 3", "'=' is not expected at line 3"),
        ("a = ", "the end is not expected at line 1"),
        ("a = 1\na {\n}", "a is an attribute and a block"),
        ('a = 1\na "b" {\n}', "a is an attribute and a block"),
        ("a = <<EOT\nno end", "EOT is missing at line 1"),
        ('a = "open', "a quote is not closed at line 1"),
    ],
)
def test_what_is_none_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(hcl.NotHcl) as caught:
        hcl.parse(text)

    assert said in str(caught.value)


@given(st.text(alphabet='ab="{}[](),:\n #$\\<E?.-', max_size=80))
def test_whatever_is_in_a_file_it_is_read_or_refused(text: str) -> None:
    try:
        found: dict[str, Json] | None = hcl.parse(text).root
    except hcl.NotHcl:
        found = None

    assert found is None or isinstance(found, dict)
