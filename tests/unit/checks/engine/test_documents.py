"""Policy documents, as text and as data, become statements that say what they could not say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.checks.manifest import (
    Condition,
    Json,
    Manifest,
    PolicyDocument,
    Principal,
    Statement,
    Unreadable,
    Unresolved,
    WrongType,
)


def read(policy: Json, **more: Json) -> PolicyDocument | Unreadable:
    """The policy of a resource that has it."""
    manifest = Manifest.from_json({"resource": {"aws_iam_policy": {"p": {"policy": policy}}}, **more})
    return manifest.resources[0].policy("policy")


def statements(policy: Json, **more: Json) -> tuple[Statement, ...]:
    """The statements of a policy that can be read."""
    found = read(policy, **more)
    assert isinstance(found, PolicyDocument)
    return found.statements


def documents(**bodies: Json) -> dict[str, Json]:
    """Data sources of policy documents."""
    return {"aws_iam_policy_document": dict(bodies)}


def test_a_whole_statement_from_text() -> None:
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "One",
                    "Effect": "Deny",
                    "Action": ["s3:Get*", "s3:Put*"],
                    "Resource": "${aws_s3_bucket.b.arn}/*",
                    "Principal": {"AWS": ["a", "b"], "Service": "x.amazonaws.com"},
                    "Condition": {
                        "Bool": {"aws:SecureTransport": False},
                        "NumericLessThan": {"s3:TlsVersion": [1.2]},
                    },
                },
                {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "*", "NotPrincipal": "*"},
            ],
        }
    )

    assert statements(text) == (
        Statement(
            sid="One",
            effect="Deny",
            actions=("s3:Get*", "s3:Put*"),
            resources=("${aws_s3_bucket.b.arn}/*",),
            principals=(
                Principal("AWS", "a"),
                Principal("AWS", "b"),
                Principal("Service", "x.amazonaws.com"),
            ),
            conditions=(
                Condition("Bool", "aws:SecureTransport", ("false",)),
                Condition("NumericLessThan", "s3:TlsVersion", ("1.2",)),
            ),
        ),
        Statement(
            effect="Allow",
            not_actions=("iam:*",),
            not_resources=("*",),
            not_principals=(Principal("*", "*"),),
        ),
    )
    assert [one.allows for one in statements(text)] == [False, True]


def test_a_policy_that_is_asked_for_twice_is_read_once() -> None:
    text = '{"Statement": {"Effect": "Allow", "Action": "a:b"}}'
    manifest = Manifest.from_json({"resource": {"aws_x": {"y": {"policy": text}, "z": {"policy": text}}}})
    first, second = manifest.resources

    assert first.policy("policy") is second.policy("policy")


def test_a_single_statement_needs_no_list() -> None:
    text = '{"Statement": {"Effect": "Allow", "Action": "a:b"}}'

    assert statements(text) == (Statement(actions=("a:b",)),)


def test_jsonencode_is_read_with_its_references() -> None:
    text = '${jsonencode({Statement = [{Effect = "Allow", Action = "a:b", Resource = aws_x.y.arn}]})}'

    assert statements(text)[0].resources == ("${aws_x.y.arn}",)


def test_expressions_within_json_text_may_hold_quotes() -> None:
    text = '{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "${lookup(var.m, "k")}"}}'

    assert statements(text)[0].resources == ('${lookup(var.m, "k")}',)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (3, "a statement is a number"),
        ({"Action": "a:b"}, "Effect is not set"),
        ({"Effect": "Allow"}, "Action is not set"),
        ({"Effect": 1, "Action": "a:b"}, "Effect is a number"),
        ({"Effect": "${var.e}", "Action": "a:b"}, "Effect cannot be resolved"),
        ({"Effect": "Allow", "Action": {"a": 1}}, "Action has a block"),
        ({"Effect": "Allow", "Action": ["a:b", None]}, "Action has null"),
        ({"Effect": "Allow", "Action": "a:b", "Principal": 3}, "Principal is a number"),
        ({"Effect": "Allow", "Action": "a:b", "Principal": "someone"}, "Principal cannot be read"),
        ({"Effect": "Allow", "Action": "a:b", "Principal": {"AWS": {}}}, "Principal.AWS has a block"),
        ({"Effect": "Allow", "Action": "a:b", "Condition": 3}, "Condition is a number"),
        ({"Effect": "Allow", "Action": "a:b", "Condition": {"Bool": 3}}, "Condition.Bool is a number"),
        ({"Effect": "Allow", "Action": "a:b", "Condition": {"Bool": {"k": {}}}}, "Condition.Bool has"),
    ],
)
def test_what_cannot_be_read_is_said(statement: Json, said: str) -> None:
    found = read(json.dumps({"Statement": [statement]}))

    assert isinstance(found, PolicyDocument)
    assert any(said in reason for reason in found.unclear)


@pytest.mark.parametrize(
    ("policy", "kind", "why"),
    [
        ("not json", WrongType, "text that is not JSON"),
        ("{" * 9, WrongType, "text that is not JSON"),
        ("[" * 100_000, WrongType, "text that is not JSON"),
        ("[1]", WrongType, "a list"),
        ("3", WrongType, "a number"),
        ("{}", WrongType, "without Statement"),
        ({"Statement": []}, WrongType, "a block"),
        ("${var.policy}", Unresolved, "var.policy"),
        ("${aws_x.y.policy}", Unresolved, "aws_x.y.policy"),
        ("${data.aws_iam_policy_document.none.json}", Unresolved, "none.json"),
        ("${local.list}", WrongType, "a list"),
        ('{"Statement": ${var.list}}', Unresolved, "var.list"),
        ('"${var.x}"', Unresolved, "var.x"),
    ],
)
def test_a_document_that_cannot_be_read(policy: Json, kind: type[Unreadable], why: str) -> None:
    found = read(policy, locals={"list": [1]})

    assert isinstance(found, kind)
    assert why in found.why


def test_a_policy_is_found_behind_another_resources_attribute() -> None:
    inner = '{"Statement": {"Effect": "Allow", "Action": "a:b"}}'
    manifest = Manifest.from_json(
        {
            "resource": {
                "aws_iam_policy": {"p": {"policy": inner}, "q": {"policy": "${aws_iam_policy.p.policy}"}}
            }
        }
    )

    found = manifest.resources[1].policy("policy")

    assert isinstance(found, PolicyDocument)
    assert found.statements[0].actions == ("a:b",)


def test_policies_that_name_each_other_in_a_circle_are_unresolved() -> None:
    data = documents(
        a={"source_policy_documents": ["${data.aws_iam_policy_document.b.json}"]},
        b={"source_policy_documents": ["${data.aws_iam_policy_document.a.json}"]},
    )

    assert isinstance(read("${data.aws_iam_policy_document.a.json}", data=data), Unresolved)


def test_a_document_from_data() -> None:
    data = documents(
        d={
            "statement": [
                {
                    "sid": "A",
                    "actions": ["s3:Get*", "${local.action}"],
                    "not_actions": [],
                    "resources": ["${aws_s3_bucket.b.arn}"],
                    "principals": {"type": "Service", "identifiers": ["x.amazonaws.com"]},
                    "condition": [{"test": "StringEquals", "variable": "k", "values": ["v"]}],
                },
                {"effect": "Deny", "not_actions": ["a:b"], "not_resources": ["*"]},
            ]
        }
    )

    found = statements("${data.aws_iam_policy_document.d.json}", data=data, locals={"action": "s3:Put"})

    assert found == (
        Statement(
            sid="A",
            actions=("s3:Get*", "s3:Put"),
            resources=("${aws_s3_bucket.b.arn}",),
            principals=(Principal("Service", "x.amazonaws.com"),),
            conditions=(Condition("StringEquals", "k", ("v",)),),
        ),
        Statement(effect="Deny", not_actions=("a:b",), not_resources=("*",)),
    )


def test_sources_come_first_and_overrides_replace_by_sid() -> None:
    data = documents(
        source={"statement": [{"sid": "A", "actions": ["a:source"]}, {"sid": "B", "actions": ["b:source"]}]},
        override={"statement": {"sid": "B", "actions": ["b:override"]}},
        d={
            "source_policy_documents": ["${data.aws_iam_policy_document.source.minified_json}"],
            "override_policy_documents": ["${data.aws_iam_policy_document.override.json}"],
            "statement": [{"sid": "A", "actions": ["a:own"]}, {"actions": ["c:own"]}],
        },
    )

    found = statements("${data.aws_iam_policy_document.d.json}", data=data)

    assert [one.actions[0] for one in found] == ["a:own", "b:override", "c:own"]


@pytest.mark.parametrize(
    "body",
    [
        {"source_policy_documents": "${var.x}"},
        {"source_policy_documents": ["${var.x}"]},
        {"override_policy_documents": [3]},
        {"statement": "${var.x}"},
        {"statement": 3},
    ],
)
def test_a_document_whose_parts_are_not_known_is_a_gap(body: Json) -> None:
    found = read("${data.aws_iam_policy_document.d.json}", data=documents(d=body))

    assert isinstance(found, Unreadable)


@pytest.mark.parametrize(
    "statement",
    [
        {"actions": 3},
        {"actions": ["a:b"], "resources": "${var.x}"},
        {"actions": ["a:b"], "effect": "${var.x}"},
        {"actions": ["a:b"], "sid": {}},
        {"actions": ["a:b"], "principals": "${var.x}"},
        {"actions": ["a:b"], "principals": [3]},
        {"actions": ["a:b"], "principals": {"type": "AWS", "identifiers": [{}]}},
        {"actions": ["a:b"], "condition": {"test": 3.5, "variable": [], "values": ["x"]}},
        {"dynamic": {"condition": {}}, "actions": ["a:b"]},
        {},
    ],
)
def test_a_statement_of_data_says_what_cannot_be_read(statement: Json) -> None:
    found = read("${data.aws_iam_policy_document.d.json}", data=documents(d={"statement": statement}))

    assert isinstance(found, PolicyDocument)
    assert found.unclear


def test_an_empty_document_has_no_statements() -> None:
    assert statements("${data.aws_iam_policy_document.d.json}", data=documents(d={})) == ()


def test_a_reference_to_another_attribute_or_resource_is_no_document() -> None:
    data = documents(d={"statement": {"actions": ["a:b"]}})

    assert isinstance(read("${data.aws_iam_policy_document.d.id}", data=data), Unresolved)
    assert isinstance(read("x${data.aws_iam_policy_document.d.json}", data=data), Unresolved)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab:*${}"', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Statement", "Effect", "Action", "Principal", "Condition", "AWS"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_document_makes_the_reader_raise(document: Json) -> None:
    found = read(json.dumps(document))

    assert isinstance(found, PolicyDocument | Unreadable)


@pytest.mark.parametrize("named", ["${known_after_apply()}", "${known_after_apply(aws_s3_bucket.b.arn)}"])
def test_a_part_of_which_only_the_origin_is_known_may_mean_anything(named: str) -> None:
    text = json.dumps({"Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": [named, "*"]}})
    block: Json = {"statement": {"effect": "Deny", "actions": ["s3:*"], "resources": [named, "*"]}}
    manifest = Manifest.from_json(
        {
            "resource": {
                "aws_x": {
                    "text": {"policy": text},
                    "data": {"policy": "${data.aws_iam_policy_document.d.json}"},
                }
            },
            "data": {"aws_iam_policy_document": {"d": block}},
        }
    )

    for one, what in zip(manifest.resources, ("Resource", "resources"), strict=True):
        policy = one.policy("policy")
        assert isinstance(policy, PolicyDocument)
        assert policy.unclear == (f"{what} cannot be resolved here: {named}",)
