"""What a project's own function adds to the stack, from its file to cdk.tf.json."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from payinfra import stacks
from payinfra.account import costs
from payinfra.account.extension_permissions import ExtensionNeeds
from payinfra.checks.api import CheckRequest, run_checks
from payinfra.checks.verdicts import Severity
from payinfra.core.canary_contract import PAYMENTS
from payinfra.core.errors import UsageProblem
from payinfra.core.outputs import Declared
from payinfra.core.settings import Settings
from payinfra.deployment.rolling_update import Graph, Role
from payinfra.deployment.stack_manifest import StackFile
from payinfra.stacks import cdktf_bindings
from tests.synth.stacks.conftest import ENDPOINTS, Synthesized

ORDERS = """
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription

def extend(stack, primary, secondary):
    assert stack.regions == (primary, secondary)
    assert stack.env == stack.settings.env == stack.tags["Environment"]
    for region in stack.regions:
        dead = SqsQueue(*region.at("orders-dead"), provider=region.provider, name=region.name("orders-dead"))
        queue = SqsQueue(
            *region.at("orders"), provider=region.provider, name=region.name("orders"),
            redrive_policy='{"maxReceiveCount": 5, "deadLetterTargetArn": "' + dead.arn + '"}',
        )
        SnsTopicSubscription(
            *region.at("orders-alarms"), provider=region.provider, topic_arn=region.alarm_topic_arn,
            protocol="sqs", endpoint=region.arn("sqs", region.name("orders")),
        )
        region.grant("Orders", ["sqs:SendMessage"], [queue.arn])
        region.environment("ORDERS_QUEUE_URL", queue.url)
        stack.output(f"orders_{region.role}", queue.url)
        stack.declare(f"orders_{region.role}", {"url": queue.url, "retries": 5})
    stack.deploy_permissions(
        "aws_scheduler_schedule", ["scheduler:CreateSchedule"], [primary.arn("scheduler", primary.name("x"))]
    )
"""

Extended = Callable[..., Mapping[str, Any]]


@pytest.fixture
def extended(tmp_path: Path) -> Extended:
    """Synthesizes with the text of a module `acme.infra`, by way of payinfra.toml."""
    cdktf_bindings.prepare()
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").touch()
    (tmp_path / "payinfra.toml").write_text('[stack]\nextend = "acme.infra:extend"\n')

    def synthesize(text: str, target: str = "local") -> Mapping[str, Any]:
        (tmp_path / "acme" / "infra.py").write_text(text)
        settings = Settings.resolve({"env": "pr123", "target": target}, folder=tmp_path, environ={})
        folder = stacks.synthesize(
            settings, out=tmp_path / "out", endpoints=ENDPOINTS if settings.is_local else None
        )
        content: Mapping[str, Any] = json.loads((folder / "cdk.tf.json").read_text())
        return content

    return synthesize


def file(tmp_path: Path) -> Path:
    return tmp_path / "out" / "stacks" / "payment-pr123" / "cdk.tf.json"


def failures(tmp_path: Path, *ids: str) -> dict[str, list[str]]:
    outcome = run_checks(
        CheckRequest(manifests=(file(tmp_path),), env="pr123", protected=False, project=tmp_path)
    )
    found: dict[str, list[str]] = {}
    for one in outcome.failing(Severity.HIGH):
        found.setdefault(one.id, []).append(one.message)
    return found


def test_its_resources_are_in_both_regions_with_tags_of_the_providers(extended: Extended) -> None:
    queues = extended(ORDERS)["resource"]["aws_sqs_queue"]
    assert {name: block["provider"] for name, block in queues.items()} == {
        f"{role}_{name}": f"aws.{role}"
        for role in ("primary", "secondary")
        for name in ("orders", "orders_dead")
    }
    assert {block["name"] for block in queues.values()} == {
        "payment-pr123-orders",
        "payment-pr123-orders-dead",
    }


def test_the_function_gets_its_variables_and_permissions_beside_our_own(
    extended: Extended, local: Synthesized
) -> None:
    content = extended(ORDERS)["resource"]
    for role in ("primary", "secondary"):
        name = f"{role}_service_function"
        ours = local.of("lambda_function")[name]["environment"]["variables"]
        theirs = content["aws_lambda_function"][name]["environment"]["variables"]
        assert theirs == {**ours, "ORDERS_QUEUE_URL": f"${{aws_sqs_queue.{role}_orders.url}}"}
        before = json.loads(local.of("iam_role_policy")[f"{role}_service_policy"]["policy"])["Statement"]
        policy = json.loads(content["aws_iam_role_policy"][f"{role}_service_policy"]["policy"])["Statement"]
        assert policy[:-1] == before
        assert policy[-1] == {
            "Sid": "FurtherOrders",
            "Effect": "Allow",
            "Action": ["sqs:SendMessage"],
            "Resource": [f"${{aws_sqs_queue.{role}_orders.arn}}"],
        }


def test_it_gives_out_and_declares(extended: Extended, local: Synthesized) -> None:
    output = extended(ORDERS)["output"]
    assert output["orders_primary"]["value"] == "${aws_sqs_queue.primary_orders.url}"
    declared = Declared.from_json(output["declared"]["value"])
    assert declared.extension["orders_secondary"] == {
        "url": "${aws_sqs_queue.secondary_orders.url}",
        "retries": 5,
    }
    assert local.declared.extension == {}
    assert "extension" not in local.content["output"]["declared"]["value"]


def test_a_payment_that_python_describes_goes_with_the_outputs(extended: Extended, tmp_path: Path) -> None:
    (tmp_path / "acme" / "canary.py").write_text(
        "from dataclasses import replace\n\ndef contract(settings):\n"
        "    body = settings.canary.body.replace('USD', 'EUR')\n"
        "    return replace(settings.canary, body=body)\n"
    )
    with (tmp_path / "payinfra.toml").open("a") as toml:
        toml.write('[canary]\nfunction = "acme.canary:contract"\n')
    content = extended(ORDERS)
    declared = Declared.from_json(content["output"]["declared"]["value"])
    assert declared.canary == replace(PAYMENTS, body=PAYMENTS.body.replace("USD", "EUR"))


def test_every_variable_of_ours_is_reserved(every: Synthesized) -> None:
    from payinfra.stacks.payments_function import RESERVED_VARIABLES

    for function in every.of("lambda_function").values():
        assert set(function["environment"]["variables"]) <= RESERVED_VARIABLES


def test_without_one_the_stack_is_as_ever(local: Synthesized) -> None:
    assert "payinfra" not in local.content["//"]


def test_it_passes_the_policy_and_is_updated_region_by_region(extended: Extended, tmp_path: Path) -> None:
    extended(ORDERS)
    assert failures(tmp_path) == {}
    graph = Graph.read(file(tmp_path))
    assert graph.belongs_to(Role.SECONDARY, "aws_sqs_queue.secondary_orders")
    assert "aws_sqs_queue.secondary_orders" in graph.closure(["aws_lambda_alias.secondary_service_alias"])


def test_its_queues_have_no_standing_price_and_what_is_not_known_is_counted(
    extended: Extended, tmp_path: Path
) -> None:
    extended(ORDERS)
    stack = StackFile.read(file(tmp_path))
    assert set(stack.added) == {"aws_sns_topic_subscription", "aws_sqs_queue"}
    kinds = [one.type for one in stack.resources]
    assert costs.not_priced(kinds, stack.added) == {}
    assert costs.not_priced([*kinds, "aws_mq_broker"], [*stack.added, "aws_mq_broker"]) == {
        "aws_mq_broker": 1
    }
    # Whatever payinfra itself makes would not be counted either.
    assert costs.not_priced(kinds, kinds) == {}


def test_what_ci_needs_is_in_the_file(extended: Extended, tmp_path: Path) -> None:
    extended(ORDERS)
    needs = ExtensionNeeds.read(file(tmp_path))
    assert needs.types == ("aws_sns_topic_subscription", "aws_sqs_queue")
    assert (needs.stack, needs.permissions[0].type) == ("payment-pr123", "aws_scheduler_schedule")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            'SqsQueue(*primary.at("orders"), provider=primary.provider, name=primary.name("orders"))',
            "aws_sqs_queue: 1 in us-east-1, 0 in us-west-2",
        ),
        ('primary.environment("ONLY_HERE", "1")', "environment.variables.ONLY_HERE, which"),
    ],
)
def test_what_one_region_lacks_is_found_by_the_policy(
    extended: Extended, tmp_path: Path, body: str, said: str
) -> None:
    extended(
        "from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue\n"
        f"def extend(stack, primary, secondary):\n    {body}\n"
    )
    (message,) = failures(tmp_path)["PI-REG-002"]
    assert said in message


HEAD = (
    "from cdktf import TerraformModule, TerraformOutput\n"
    "from cdktf_cdktf_provider_aws.data_aws_region import DataAwsRegion\n"
    "from cdktf_cdktf_provider_aws.provider import AwsProvider\n"
    "from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret\n"
    "from cdktf_cdktf_provider_aws.sns_topic import SnsTopic\n"
    "from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue\n"
    "def extend(stack, primary, secondary):\n    "
)
LINE = "acme/infra.py:8: "


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            'SqsQueue(*primary.at("service-function"), provider=primary.provider)\n'
            '    SqsQueue(*primary.at("service-function"), provider=primary.provider)',
            "There is already a Construct with name 'primary_service_function'",
        ),
        (
            'SqsQueue(*primary.at("audit-bucket"), provider=primary.provider)',
            f"{LINE}RuntimeError: There is already",
        ),
        (
            '[SnsTopic(*r.at("mine"), provider=r.provider, name=r.name("alarms")) for r in stack.regions]',
            "aws_sns_topic.primary_mine under the name 'payment-pr123-alarms', which aws_sns_topic.primary_",
        ),
        (
            '[SqsQueue(*primary.at(x), provider=primary.provider, name=primary.name("q")) for x in "ab"]',
            "aws_sqs_queue.primary_b under the name 'payment-pr123-q', which aws_sqs_queue.primary_a has",
        ),
        (
            'SqsQueue(*primary.at("q"), provider=primary.provider, name=primary.name("q" * 70))',
            "aws_sqs_queue.primary_q under a name of 84 characters, 'payment-pr123-qq",
        ),
        ('SqsQueue(*primary.at("q"), provider=primary.provider, nme="x")', f"{LINE}TypeError: SqsQueue"),
        ('SqsQueue(*primary.at("q"), name="x")', "aws_sqs_queue.primary_q without a region's provider"),
        ('DataAwsRegion(*primary.at("here"))', "data.aws_region.primary_here without a region's provider"),
        ('AwsProvider(stack.scope, "mine", region="eu-west-1", alias="mine")', "adds the provider 'mine'"),
        (
            'SecretsmanagerSecret(*primary.at("s"), provider=primary.provider)',
            "aws_secretsmanager_secret.primary_s, and the embedded AWS has no such service",
        ),
        ('primary.name("Orders")', f"{LINE}name('Orders') is not possible"),
        (
            'primary.environment("TABLE_NAME", "x")',
            f"{LINE}environment('TABLE_NAME', …): the name is payinfra's own",
        ),
        ('primary.environment("AWS_REGION", "x")', "the name is Lambda's own"),
        ('primary.environment("1", "x")', "the name is not possible"),
        ('primary.environment("A1", 1)', "the value is a int"),
        ('primary.environment("A1", "1"); primary.environment("A1", "2")', "the name is set already"),
        ('primary.grant("A", "sqs:SendMessage", ["*"])', "actions must be a list of texts"),
        ('primary.grant("A", ["*"], ["*"])', "needs actions such as"),
        ('primary.grant("A", ["sqs:X"], [])', "needs actions such as"),
        ('primary.grant("A b", ["sqs:X"], ["*"])', "the id is not possible"),
        ('[primary.grant("A", ["sqs:X"], ["*"]) for _ in "12"]', "the id is taken"),
        ('stack.output("declared", "x")', "the name is payinfra's own"),
        ('stack.output("secondary_api_endpoint", "x")', "the name is payinfra's own"),
        ('stack.output("Mine", "x")', "the name is not possible"),
        ('[stack.output("mine", "x") for _ in "12"]', "the name is taken"),
        ('stack.declare("x", {1: 2})', "the value is not JSON"),
        ('[stack.declare("x", ["y", None]) for _ in "12"]', "the name is taken"),
        ('stack.deploy_permissions("aws_x", ["nonsense"], ["*"])', "needs actions such as states:"),
    ],
)
def test_what_cannot_be_taken_is_one_message(extended: Extended, body: str, said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        extended(HEAD + body + "\n")
    assert said in caught.value.what
    assert caught.value.hint


def test_on_aws_every_service_of_its_provider_may_be_added(extended: Extended) -> None:
    body = 'SecretsmanagerSecret(*primary.at("s"), provider=primary.provider, name=primary.name("s"))\n'
    assert "aws_secretsmanager_secret" in extended(HEAD + body, "aws")["resource"]


def test_the_library_takes_a_function(tmp_path: Path) -> None:
    cdktf_bindings.prepare()
    settings = Settings.resolve({"env": "pr123"}, folder=tmp_path, environ={})
    given: list[object] = []
    stacks.synthesize(settings, out=tmp_path / "out", extend=lambda *handles: given.extend(handles))
    assert len(given) == 3
