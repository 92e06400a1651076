"""No value that may be a secret comes out: by attribute, by name, by look, in every format."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from payinfra.checks import catalogue, checkov
from payinfra.checks.api import CheckRequest, ShownPlan, run_checks
from payinfra.checks.catalogue import Catalogue
from payinfra.checks.manifest import Json, Manifest, Resource
from payinfra.checks.model import check
from payinfra.checks.redaction import HIDDEN, Redactor
from payinfra.checks.runner import run
from payinfra.checks.secret_recognition import look_of, names_secret, secrets_within
from payinfra.checks.verdicts import Severity, Verdict
from payinfra.report.findings import rendering
from payinfra.report.formats import FindingsFormat

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEverysecret\nline-two-of-it\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "name",
    ["password", "DB_PASSWORD", "dbPassword", "master_user_password", "ACQUIRER_TOKEN", "secret_string",
     "STRIPE_SIGNING_KEY", "apiKey", "API_KEY_2", "AWS_SECRET_ACCESS_KEY", "privateKeyPem", "client-secret",
     "smtp.credentials", "PASSPHRASE", "connection_string", "HMACKey", "pwd"],
)  # fmt: skip
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    ["", "1", "name", "secret_arn", "SECRET_NAME", "secret_id", "token_ttl", "http_tokens", "kms_key_id",
     "bucket_key_enabled", "api_key_required", "api_key_source", "password_policy", "monkey", "author",
     "access_key_id", "minimum_password_length", "TABLE_NAME", "authorizer", "key"],
)  # fmt: skip
def test_what_only_speaks_of_secrets_is_none(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize(
    "text",
    ["whsec_9fK2mQ7xT4vB8nL1cR5y", "rk_live_9fK2mQ7xT4vB", "sk_test_9fK2mQ7xT4vB8nL1", "AKIAIOSFODNN7EXAMPLE",
     "ghp_0123456789abcdefghij0123", "xoxb-1234567890-abcdef", "SG.abcdefghijklmnop.abcdefghijklmnopq", JWT,
     PEM, "postgres://till:correct-horse@db.internal:5432/till", "redis://:hunter2@cache:6379",
     "Bearer abcdef0123456789"],
)  # fmt: skip
def test_a_secret_is_known_by_its_look(text: str) -> None:
    assert look_of(text) or text.startswith("Bearer ")
    assert HIDDEN in Redactor().clean(f"it is {text} there")
    assert list(secrets_within(text))


@pytest.mark.parametrize(
    "text",
    ["", "text", "https://example.com:8443/a@b", "arn:aws:kms:eu-west-1:1:key/0", "postgres://till@db/till",
     "${aws_kms_key.k.arn}", "the api key is required"],
)  # fmt: skip
def test_what_looks_like_no_secret_stays(text: str) -> None:
    assert not look_of(text)
    assert Redactor().clean(text) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("export DB_PASSWORD=hunter2-long", ["hunter2-long"]),
        ("Server=db;Password=hunter2;Encrypt=true", ["hunter2"]),
        ('config = {"api_key": "hunter2hunter2"}', ["hunter2hunter2"]),
        ('{"Action": "secretsmanager:GetSecretValue"}', []),
        ("Action=secretsmanager:GetSecretValue", []),
        ("nothing here", []),
    ],
)
def test_what_is_assigned_to_a_secrets_name_inside_of_a_text_is_one(text: str, found: list[str]) -> None:
    assert list(secrets_within(text)) == found


def stack(value: str) -> dict[str, Any]:
    """The same secret in every kind of place, each as a stack of its own would have it."""
    documents = json.dumps([{"environment": [{"name": "DB_PASSWORD", "value": value}]}])
    return {
        "by attribute": {"resource": {"aws_db_instance": {"x": {"password": value}}}},
        "nested": {"resource": {"aws_amplify_app": {"x": {"auto_branch_creation_config": [
            {"basic_auth_credentials": value}]}}}},
        "data": {"data": {"aws_kms_secrets": {"x": {"plaintext": {"a": value}}}}},
        "by name": {"resource": {"aws_x": {"x": {"environment": {"variables": {"ACQUIRER_TOKEN": value}}}}}},
        "pair": {"resource": {"aws_x": {"x": {"setting": [{"name": "DB_PASSWORD", "value": value}]}}}},
        "json": {"resource": {"aws_x": {"x": {"container_definitions": documents}}}},
        "jsonencode": {"resource": {"aws_x": {"x": {
            "text": "${jsonencode({password = local.v})}"}}}, "locals": {"v": value}},
        "script": {"resource": {"aws_x": {"x": {"user_data": f"#!/bin/sh\nexport APP_TOKEN={value}\n"}}}},
        "url": {"resource": {"aws_x": {"x": {"text": f"postgres://till:{value}@db:5432/x"}}}},
        "local": {"resource": {"aws_x": {"x": {"text": "${local.db_password}"}}},
                  "locals": {"db_password": value}},
        "local object": {"resource": {"aws_x": {"x": {"password": "${local.all}"}}},
                         "locals": {"all": {"inner": [value]}}},
        "variable": {"resource": {"aws_x": {"x": {"text": "${var.plain}"}}},
                     "variable": {"plain": {"default": value, "sensitive": True}}},
        "variable by name": {"resource": {"aws_x": {"x": {"text": "${var.api_key}"}}},
                             "variable": {"api_key": {"default": value}}},
        "provider": {"provider": {"aws": {"secret_key": value}}, "resource": {"aws_x": {"x": {}}}},
        "output": {"output": {"x": {"value": value, "sensitive": True}}, "resource": {"aws_x": {"x": {}}}},
        "template": {"resource": {"aws_x": {"x": {"password": f"{value}-${{aws_x.y.id}}"}}}},
    }  # fmt: skip


SECRET = "correct-horse-battery-staple"


def leaves(value: Json) -> list[str]:
    """Every text in a value."""
    match value:
        case str():
            return [value]
        case dict():
            return [text for one in value.values() for text in leaves(one)]
        case list():
            return [text for one in value for text in leaves(one)]
        case _:
            return []


@check(id="PI-T-001", title="Chatty", severity=Severity.HIGH, risk="r", fix="f")
def chatty(manifest: Manifest) -> list[Verdict]:
    """Repeat everything there is, as it stands and as it is resolved, whole and as Python writes it."""
    bodies = [one.body for one in (*manifest.resources, *manifest.data)]
    bodies += [one.block.body for one in (*manifest.providers, *manifest.outputs)]
    texts = [text for body in bodies for text in leaves(body)]
    texts += leaves(manifest.resolve([*texts]))
    return [Verdict.failed(f"it is {text} or {text!r}") for text in texts] or [Verdict.passed()]


@pytest.mark.parametrize("place", list(stack("")))
def test_a_secret_in_any_place_is_hidden_whatever_a_check_says(place: str) -> None:
    judged = run([chatty], [Manifest.from_json(stack(SECRET)[place] | _something(stack(SECRET)[place]))])

    said = " ".join(one.message for one in judged[0].findings)
    assert SECRET not in said
    assert place in ("provider", "output") or HIDDEN in said


def _something(document: dict[str, Any]) -> dict[str, Any]:
    """A resource for a stack that has none: zero resources are refused."""
    return {} if "resource" in document else {"resource": {"aws_x": {"other": {}}}}


@pytest.mark.parametrize("place", list(stack("")))
@pytest.mark.parametrize("how", list(FindingsFormat))
def test_no_format_of_the_whole_catalogue_prints_it(place: str, how: FindingsFormat, tmp_path: Path) -> None:
    document = stack(SECRET)[place]
    (tmp_path / "cdk.tf.json").write_text(json.dumps(document | _something(document)))

    outcome = run_checks(CheckRequest((tmp_path / "cdk.tf.json",)), known=catalogue.load())

    file = io.StringIO()
    rendering.write(Console(file=file, width=200), outcome, how, Severity.LOW)
    assert SECRET not in file.getvalue()


def test_twins_that_differ_in_a_secret_are_told_apart_by_the_propertys_name(tmp_path: Path) -> None:
    regions = {"a": "eu-west-1", "b": "eu-central-1"}
    document = {
        "provider": {"aws": [{"alias": alias, "region": region} for alias, region in regions.items()]},
        "resource": {
            "aws_secretsmanager_secret_version": {
                f"v_{alias}": {"provider": f"aws.{alias}", "secret_string": f"master-password-{ord(alias)}"}
                for alias in regions
            }
        },
    }
    (tmp_path / "cdk.tf.json").write_text(json.dumps(document))

    outcome = run_checks(CheckRequest((tmp_path / "cdk.tf.json",), select=("PI-REG-002",)))

    (finding,) = outcome.findings
    assert finding.message.endswith(" in secret_string")


@pytest.mark.parametrize(
    ("secret", "said", "left"),
    [
        ("ab", "it is 'ab', about abc", f"it is '{HIDDEN}', about abc"),
        ("admin", "admin, not Administrator admin1", f"{HIDDEN}, not Administrator admin1"),
        ("p.w'd", 'it is "p.w\'d"', f'it is "{HIDDEN}"'),
        ('quo"te', "as 'quo\\\"te' too", f"as '{HIDDEN}' too"),
        ("täglich-neu", "as t\\u00e4glich-neu", f"as {HIDDEN}"),
        ("first line of it\nsecond line of it", "only second line of it", f"only {HIDDEN}"),
        ("longer-secret-value", "longer-secret-value2", f"{HIDDEN}2"),
        ("true", "it is 'true'", "it is 'true'"),
        ("arn:aws:iam::1:role/r", "arn:aws:iam::1:role/r", "arn:aws:iam::1:role/r"),
    ],
)
def test_a_secret_is_found_however_a_message_writes_it(secret: str, said: str, left: str) -> None:
    assert Redactor([secret]).clean(said) == left


def test_numbers_and_references_are_told_apart() -> None:
    manifest = Manifest.from_json(
        {
            "resource": {
                "aws_x": {"x": {"token": 123456, "password": "${aws_y.z.id}", "secret": True}},
                "aws_ssm_parameter": {
                    "plain": {"type": "String", "value": "payments-table"},
                    "secure": {"type": "SecureString", "value": "hidden-value", "list": [["[not json"]]},
                },
            }
        }
    )
    redactor = Redactor.of(manifest)

    assert redactor.clean("123456 hidden-value") == f"{HIDDEN} {HIDDEN}"
    assert redactor.clean("payments-table ${aws_y.z.id}") == "payments-table ${aws_y.z.id}"


@check(id="PI-T-002", title="Crashes", severity=Severity.HIGH, on="aws_x", risk="r", fix="f")
def crashing(resource: Resource, manifest: Manifest) -> Verdict:
    """Raise with everything in the message, at length."""
    raise ValueError("x" * 100 + str(resource.raw("password")) + "y" * 500)


def test_a_crash_does_not_tell_either_and_is_not_cut_before_it_is_cleaned() -> None:
    document: dict[str, Json] = {"resource": {"aws_x": {"x": {"password": SECRET}}}}

    (judged,) = run([crashing], [Manifest.from_json(document)])

    (finding,) = judged.findings
    assert SECRET[:8] not in finding.message
    assert len(finding.message) < 300


@check(id="PI-T-003", title="Passes", severity=Severity.HIGH, on="aws_x", risk="r", fix="f")
def telling(resource: Resource, manifest: Manifest) -> Verdict:
    """Pass, and say too much."""
    return Verdict.passed(f"it is {resource.raw('password')}")


def test_a_pass_does_not_tell_either() -> None:
    document: dict[str, Json] = {"resource": {"aws_x": {"x": {"password": SECRET}}}}

    (judged,) = run([telling], [Manifest.from_json(document)])

    assert judged.result.message == f"it is {HIDDEN}"


def test_what_a_plan_marks_sensitive_is_hidden() -> None:
    after = {
        "name": "marked-value",
        "list": ["first-one", {"a": "second-one", "b": "shown-one"}],
        "all": "whole-one",
    }
    change = {
        "actions": ["create"],
        "after": after,
        "after_unknown": {},
        "after_sensitive": {"name": True, "list": [True, {"a": True, "b": False}], "all": True},
    }
    document = {
        "format_version": "1.2",
        "resource_changes": [
            {"address": "aws_x.x", "mode": "managed", "type": "aws_x", "name": "x", "change": change}
        ],
        "variables": {"plain": {"value": "variable-one"}},
        "configuration": {
            "root_module": {
                "variables": {"plain": {"sensitive": True}},
                "resources": [
                    {
                        "mode": "managed",
                        "type": "aws_x",
                        "name": "x",
                        "expressions": {key: {} for key in after},
                    }
                ],
            }
        },
    }

    outcome = run_checks(CheckRequest(plans=(ShownPlan("plan", document),)), known=Catalogue((chatty,), ()))

    said = " ".join(one.message for one in outcome.findings)
    assert "shown-one" in said
    for secret in ("marked-value", "first-one", "second-one", "whole-one"):
        assert secret not in said
    assert Redactor.of(Manifest.of_plan(document, name="p")).clean("variable-one") == HIDDEN


def test_what_another_tool_says_is_looked_through(tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    file.write_text('{"resource": {}}')
    told = checkov.Finished(1, "", f"error near {JWT}")

    judged = checkov.advise(Path("checkov"), [str(file)], lambda _command: told)

    assert JWT[:20] not in judged.findings[0].message
    assert HIDDEN in judged.findings[0].message


def test_what_is_written_in_odd_shapes_is_found_or_passed_over() -> None:
    root: dict[str, Json] = {
        "locals": {"pair": {"user": "u", "key": "local-object-one"}, "list": ["local-list-one", 4711, None]},
        "resource": {
            "aws_x": {
                "x": {
                    "password": "${local.pair}",
                    "token": ["${local.list}", True],
                    "settings": '{"password": not json',
                    "number": '{"token": 12',
                    "document": '["api_key", {"api_key": "inside-json-one"}]',
                }
            },
            "aws_db_instance": {"d": {"password": None}, "e": {"password": 98765432}},
            "aws_elasticache_user": {"u": {"passwords": ["listed-one"], "authentication_mode": 3}},
        },
    }
    redactor = Redactor.of(Manifest.from_json(root))

    for secret in ("local-object-one", "local-list-one", "4711", "98765432", "inside-json-one", "listed-one"):
        assert redactor.clean(f"it is {secret}.") == f"it is {HIDDEN}.", secret


def test_what_the_provider_gave_before_is_hidden_too() -> None:
    change = {
        "actions": ["no-op"],
        "after": {"id": "AKIDEXAMPLE", "secret": "computed-secret-one"},
        "after_unknown": {},
    }
    entry = {
        "address": "aws_iam_access_key.k",
        "mode": "managed",
        "type": "aws_iam_access_key",
        "name": "k",
        "change": change,
    }
    manifest = Manifest.of_plan({"format_version": "1.2", "resource_changes": [entry]}, name="p")

    assert Redactor.of(manifest).clean("computed-secret-one") == HIDDEN


def test_a_mark_of_another_shape_marks_nothing() -> None:
    change = {
        "actions": ["create"],
        "after": {"name": "shown-one"},
        "after_unknown": {},
        "after_sensitive": {"name": {"deeper": True}, "gone": True},
    }
    entry = {"address": "aws_x.x", "mode": "managed", "type": "aws_x", "name": "x", "change": change}
    config = {"mode": "managed", "type": "aws_x", "name": "x", "expressions": {"name": {}}}
    document = {
        "format_version": "1.2",
        "resource_changes": [entry],
        "configuration": {"root_module": {"resources": [config]}},
    }

    assert Redactor.of(Manifest.of_plan(document, name="p")).clean("shown-one") == "shown-one"


def test_the_blocks_of_a_sensitive_attribute_are_all_looked_at() -> None:
    root: dict[str, Json] = {
        "resource": {
            "aws_amplify_app": {
                "a": {"auto_branch_creation_config": [{"basic_auth_credentials": "one-of-them"}]}
            },
            "aws_mq_broker": {"b": {"user": [{"username": "u", "password": "two-of-them"}, {}]}},
            "aws_dms_endpoint": {"e": {"password": {"inner": "three-of-them", "on": True}}},
            "aws_x": {"x": {"password": "around-it-${aws_y.z.id}"}},
        }
    }

    cleaned = Redactor.of(Manifest.from_json(root)).clean("one-of-them two-of-them three-of-them around-it-x")

    assert cleaned == f"{HIDDEN} {HIDDEN} {HIDDEN} {HIDDEN}x"
