"""What each call is authorized as, asked of ministack with the corrections in place."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

import pytest

from payinfra.local.server.patches import authorization

ACCOUNT = "000000000000"
EAST = "us-east-1"


@dataclass(frozen=True)
class Asked:
    """A call as it comes over the wire: JSON where there is a body, else the query protocol's parameters."""

    service: str
    action: str
    method: str = "POST"
    path: str = "/"
    body: Mapping[str, object] | None = None
    query: Mapping[str, str] = field(default_factory=dict)

    def resource(self, world: Any) -> str:
        """The ARN that the call is authorized on."""
        actions = world.emulator.core("iam_actions")
        headers = {"x-amz-target": f"X.{self.action}"} if self.body is not None and self.path == "/" else {}
        query = {**self.query, **({"Action": self.action} if self.query else {})}
        body = b"" if self.body is None else json.dumps(self.body).encode()
        with world.emulator.scope(ACCOUNT, EAST):
            found: str = actions.extract_resource_arn(
                self.service, self.method, self.path, headers, body, query, EAST, ACCOUNT
            )
        return found


def looks(enforce: Any) -> Any:
    """The correction around something that stands for ministack's own judgement."""
    return authorization.all_that_aws_looks_at(
        enforce, lambda _region: nullcontext(), lambda _arn: None, lambda: ""
    )


def here(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{EAST}:{ACCOUNT}:{resource}"


FUNCTIONS = "/2015-03-31/functions"
TOPIC = here("sns", "payment-a-alarms")
RESOURCES: tuple[tuple[Asked, str], ...] = (
    (Asked("lambda", "", path=FUNCTIONS, body={"FunctionName": "f"}), here("lambda", "function:f")),
    (Asked("lambda", "", method="GET", path=FUNCTIONS), "*"),
    (
        Asked("lambda", "", path=f"{FUNCTIONS}/f/invocations", body={"Qualifier": "told"}),
        here("lambda", "function:f"),
    ),
    (
        Asked("lambda", "", path=f"{FUNCTIONS}/f/invocations", query={"Qualifier": "live"}),
        here("lambda", "function:f:live"),
    ),
    (Asked("monitoring", "DeleteAlarms", body={"AlarmNames": ["a", "b"]}), here("cloudwatch", "alarm:a")),
    (Asked("monitoring", "DeleteAlarms", query={"AlarmNames.member.1": "a"}), here("cloudwatch", "alarm:a")),
    (Asked("monitoring", "DescribeAlarms", body={}), "*"),
    (
        Asked("monitoring", "PutDashboard", body={"DashboardName": "d"}),
        f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/d",
    ),
    (
        Asked("monitoring", "DeleteDashboards", query={"DashboardNames.member.1": "d"}),
        f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/d",
    ),
    (Asked("monitoring", "TagResource", body={"ResourceARN": "arn:x"}), "arn:x"),
    (Asked("route53", "", "GET", "/2013-04-01/healthcheck/h-1"), "arn:aws:route53:::healthcheck/h-1"),
    (Asked("route53", "", "GET", "/2013-04-01/healthcheck/h-1/status"), "arn:aws:route53:::healthcheck/h-1"),
    (Asked("route53", "", "GET", "/2013-04-01/change/C1"), "arn:aws:route53:::change/C1"),
    (Asked("route53", "", "POST", "/2013-04-01/tags/hostedzone/Z1"), "arn:aws:route53:::hostedzone/Z1"),
    (Asked("route53", "", "POST", "/2013-04-01/tags/healthcheck/h-1"), "arn:aws:route53:::healthcheck/h-1"),
    (Asked("route53", "", "POST", "/2013-04-01/healthcheck"), "*"),
    (Asked("sns", "Unsubscribe", query={"SubscriptionArn": f"{TOPIC}:1"}), TOPIC),
    (Asked("sns", "TagResource", query={"ResourceArn": TOPIC}), TOPIC),
    (Asked("sns", "ListTopics", query={"NextToken": "x"}), "*"),
    (Asked("kms", "CreateAlias", body={"AliasName": "alias/a", "TargetKeyId": "k"}), here("kms", "alias/a")),
    (Asked("kms", "CreateKey", body={}), "*"),
    (Asked("ssm", "GetParameters", body={"Names": ["/payment-a/x"]}), here("ssm", "parameter/payment-a/x")),
    (Asked("ssm", "DescribeParameters", body={}), "*"),
    (Asked("dynamodb", "TagResource", body={"ResourceArn": "arn:t"}), "arn:t"),
    (Asked("dynamodb", "ListTables", body={}), "*"),
    (Asked("iam", "SimulatePrincipalPolicy", query={"PolicySourceArn": "arn:r"}), "arn:r"),
    (Asked("iam", "ListRoles", query={"PathPrefix": "/"}), "*"),
    (Asked("acm", "ListCertificates", body={}), "*"),
)


@pytest.mark.parametrize(
    ("asked", "arn"),
    RESOURCES,
    ids=[f"{asked.service} {asked.action or asked.path}" for asked, _ in RESOURCES],
)
def test_a_call_is_about_what_it_names(world: Any, asked: Asked, arn: str) -> None:
    assert asked.resource(world) == arn


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", f"{FUNCTIONS}/f/aliases/live", "lambda:GetAlias"),
        ("PUT", f"{FUNCTIONS}/f/aliases/live", "lambda:UpdateAlias"),
        ("DELETE", f"{FUNCTIONS}/f/aliases/live", "lambda:DeleteAlias"),
        ("PUT", "/2017-10-31/functions/f/concurrency", "lambda:PutFunctionConcurrency"),
        ("GET", "/2019-09-30/functions/f/concurrency", "lambda:GetFunctionConcurrency"),
        ("DELETE", "/2017-10-31/functions/f/concurrency", "lambda:DeleteFunctionConcurrency"),
        ("GET", "/2015-03-31/event-source-mappings/u", "lambda:GetEventSourceMapping"),
        ("DELETE", "/2015-03-31/event-source-mappings/u", "lambda:DeleteEventSourceMapping"),
        ("POST", f"{FUNCTIONS}/f/invocations", "lambda:InvokeFunction"),
        ("GET", "/2018-10-31/layers", "lambda:ListLayers"),
        ("GET", "/unheard/of", None),
    ],
)
def test_a_call_to_lambda_is_the_action_of_its_name(
    world: Any, method: str, path: str, action: str | None
) -> None:
    actions = world.emulator.core("iam_actions")
    assert actions.extract_iam_action("lambda", method, path, {}, b"", {}) == action


ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
REPLICATION = f"<ReplicationConfiguration><Role>{ROLE}</Role></ReplicationConfiguration>".encode()
ACCOUNT_ROLE = {"op": "replace", "path": "/cloudwatchRoleArn", "value": ROLE}


@pytest.mark.parametrize(
    ("service", "method", "path", "body", "passed"),
    [
        ("lambda", "POST", FUNCTIONS, {"FunctionName": "f", "Role": ROLE}, "lambda.amazonaws.com"),
        ("lambda", "PUT", f"{FUNCTIONS}/f/configuration", {"Role": ROLE}, "lambda.amazonaws.com"),
        ("lambda", "PUT", f"{FUNCTIONS}/f/configuration", {"Timeout": 3}, None),
        ("s3", "PUT", "/bucket?replication", REPLICATION, "s3.amazonaws.com"),
        ("s3", "PUT", "/bucket?replication", b"<ReplicationConfiguration/>", None),
        ("apigateway", "PATCH", "/account", {"patchOperations": [ACCOUNT_ROLE]}, "apigateway.amazonaws.com"),
        ("apigateway", "PATCH", "/account", {"patchOperations": [{"path": "/x", "value": "y"}]}, None),
        ("apigateway", "PATCH", "/restapis/a", {"patchOperations": [ACCOUNT_ROLE]}, None),
        ("apigateway", "PATCH", "/account", b"not JSON{", None),
        ("apigateway", "PATCH", "/account", b"{", None),
    ],
)
def test_a_caller_that_passes_a_role_to_a_service_must_be_allowed_to(
    world: Any, service: str, method: str, path: str, body: object, passed: str | None
) -> None:
    """With a policy that allows everything but to pass roles."""
    asked: list[tuple[str, str, object]] = []

    def enforce(
        _key: str, action: str, _service: str, _region: str, resource: str, context: Mapping[str, object]
    ) -> str | None:
        asked.append((action, resource, context.get("iam:PassedToService")))
        return "no" if action == "iam:PassRole" else None

    actions = world.emulator.core("iam_actions")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    where, _, query = path.partition("?")
    with world.emulator.scope(ACCOUNT, EAST):
        actions.extract_resource_arn(service, method, where, {}, raw, {query: ""}, EAST, ACCOUNT)
        answer = looks(enforce)("key", "its:Own", service, EAST)
    assert [one for one in asked if one[0] == "iam:PassRole"] == (
        [("iam:PassRole", ROLE, passed)] if passed else []
    )
    assert answer == ("no" if passed else None)
    status, _, shown = actions.access_denied_response("iam", "its:Own", "me", "1")
    assert status == 403
    assert (b"iam:PassRole" if passed else b"its:Own") in shown


TAGS = {"Project": "p"}
HERE = "arn:aws:apigateway:us-east-1::"


@pytest.mark.parametrize(
    ("method", "path", "body", "checked"),
    [
        (
            "POST",
            "/restapis",
            {"tags": TAGS},
            ("PUT", "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2F*"),
        ),
        (
            *("POST", "/restapis/a/stages", {"stageName": "prod", "tags": TAGS}),
            ("PUT", "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fa%2Fstages%2Fprod"),
        ),
        ("PUT", f"/tags/{HERE}%2Frestapis%2Fa".replace(":", "%3A"), {"tags": TAGS}, ("PATCH", "/restapis/a")),
        ("POST", "/restapis", {"tags": {}}, None),
        ("POST", "/restapis", {}, None),
        ("PATCH", "/restapis/a", {"tags": TAGS}, None),
    ],
)
def test_tags_at_api_gateway_are_put_by_a_call_of_their_own(
    world: Any, method: str, path: str, body: object, checked: tuple[str, str] | None
) -> None:
    asked: list[tuple[str, str]] = []

    def enforce(_key: str, action: str, _service: str, _region: str, resource: str, _context: object) -> None:
        asked.append((action, resource))

    actions, raw = world.emulator.core("iam_actions"), json.dumps(body).encode()
    with world.emulator.scope(ACCOUNT, EAST):
        actions.extract_resource_arn("apigateway", method, path, {}, raw, {}, EAST, ACCOUNT)
        looks(enforce)("key", "its:Own", "apigateway", EAST)
    expected = [] if checked is None else [(f"apigateway:{checked[0]}", f"{HERE}{checked[1]}")]
    assert asked[1:] == expected


def test_an_alias_takes_its_key_as_well(world: Any) -> None:
    asked: list[str] = []

    def enforce(
        _key: str, _action: str, _service: str, _region: str, resource: str, _context: object
    ) -> None:
        asked.append(resource)

    for key in ("k", here("kms", "key/k")):
        Asked("kms", "CreateAlias", body={"AliasName": "alias/a", "TargetKeyId": key}).resource(world)
        looks(enforce)("key", "kms:CreateAlias", "kms", EAST, here("kms", "alias/a"))
    assert asked == [here("kms", "alias/a"), here("kms", "key/k")] * 2


def context(world: Any, asked: Asked) -> Mapping[str, object]:
    found: list[Mapping[str, object]] = []

    def enforce(*arguments: Any) -> None:
        found.append(arguments[5])

    asked.resource(world)
    looks(enforce)("key", "an:Action", asked.service, EAST, "*")
    return found[0]


def test_a_stream_reader_is_known_by_its_function(world: Any) -> None:
    function = here("lambda", "function:f")
    mappings = "/2015-03-31/event-source-mappings"
    made = context(world, Asked("lambda", "", path=f"{mappings}/", body={"FunctionName": function}))
    assert made == {"lambda:FunctionArn": function}
    store = world.emulator.service("lambda_svc")._esms
    with world.emulator.scope(ACCOUNT, EAST):
        store["u"] = {"FunctionArn": function}
    try:
        known = context(world, Asked("lambda", "", "DELETE", f"{mappings}/u"))
        assert known == {"lambda:FunctionArn": function}
        assert context(world, Asked("lambda", "", "DELETE", f"{mappings}/gone")) == {}
    finally:
        with world.emulator.scope(ACCOUNT, EAST):
            del store["u"]


def test_a_role_is_known_by_its_boundary(world: Any) -> None:
    wanted = Asked("iam", "CreateRole", query={"RoleName": "r", "PermissionsBoundary": "arn:b"})
    assert context(world, wanted) == {"iam:PermissionsBoundary": "arn:b"}
    assert context(world, Asked("iam", "PutRolePolicy", query={"RoleName": "r"})) == {}
    roles = world.emulator.service("iam")._roles
    with world.emulator.scope(ACCOUNT, EAST):
        roles["r"] = {"PermissionsBoundary": "arn:known"}
        try:
            known = context(world, Asked("iam", "PutRolePolicy", query={"RoleName": "r"}))
        finally:
            del roles["r"]
    assert known == {"iam:PermissionsBoundary": "arn:known"}


def test_before_any_call_nothing_else_is_looked_at() -> None:
    asked: list[Any] = []
    enforce = looks(lambda *arguments: asked.append(arguments))
    Context().run(enforce, "k", "a:B", "s", EAST)
    assert asked == [("k", "a:B", "s", EAST, "*", {})]


def test_who_may_not_make_the_call_is_not_asked_for_the_role(world: Any) -> None:
    Asked("lambda", "", path=FUNCTIONS, body={"FunctionName": "f", "Role": ROLE}).resource(world)
    refuse = looks(lambda _key, action, *_: f"no {action}")
    assert refuse("k", "lambda:CreateFunction", "lambda", EAST) == "no lambda:CreateFunction"
    allow = looks(lambda *_: None)
    assert allow("k", "lambda:CreateFunction", "lambda", EAST) is None


def test_further_permissions_are_asked_once_for_a_call(world: Any) -> None:
    """On however many resources the call itself is judged."""
    Asked("lambda", "", path=FUNCTIONS, body={"FunctionName": "f", "Role": ROLE}).resource(world)
    asked: list[str] = []
    enforce = looks(lambda _key, action, *_: asked.append(action))
    for _resource in range(2):
        enforce("k", "lambda:CreateFunction", "lambda", EAST)
    assert asked == ["lambda:CreateFunction", "iam:PassRole", "lambda:CreateFunction"]


def test_tags_of_what_is_made_at_api_gateway_are_seen(world: Any) -> None:
    actions = world.emulator.core("iam_actions")
    body = json.dumps({"name": "a", "tags": {"Project": "p"}}).encode()
    assert actions.request_tag_context("apigateway", "apigateway:POST", body, {}) == {
        "aws:requesttag/project": "p",
        "aws:TagKeys": ["Project"],
    }
    assert actions.request_tag_context("apigateway", "apigateway:GET", body, {}) == {}
    assert actions.request_tag_context("kms", "kms:Decrypt", body, {}) == {}


def test_what_is_below_an_api_has_its_tags(world: Any) -> None:
    made = world.json("apigateway", "POST", "/restapis", {"name": "a", "tags": {"Project": "p"}})["id"]
    tags = world.emulator.service("tagging").resource_tags
    api = f"arn:aws:apigateway:{EAST}::/restapis/{made}"
    quoted = api.replace(":", "%3A").replace("/", "%2F")
    with world.emulator.scope(ACCOUNT, EAST):
        for arn in (api, f"{api}/resources/x/methods/GET", f"arn:aws:apigateway:{EAST}::/tags/{quoted}"):
            assert tags(arn) == {"Project": "p"}
        assert tags(f"arn:aws:apigateway:{EAST}::/restapis/other") is None
        assert tags(here("kms", "key/none")) is None
