"""Unusual and hostile ways to write what the checks judge, with the verdicts that AWS's behaviour wants."""

import json
from typing import Any

import pytest

from payinfra.checks import catalogue
from payinfra.checks.manifest import Manifest
from payinfra.checks.runner import run
from payinfra.checks.verdicts import Kind

CHECKS = {one.rule.id: one for one in catalogue.load().policy}
ME = "111122223333"
GITHUB = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
COGNITO, AMAZON = "cognito-identity.amazonaws.com", "www.amazon.com"
AUD, SUB = "token.actions.githubusercontent.com:aud", "token.actions.githubusercontent.com:sub"
OWN = {"StringEquals": {"aws:SourceAccount": ME}}
TO_STS, MAIN = {AUD: "sts.amazonaws.com"}, {SUB: "repo:acme/pay:ref:refs/heads/main"}


def statement(effect: str = "Allow", **fields: Any) -> dict[str, Any]:
    """One statement; a field that is None is left out."""
    return {"Effect": effect} | {name: value for name, value in fields.items() if value is not None}


def worst(id_: str, resources: dict[str, Any], **more: Any) -> Kind:
    """The gravest verdict of one check."""
    return gravest(id_, Manifest.from_json({"resource": resources, **more}))


def gravest(id_: str, manifest: Manifest) -> Kind:
    """The gravest verdict of one check on a manifest."""
    (judged,) = run([CHECKS[id_]], [manifest])
    kinds = judged.result.counts
    order = (Kind.ERROR, Kind.FAIL, Kind.UNKNOWN, Kind.WARN, Kind.PASS, Kind.NOT_APPLICABLE)
    return next(kind for kind in order if kinds.get(kind))


def text(*statements: dict[str, Any]) -> str:
    """A policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def topic(*statements: dict[str, Any]) -> dict[str, Any]:
    """A topic's policy, with Action and Resource filled in."""
    filled = [{"Action": "sns:Publish", "Resource": "*"} | one for one in statements]
    return {"aws_sns_topic_policy": {"p": {"arn": "arn:aws:sns:eu-west-1:1:t", "policy": text(*filled)}}}


def everybody(condition: dict[str, Any] | None) -> dict[str, Any]:
    """A topic that everybody may publish to under a condition."""
    return topic(statement(Principal="*", Condition=condition))


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    """A role with a trust policy."""
    return {"aws_iam_role": {"r": {"assume_role_policy": text(*statements)}}}


def github(condition: dict[str, Any] | None, *more: dict[str, Any]) -> dict[str, Any]:
    """A role that workflows take on."""
    allow = statement(
        Action="sts:AssumeRoleWithWebIdentity", Principal={"Federated": GITHUB}, Condition=condition
    )
    return role(allow, *more)


def web(provider: str, condition: dict[str, Any] | None) -> dict[str, Any]:
    """A role that another identity provider's people take on."""
    who = {"Federated": provider}
    return role(statement(Action="sts:AssumeRoleWithWebIdentity", Principal=who, Condition=condition))


def rights(*statements: dict[str, Any]) -> dict[str, Any]:
    """An identity policy."""
    return {"aws_iam_policy": {"p": {"policy": text(*statements)}}}


PUBLIC = [
    ("no condition", None, Kind.FAIL),
    ("own account", {"StringEquals": {"aws:PrincipalAccount": ME}}, Kind.PASS),
    ("key in another case", {"stringequals": {"AWS:principalaccount": ME}}, Kind.PASS),
    (
        "the wildcard of an operator that knows none",
        {"StringEquals": {"aws:PrincipalAccount": "*"}},
        Kind.PASS,
    ),
    ("a whole wildcard", {"StringLike": {"aws:PrincipalAccount": "*"}}, Kind.FAIL),
    ("question marks for an account", {"StringLike": {"aws:PrincipalAccount": "????????????"}}, Kind.FAIL),
    ("everybody but one", {"StringNotEquals": {"aws:PrincipalAccount": ME}}, Kind.FAIL),
    ("who signs in, if anybody", {"StringEqualsIfExists": {"aws:PrincipalAccount": ME}}, Kind.FAIL),
    ("if the source exists", {"StringEqualsIfExists": {"aws:SourceAccount": ME}}, Kind.FAIL),
    ("all values of none", {"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-1/r/ou/"}}, Kind.FAIL),
    ("any value", {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-abc/r-1/ou-2/*"}}, Kind.PASS),
    ("the organization", {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}, Kind.PASS),
    ("not null", {"Null": {"aws:PrincipalOrgID": "false"}}, Kind.FAIL),
    ("null", {"Null": {"aws:PrincipalOrgID": "true"}}, Kind.FAIL),
    ("an ARN with its account", {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ME}:role/*"}}, Kind.PASS),
    ("an ARN of any account", {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/pay"}}, Kind.FAIL),
    ("a source ARN of any account", {"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:pay"}}, Kind.FAIL),
    ("all of IPv4", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, Kind.FAIL),
    ("all of IPv6", {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "::/0"]}}, Kind.FAIL),
    ("an office", {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/48"]}}, Kind.PASS),
    ("all but an office", {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, Kind.FAIL),
    ("over TLS", {"Bool": {"aws:SecureTransport": "true"}}, Kind.FAIL),
    ("from a day on", {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, Kind.FAIL),
    ("a number", {"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}, Kind.FAIL),
    ("a VPC", {"StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}, Kind.PASS),
    ("the user agent", {"StringEquals": {"aws:UserAgent": "till"}}, Kind.FAIL),
    ("two of which one binds", {**OWN, "StringLike": {"aws:UserAgent": "*"}}, Kind.PASS),
]


@pytest.mark.parametrize(("condition", "kind"), [one[1:] for one in PUBLIC], ids=[one[0] for one in PUBLIC])
def test_a_condition_on_everybody_is_evaluated(condition: dict[str, Any] | None, kind: Kind) -> None:
    assert worst("PI-SNS-002", everybody(condition)) is kind


def test_allow_and_deny_hold_together() -> None:
    allow = statement(Principal="*")
    others: dict[str, Any] = {"StringNotEquals": {"aws:PrincipalAccount": ME}}
    assert worst("PI-SNS-002", topic(allow, statement("Deny", Principal="*", Condition=others))) is Kind.PASS
    if_any = {"StringNotEqualsIfExists": {"aws:PrincipalAccount": ME}}
    assert worst("PI-SNS-002", topic(allow, statement("Deny", Principal="*", Condition=if_any))) is Kind.PASS
    nothing = {"StringEquals": {"aws:PrincipalAccount": ME}}
    assert worst("PI-SNS-002", topic(allow, statement("Deny", Principal="*", Condition=nothing))) is Kind.FAIL
    read = statement("Deny", Principal="*", Action="sns:Subscribe")
    assert worst("PI-SNS-002", topic(allow, read)) is Kind.FAIL
    own = f"arn:aws:iam::{ME}:root"
    assert worst("PI-SNS-002", topic(allow, statement("Deny", NotPrincipal={"AWS": own}))) is Kind.PASS
    elsewhere = statement("Deny", Principal="*", Resource="arn:aws:sns:eu-west-1:1:other")
    here = allow | {"Resource": "arn:aws:sns:eu-west-1:1:t"}
    assert worst("PI-SNS-002", topic(here, elsewhere)) is Kind.FAIL
    all_but = {"Principal": "*", "Action": "sns:*", "NotResource": "arn:aws:sns:eu-west-1:1:other"}
    both = text(here | {"Action": "sns:Publish"}, statement("Deny", **all_but))
    assert worst("PI-SNS-002", {"aws_sns_topic_policy": {"p": {"arn": "a", "policy": both}}}) is Kind.PASS


def test_allow_with_not_principal_and_not_action_lets_strangers_in() -> None:
    one = statement(NotPrincipal={"AWS": f"arn:aws:iam::{ME}:root"})
    assert worst("PI-SNS-002", topic(one)) is Kind.FAIL
    but = {"Statement": [statement(NotAction="sns:Subscribe", Principal="*", Resource="*")]}
    policy = {"aws_sns_topic_policy": {"p": {"arn": "a", "policy": json.dumps(but)}}}
    assert worst("PI-SNS-002", policy) is Kind.FAIL


TRUSTS = [
    ("audience and branch", {"StringEquals": {**TO_STS, **MAIN}}, Kind.PASS),
    ("audience only", {"StringEquals": TO_STS}, Kind.FAIL),
    ("every repository", {"StringEquals": TO_STS, "StringLike": {SUB: "repo:*"}}, Kind.FAIL),
    ("every owner", {"StringEquals": TO_STS, "StringLike": {SUB: "repo:*/pay:*"}}, Kind.FAIL),
    ("owners that begin alike", {"StringEquals": TO_STS, "StringLike": {SUB: "repo:acme*"}}, Kind.FAIL),
    ("every repository of an owner", {"StringEquals": TO_STS, "StringLike": {SUB: "repo:acme/*"}}, Kind.PASS),
    ("another's", {"StringEquals": TO_STS, "StringNotLike": {SUB: "repo:acme/*"}}, Kind.FAIL),
    ("if it exists", {"StringEquals": TO_STS, "StringLikeIfExists": {SUB: "repo:acme/pay:*"}}, Kind.FAIL),
    ("all values", {"StringEquals": TO_STS, "ForAllValues:StringLike": {SUB: "repo:acme/pay:*"}}, Kind.FAIL),
    (
        "one narrow, one wide",
        {"StringEquals": TO_STS, "StringLike": {SUB: ["repo:acme/pay:*", "*"]}},
        Kind.FAIL,
    ),
    ("nothing", None, Kind.FAIL),
]


@pytest.mark.parametrize(("condition", "kind"), [one[1:] for one in TRUSTS], ids=[one[0] for one in TRUSTS])
def test_who_may_take_a_role_on_with_a_token_is_evaluated(
    condition: dict[str, Any] | None, kind: Kind
) -> None:
    assert worst("PI-IAM-006", github(condition)) is kind


def test_other_identity_providers_have_claims_of_their_own() -> None:
    pool = {f"{COGNITO}:aud": "eu-west-1:11111111-2222-3333-4444-555555555555"}
    signed_in = {"ForAnyValue:StringLike": {f"{COGNITO}:amr": "authenticated"}}
    assert worst("PI-IAM-006", web(COGNITO, {"StringEquals": pool, **signed_in})) is Kind.PASS
    assert worst("PI-IAM-006", web(COGNITO, {"StringEquals": pool})) is Kind.WARN
    assert worst("PI-IAM-006", web(COGNITO, signed_in)) is Kind.FAIL
    assert (
        worst("PI-IAM-006", web(AMAZON, {"StringEquals": {f"{AMAZON}:app_id": "amzn1.app.1"}})) is Kind.PASS
    )
    assert worst("PI-IAM-006", web(AMAZON, None)) is Kind.FAIL
    mail = "accounts.google.com"
    bound = {"StringEquals": {f"{mail}:aud": "till.apps"}, "StringLike": {f"{mail}:email": "*@acme.example"}}
    assert worst("PI-IAM-006", web(mail, bound)) is Kind.PASS
    bound["StringLike"] = {f"{mail}:email": "*@*"}
    assert worst("PI-IAM-006", web(mail, bound)) is Kind.FAIL


def test_a_trust_policy_of_not_actions_lets_take_the_role_on() -> None:
    anybody = statement(NotAction="sts:TagSession", Principal="*")
    assert worst("PI-IAM-006", role(anybody)) is Kind.FAIL


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:eu-west-1:1:table/pay"}, Kind.PASS),
        ({"Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:*:*:table/*"}, Kind.FAIL),
        ({"Action": "dynamodb:GetItem", "Resource": "arn:aws:dynamodb:*:*:table/pay-*"}, Kind.PASS),
        ({"Action": "dynamodb:Get*", "Resource": "arn:*:dynamodb:eu-west-1:1:*"}, Kind.FAIL),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/*"}, Kind.FAIL),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::pay-*-audit/*"}, Kind.PASS),
        ({"Action": "s3:ListAllMyBuckets", "Resource": "*"}, Kind.PASS),
        ({"Action": ["ec2:DescribeInstances", "xray:PutTraceSegments"], "Resource": "*"}, Kind.PASS),
        (
            {"Action": "dynamodb:GetItem", "NotResource": "arn:aws:dynamodb:eu-west-1:1:table/secret"},
            Kind.FAIL,
        ),
    ],
)
def test_which_resources_a_policy_reaches_is_seen_through_wildcards(
    fields: dict[str, Any], kind: Kind
) -> None:
    assert worst("PI-IAM-002", rights(statement(**fields))) is kind


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"Action": "*", "Resource": "*"}, Kind.FAIL),
        ({"Action": "*:*", "Resource": "*"}, Kind.FAIL),
        ({"Action": "dynamodb:*", "Resource": "arn:aws:dynamodb:eu-west-1:1:table/pay"}, Kind.FAIL),
        ({"Action": "dynamo*:*", "Resource": "*"}, Kind.FAIL),
        ({"Action": "DynamoDB:*", "Resource": "*"}, Kind.FAIL),
        ({"NotAction": "iam:*", "Resource": "*"}, Kind.FAIL),
        ({"Action": "dynamodb:Get*", "Resource": "arn:aws:dynamodb:eu-west-1:1:table/pay"}, Kind.PASS),
    ],
)
def test_which_actions_a_policy_allows_is_seen_through_wildcards(fields: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-IAM-001", rights(statement(**fields))) is kind


def test_a_deny_of_everything_makes_no_policy_wide() -> None:
    assert worst("PI-IAM-001", rights(statement("Deny", Action="*", Resource="*"))) in (
        Kind.PASS,
        Kind.NOT_APPLICABLE,
    )


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        ({"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}, Kind.FAIL),
        ({"name": "AdministratorAccess"}, Kind.FAIL),
        ({"name": "PayOfOurOwn"}, Kind.UNKNOWN),
    ],
)
def test_a_managed_policy_that_is_looked_up_is_known_by_arn_or_name(
    policy: dict[str, Any], kind: Kind
) -> None:
    attached = {"r": {"role": "pay", "policy_arn": "${data.aws_iam_policy.one.arn}"}}
    resources = {"aws_iam_role_policy_attachment": attached}
    assert worst("PI-IAM-001", resources, data={"aws_iam_policy": {"one": policy}}) is kind


def test_administrators_are_found_in_every_way_to_attach_a_policy() -> None:
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    china = "arn:aws-cn:iam::aws:policy/AdministratorAccess"
    for type_, body in {
        "aws_iam_group_policy_attachment": {"group": "g", "policy_arn": admin},
        "aws_iam_user_policy_attachment": {"user": "u", "policy_arn": china},
        "aws_iam_policy_attachment": {"name": "p", "groups": ["g"], "policy_arn": admin},
        "aws_iam_role_policy_attachments_exclusive": {"role_name": "r", "policy_arns": [admin]},
        "aws_iam_role": {"assume_role_policy": "{}", "managed_policy_arns": [admin]},
    }.items():
        assert worst("PI-IAM-001", {type_: {"x": body}}) is Kind.FAIL, type_


ODD = [
    ("a number for an account", {"NumericEquals": {"aws:PrincipalAccount": ME}}, Kind.PASS),
    ("any number", {"NumericGreaterThan": {"aws:PrincipalAccount": "1"}}, Kind.FAIL),
    ("a number for an organization", {"NumericEquals": {"aws:PrincipalOrgID": "o-1"}}, Kind.FAIL),
    ("an account before a day", {"DateLessThan": {"aws:PrincipalAccount": "2020-01-01T00:00:00"}}, Kind.PASS),
    (
        "an account after a day",
        {"DateGreaterThan": {"aws:PrincipalAccount": "2020-01-01T00:00:00Z"}},
        Kind.FAIL,
    ),
    ("a day that is none", {"DateEquals": {"aws:PrincipalAccount": "soon"}}, Kind.FAIL),
    ("an address that is none", {"IpAddress": {"aws:SourceIp": "everywhere"}}, Kind.FAIL),
    ("a quantifier that is none", {"ForSomeValue:StringEquals": {"aws:PrincipalAccount": ME}}, Kind.FAIL),
    ("an operator that is none", {"StringIs": {"aws:PrincipalAccount": ME}}, Kind.FAIL),
    ("in any case", {"StringEqualsIgnoreCase": {"aws:PrincipalOrgID": "O-A1B2"}}, Kind.PASS),
    ("a literal star", {"StringLike": {"aws:PrincipalOrgID": "o-&{*}"}}, Kind.PASS),
]


@pytest.mark.parametrize(("condition", "kind"), [one[1:] for one in ODD], ids=[one[0] for one in ODD])
def test_an_odd_condition_binds_only_where_iam_would_let_it(condition: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-SNS-002", everybody(condition)) is kind


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"Action": "xray:Put*", "Resource": "*"}, Kind.PASS),
        ({"Action": "ec2:Describe*", "Resource": "*"}, Kind.WARN),
        ({"Action": "dynamodb:*Item", "Resource": "*"}, Kind.FAIL),
        ({"Action": "unheardof:Do", "Resource": "*"}, Kind.FAIL),
        ({"Action": "dynamodb:Nothing*", "Resource": "*"}, Kind.FAIL),
        ({"Action": "dynamodb:${var.verb}", "Resource": "*"}, Kind.FAIL),
        (
            {
                "Action": "ec2:StartInstances",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/Team": "pay"}},
            },
            Kind.PASS,
        ),
        (
            {
                "Action": "ec2:StartInstances",
                "Resource": "*",
                "Condition": {"StringLike": {"aws:ResourceTag/Team": "*"}},
            },
            Kind.FAIL,
        ),
        (
            {
                "Action": "ec2:StartInstances",
                "Resource": "*",
                "Condition": {"StringEqualsIfExists": {"aws:ResourceTag/Team": "pay"}},
            },
            Kind.FAIL,
        ),
    ],
)
def test_patterns_of_actions_are_weighed_by_what_they_mean(fields: dict[str, Any], kind: Kind) -> None:
    assert worst("PI-IAM-002", rights(statement(**fields))) is kind


LEDGER = "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger"


def reader(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A role that reads a table under a key, with what else it may."""
    read = statement(Action="dynamodb:GetItem", Resource="${aws_dynamodb_table.t.arn}")
    encryption = {"enabled": True, "kms_key_arn": "${aws_kms_key.k.arn}"}
    return {
        "aws_kms_key": {"k": {}},
        "aws_dynamodb_table": {"t": {"name": "ledger", "server_side_encryption": encryption}},
        "aws_iam_role": {"r": {"name": "reader", "assume_role_policy": "{}"}},
        "aws_iam_role_policy": {"p": {"role": "${aws_iam_role.r.id}", "policy": text(read, *statements)}},
        **more,
    }


DECRYPT = statement(Action="kms:Decrypt", Resource="${aws_kms_key.k.arn}")


@pytest.mark.parametrize(
    ("statements", "kind"),
    [
        ((DECRYPT,), Kind.PASS),
        ((), Kind.FAIL),
        ((statement(Action="kms:Decrypt", NotResource="arn:aws:kms:*:*:key/other"),), Kind.PASS),
        ((statement(Action="kms:De*", Resource="*"),), Kind.PASS),
        ((DECRYPT, statement("Deny", Action="kms:*", Resource="*")), Kind.FAIL),
        ((DECRYPT, statement("Deny", Action="kms:Encrypt", Resource="*")), Kind.PASS),
        (
            (
                statement(
                    Action="kms:Decrypt",
                    Resource="*",
                    Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}},
                ),
            ),
            Kind.FAIL,
        ),
        (
            (
                statement(
                    Action="kms:Decrypt",
                    Resource="*",
                    Condition={"StringLike": {"kms:ViaService": "dynamodb.*.amazonaws.com"}},
                ),
            ),
            Kind.PASS,
        ),
    ],
)
def test_whether_a_role_may_use_a_key_is_what_its_statements_say_together(
    statements: tuple[dict[str, Any], ...], kind: Kind
) -> None:
    home = {"aws": {"region": "eu-west-1"}}
    assert worst("PI-IAM-004", reader(*statements), provider=home) is kind


def test_what_aws_policies_allow_of_keys_is_not_known_where_a_key_is_needed() -> None:
    attached = {"a": {"role": "${aws_iam_role.r.name}", "policy_arn": "arn:aws:iam::aws:policy/Unheard"}}
    more = {"aws_iam_role_policy_attachment": attached}
    assert worst("PI-IAM-004", reader(**more)) is Kind.UNKNOWN
    assert worst("PI-IAM-004", reader(DECRYPT, **more)) is Kind.PASS
    exclusive = {
        "a": {"role_name": "${aws_iam_role.r.name}", "policy_arns": ["arn:aws:iam::aws:policy/Unheard"]}
    }
    assert worst("PI-IAM-004", reader(aws_iam_role_policy_attachments_exclusive=exclusive)) is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("principal", "kind"),
    [
        ({"AWS": "arn:aws:iam::111122223333:role/reader"}, Kind.PASS),
        ({"AWS": "arn:aws:iam::111122223333:role/other"}, Kind.FAIL),
        ({"AWS": "${aws_iam_role.r.arn}"}, Kind.PASS),
        ({"AWS": "arn:aws:iam::111122223333:root"}, Kind.FAIL),
    ],
)
def test_a_key_lets_a_role_in_by_its_own_policy(principal: dict[str, str], kind: Kind) -> None:
    key = {"k": {"policy": text(statement(Action="kms:*", Resource="*", Principal=principal))}}
    assert worst("PI-IAM-004", reader(aws_kms_key=key)) is kind


def record(name: str, **fields: Any) -> dict[str, Any]:
    """One answer of a failover name."""
    alias = [{"name": name, "zone_id": "z", "evaluate_target_health": True}]
    return {"name": "pay.example.com", "type": "A", "zone_id": "z", "alias": alias, **fields}


def test_records_and_checks_in_a_circle_come_to_an_end() -> None:
    primary: dict[str, Any] = {"set_identifier": "a", "failover_routing_policy": [{"type": "PRIMARY"}]}
    secondary = {"set_identifier": "b", "failover_routing_policy": [{"type": "SECONDARY"}]}
    circle = {
        "a": record(
            "${aws_route53_record.b.fqdn}", **primary, health_check_id="${aws_route53_health_check.a.id}"
        ),
        "b": record("${aws_route53_record.a.fqdn}", **secondary),
    }
    checks = {
        "a": {"type": "CALCULATED", "child_healthchecks": ["${aws_route53_health_check.b.id}"]},
        "b": {"type": "CALCULATED", "child_healthchecks": ["${aws_route53_health_check.a.id}"]},
    }
    resources = {"aws_route53_record": circle, "aws_route53_health_check": checks}
    assert worst("PI-DNS-001", resources) is Kind.WARN


def test_an_alias_of_cloudfront_has_no_health_that_route_53_asks() -> None:
    target = "${aws_cloudfront_distribution.d.domain_name}"
    resources = {
        "aws_cloudfront_distribution": {"d": {}},
        "aws_route53_record": {
            "a": record(target, set_identifier="a", failover_routing_policy=[{"type": "PRIMARY"}]),
        },
    }
    assert worst("PI-DNS-003", resources) is Kind.FAIL


@pytest.mark.parametrize(
    ("resources", "kind"),
    [
        ({"aws_cloudtrail": {"t": {"is_multi_region_trail": True}}}, Kind.PASS),
        ({"aws_cloudtrail": {"t": {"is_multi_region_trail": False}}}, Kind.FAIL),
        (
            {"aws_secretsmanager_secret": {"s": {"name": "a", "replica": [{"region": "eu-central-1"}]}}},
            Kind.PASS,
        ),
        ({"aws_secretsmanager_secret": {"s": {"name": "a"}}}, Kind.FAIL),
        ({"aws_route53_resolver_endpoint": {"r": {"direction": "INBOUND"}}}, Kind.FAIL),
        ({"aws_rds_global_cluster": {"g": {}}}, Kind.PASS),
        ({"aws_wafv2_web_acl": {"w": {"scope": "CLOUDFRONT"}}}, Kind.PASS),
        ({"aws_cloudwatch_metric_alarm": {"a": {"namespace": "AWS/Route53"}}}, Kind.PASS),
    ],
)
def test_what_stands_once_by_nature_needs_no_twin(resources: dict[str, Any], kind: Kind) -> None:
    providers = [
        {"alias": "home", "region": "eu-west-1"},
        {"alias": "away", "region": "eu-central-1"},
    ]
    placed = {
        type_: {name: {"provider": "aws.home", **body} for name, body in bodies.items()}
        for type_, bodies in resources.items()
    }
    found = worst("PI-REG-002", placed, provider={"aws": providers})
    assert found is kind or (kind is Kind.PASS and found is Kind.NOT_APPLICABLE)


def test_zones_are_their_regions_and_make_twins() -> None:
    providers = [{"alias": "home", "region": "eu-west-1"}, {"alias": "away", "region": "eu-central-1"}]

    def subnet(region: str, alias: str, zone: str) -> dict[str, Any]:
        return {
            "provider": f"aws.{alias}",
            "availability_zone": f"{region}{zone}",
            "cidr_block": "10.0.0.0/24",
        }

    subnets = {
        f"{alias}_{zone}": subnet(region, alias, zone)
        for region, alias in (("eu-west-1", "home"), ("eu-central-1", "away"))
        for zone in "ab"
    }
    assert worst("PI-REG-002", {"aws_subnet": subnets}, provider={"aws": providers}) is Kind.PASS


@pytest.mark.parametrize(
    ("variable", "there", "kind"),
    [
        ("PRIMARY_REGION", "eu-west-1", Kind.PASS),
        ("PRIMARY_REGION", "eu-central-1", Kind.PASS),  # each its own: not compared here, but by its twin
        ("TABLE_REGION", "eu-west-1", Kind.FAIL),
    ],
)
def test_both_regions_may_be_told_which_is_the_primary_one_and_nothing_else(
    variable: str, there: str, kind: Kind
) -> None:
    providers = [{"alias": "home", "region": "eu-west-1"}, {"alias": "away", "region": "eu-central-1"}]

    def function(alias: str, value: str) -> dict[str, object]:
        told = "Pays where the home region does not."
        return {
            "provider": f"aws.{alias}",
            "function_name": "pay",
            "description": told,
            "environment": [{"variables": {variable: value}}],
        }

    functions = {"home": function("home", "eu-west-1"), "away": function("away", there)}
    assert worst("PI-REG-002", {"aws_lambda_function": functions}, provider={"aws": providers}) is kind


def test_a_certificate_that_only_cloudfront_uses_stands_once() -> None:
    providers = [{"alias": "home", "region": "eu-west-1"}, {"alias": "edge", "region": "us-east-1"}]
    arn = "${aws_acm_certificate_validation.v.certificate_arn}"
    resources = {
        "aws_acm_certificate": {"c": {"provider": "aws.edge", "domain_name": "a.example"}},
        "aws_acm_certificate_validation": {
            "v": {"provider": "aws.edge", "certificate_arn": "${aws_acm_certificate.c.arn}"}
        },
        "aws_cloudfront_distribution": {"d": {"provider": "aws.home", "viewer_certificate": [{"x": arn}]}},
    }
    assert worst("PI-REG-002", resources, provider={"aws": providers}) is not Kind.FAIL
    del resources["aws_cloudfront_distribution"]
    assert worst("PI-REG-002", resources, provider={"aws": providers}) is Kind.FAIL


def test_alarms_are_wanted_where_a_table_is() -> None:
    providers = [{"alias": "home", "region": "eu-west-1"}, {"alias": "away", "region": "eu-central-1"}]

    def regions(table: dict[str, Any]) -> set[str]:
        resources = {"aws_dynamodb_table": {"t": {"provider": "aws.home", "name": "t", **table}}}
        whole: dict[str, Any] = {"resource": resources, "provider": {"aws": providers}}
        (judged,) = run([CHECKS["PI-CW-001"]], [Manifest.from_json(whole)])
        return {one.message.split()[3] for one in judged.findings}

    assert regions({}) == {"eu-west-1"}
    assert regions({"replica": [{"region_name": "eu-central-1"}]}) == {"eu-west-1", "eu-central-1"}
    assert regions({"replica": "${var.replicas}"}) == {"eu-west-1", "eu-central-1"}


def test_a_table_that_aws_backup_keeps_has_no_point_in_time_all_the_same() -> None:
    table: dict[str, Any] = {"aws_dynamodb_table": {"t": {"name": "t", "tags": {"Backup": "yes"}}}}
    assert worst("PI-DDB-003", table) is Kind.FAIL
    tag = [{"type": "STRINGEQUALS", "key": "Backup", "value": "yes"}]
    assert worst("PI-DDB-003", {**table, "aws_backup_selection": {"s": {"selection_tag": tag}}}) is Kind.WARN
    assert (
        worst("PI-DDB-003", {**table, "aws_backup_selection": {"s": {"selection_tag": "${var.t}"}}})
        is Kind.FAIL
    )


def test_code_in_an_image_is_one_cause() -> None:
    role_arn = "${aws_iam_role.r.arn}"
    resources = reader(
        aws_lambda_function={"f": {"role": role_arn, "package_type": "Image", "image_uri": "x"}}
    )
    (judged,) = run([CHECKS["PI-IAM-007"]], [Manifest.from_json({"resource": resources})])
    assert [one.cause for one in judged.findings] == [("the code is in a container image",)]


BACKUP = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
TO_BACKUP = statement(Action="sts:AssumeRole", Principal={"Service": "backup.amazonaws.com"})


@pytest.mark.parametrize(
    ("policy", "trust", "kind"),
    [
        (BACKUP, [TO_BACKUP], Kind.WARN),
        (BACKUP, [TO_BACKUP, statement(Action="sts:AssumeRole", Principal={"AWS": ME})], Kind.FAIL),
        (
            BACKUP,
            [statement(Action="sts:AssumeRole", Principal={"Service": "lambda.amazonaws.com"})],
            Kind.FAIL,
        ),
        (BACKUP, [statement(Action="sts:AssumeRole", NotPrincipal={"AWS": ME})], Kind.FAIL),
        ("arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole", [TO_BACKUP], Kind.FAIL),
        ("arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess", [TO_BACKUP], Kind.FAIL),
    ],
)
@pytest.mark.parametrize("named", ["${aws_iam_role.r.name}", "backup", None])
def test_a_policy_that_aws_keeps_for_its_own_service_warns_on_a_role_of_that_service(
    policy: str, trust: list[dict[str, Any]], kind: Kind, named: str | None
) -> None:
    own: dict[str, Any] = {"name": "backup", "assume_role_policy": text(*trust)}
    if named is None:
        stack = {"aws_iam_role": {"r": {**own, "managed_policy_arns": [policy]}}}
    else:
        attachment = {"role": named, "policy_arn": policy}
        stack = {"aws_iam_role": {"r": own}, "aws_iam_role_policy_attachment": {"a": attachment}}
    assert worst("PI-IAM-002", stack) is kind


def test_a_policy_for_a_service_fails_where_nobody_knows_who_takes_the_role_on() -> None:
    alone = {"aws_iam_role_policy_attachment": {"a": {"role": "elsewhere", "policy_arn": BACKUP}}}
    assert worst("PI-IAM-002", alone) is Kind.FAIL
    unknown = {"aws_iam_role": {"r": {"assume_role_policy": "${var.trust}", "managed_policy_arns": [BACKUP]}}}
    assert worst("PI-IAM-002", unknown) is Kind.FAIL


@pytest.mark.parametrize(
    ("action", "resource", "whole", "every"),
    [
        ("iot:*", "*", Kind.FAIL, Kind.FAIL),
        ("iot:Publish", "*", Kind.PASS, Kind.FAIL),
        (
            "iot:Connect",
            "arn:aws:iot:eu-west-1:1:client/$${iot:Connection.Thing.ThingName}",
            Kind.PASS,
            Kind.PASS,
        ),
    ],
)
def test_a_device_has_a_policy_too(action: str, resource: str, whole: Kind, every: Kind) -> None:
    policy = {"aws_iot_policy": {"p": {"policy": text(statement(Action=action, Resource=resource))}}}
    assert worst("PI-IAM-001", policy) is whole
    assert worst("PI-IAM-002", policy) is every


@pytest.mark.parametrize(
    ("action", "resource", "kind"),
    [
        ("sns:Publish", "${aws_cloudwatch_event_rule.r.arn}", Kind.FAIL),
        ("events:EnableRule", "${aws_cloudwatch_event_rule.r.arn}", Kind.PASS),
        ("rds:StartDBCluster", "${aws_rds_cluster.c.arn}", Kind.PASS),
        ("rds:StartDBCluster", "${aws_db_instance.d.arn}", Kind.FAIL),
    ],
)
def test_an_action_is_compared_with_what_an_attribute_is_the_arn_of(
    action: str, resource: str, kind: Kind
) -> None:
    stack = {
        **rights(statement(Action=action, Resource=resource)),
        "aws_cloudwatch_event_rule": {"r": {}},
        "aws_rds_cluster": {"c": {}},
        "aws_db_instance": {"d": {}},
    }
    assert worst("PI-IAM-005", stack) is kind


def test_a_stranger_who_meets_each_of_many_conditions_is_found() -> None:
    keys = (
        *("aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID", "aws:SourceAccount"),
        *("aws:SourceArn", "aws:SourceOrgID", "aws:SourceVpc", "aws:SourceVpce"),
    )
    assert worst("PI-SNS-002", everybody({"StringLike": dict.fromkeys(keys, "1*")})) is Kind.FAIL
    closed = {"StringLike": dict.fromkeys(keys, "1*"), "StringEquals": {"aws:PrincipalOrgID": "o-payments"}}
    assert worst("PI-SNS-002", everybody(closed)) is Kind.PASS
