"""A deployment converges after one that was cut off, and takes nothing that is not its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from payinfra.core.errors import EnvironmentUnusable, ToolFailed
from payinfra.core.events import Event, Notice
from payinfra.deployment.recovery.apply_log import ApplyLog
from payinfra.deployment.recovery.recovery import (
    KEY_TAGS_PAUSE_S,
    KEY_TAGS_WITHIN_S,
    ROUNDS,
    Recovery,
    collisions,
    refusing_keys,
)
from payinfra.terraform import (
    ChangeAction,
    Creation,
    Diagnostic,
    Import,
    Kept,
    Plan,
    ResourceChange,
    TerraformFailed,
)
from tests.unit.deployment.recovery.conftest import PROVIDER, TAGS, Stubbed

Make = Callable[..., Creation]
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = BEGAN + timedelta(seconds=30)
TABLE = "aws_dynamodb_table.it"
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/payment-a"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:payment-a"
KEY = "arn:aws:kms:us-east-1:000000000000:key/"


@dataclass
class State:
    """A state in memory, and what a plan would create that it does not know."""

    wanted: tuple[Creation, ...] = ()
    kept: tuple[Kept, ...] = ()
    calls: list[str] = field(default_factory=list)

    def resources(self) -> tuple[Kept, ...]:
        return self.kept

    def untaint(self, addresses: Sequence[str]) -> None:
        self.calls.append(f"untaint {' '.join(addresses)}")

    def adopt(self, imports: Sequence[Import]) -> None:
        self.calls += [f"import {one.address} {one.id}" for one in imports]

    def creations(self, plan: Path) -> tuple[Creation, ...]:
        self.calls.append(f"show {plan}")
        return self.wanted

    def plan(self, imports: tuple[Import, ...] = ()) -> Plan:
        """A plan as Terraform makes it: what is imported is not created."""
        self.calls.append(" ".join(["plan", *(one.id for one in imports)]))
        taken = {one.address for one in imports}
        self.wanted = tuple(one for one in self.wanted if one.address not in taken)
        creates = tuple(ResourceChange(one.address, one.type, ChangeAction.CREATE) for one in self.wanted)
        return Plan(Path("p"), len(creates), 0, 0, changes=creates)


@dataclass
class RecoveryCase:
    recovery: Recovery
    state: State
    events: list[Event]

    @property
    def said(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice)]


@pytest.fixture
def cut_off(aws: Stubbed, tmp_path: Path) -> RecoveryCase:
    state, events = State(), list[Event]()
    journal = ApplyLog(tmp_path / "applied.json")
    journal.begin(BEGAN)
    return RecoveryCase(Recovery(state, aws, journal, events.append), state, events)


def kept(address: str, *, tainted: bool = False, **attributes: str) -> Kept:
    return Kept(address, address.split(".", maxsplit=1)[0], PROVIDER, tainted, attributes)


def failed(*said: tuple[str, str]) -> TerraformFailed:
    return TerraformFailed(
        "terraform apply failed",
        "",
        tuple(Diagnostic("error", summary, address=address) for address, summary in said),
    )


def a_table(aws: Stubbed, *, created: datetime = LATER, tags: dict[str, str] = TAGS) -> None:
    aws.answers("dynamodb", "describe_table", {"Table": {"TableArn": ARN, "CreationDateTime": created}})
    pairs = [{"Key": name, "Value": value} for name, value in tags.items()]
    aws.answers("dynamodb", "list_tags_of_resource", {"Tags": pairs})


def no_table(aws: Stubbed) -> None:
    aws.refuses("dynamodb", "describe_table", "ResourceNotFoundException")


# -- what was begun ----------------------------------------------------------------------------------


def test_what_was_begun_is_finished_and_not_made_anew(cut_off: RecoveryCase) -> None:
    cut_off.state.kept = (kept(TABLE, tainted=True), kept("aws_kms_key.whole"))
    assert cut_off.recovery.keep_begun()
    assert cut_off.state.calls == [f"untaint {TABLE}"]
    assert cut_off.said == [f"Was begun by an earlier deployment and is finished now: {TABLE}."]


def test_where_the_last_apply_ended_well_nobody_asks_the_state(cut_off: RecoveryCase) -> None:
    cut_off.recovery.journal.end()
    cut_off.state.kept = (kept(TABLE, tainted=True),)
    assert not cut_off.recovery.keep_begun()
    assert cut_off.state.calls == []


def test_a_shared_state_may_have_been_left_by_another_machine(cut_off: RecoveryCase) -> None:
    cut_off.recovery.journal.forget()
    cut_off.recovery.shared_state = True
    assert not cut_off.recovery.keep_begun()
    cut_off.state.kept = (kept(TABLE, tainted=True),)
    assert cut_off.recovery.keep_begun()


def test_a_cut_off_apply_that_left_nothing_begun_is_looked_after(cut_off: RecoveryCase) -> None:
    assert cut_off.recovery.keep_begun()
    assert cut_off.said == []


# -- what no state knows -----------------------------------------------------------------------------


def test_what_exists_and_is_ours_is_adopted_by_the_next_plan(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    cut_off.state.wanted = (creation("aws_dynamodb_table", name="payment-a"),)
    a_table(aws)
    plan = cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan)
    assert cut_off.state.calls == ["plan", "show p", "plan payment-a"]
    assert plan.changes == ()
    assert cut_off.said == [f"Adopting {TABLE}: payment-a was made by a deployment that was cut off."]


def test_what_does_not_exist_leaves_the_plan_alone(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    cut_off.state.wanted = (creation("aws_dynamodb_table", name="payment-a"),)
    no_table(aws)
    plan = cut_off.state.plan()
    assert cut_off.recovery.complete(plan, cut_off.state.plan) is plan
    assert cut_off.state.calls == ["plan", "show p"]


def test_a_plan_that_creates_nothing_asks_nothing(cut_off: RecoveryCase) -> None:
    assert cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan).changes == ()
    assert cut_off.state.calls == ["plan"]


@pytest.mark.parametrize(
    "foreign", [{"tags": TAGS | {"Environment": "b"}}, {"tags": {}}, {"created": BEGAN - timedelta(hours=1)}]
)
def test_what_is_not_ours_is_never_adopted(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make, foreign: Any
) -> None:
    cut_off.state.wanted = (creation("aws_dynamodb_table", name="payment-a"),)
    a_table(aws, **foreign)
    plan = cut_off.state.plan()
    assert cut_off.recovery.complete(plan, cut_off.state.plan) is plan
    assert cut_off.said == []


def test_without_a_journal_the_state_tells_the_environments_age(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    cut_off.recovery.journal.forget()
    cut_off.state.wanted = (creation("aws_dynamodb_table", name="payment-a"),)
    a_table(aws)
    assert cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan).changes
    cut_off.state.kept = (kept("aws_iam_role.r", create_date="2026-01-02T03:04:05Z"), kept("a.b"))
    a_table(aws)
    assert not cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan).changes


def test_a_part_is_adopted_together_with_what_it_is_a_part_of(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    alias = creation("aws_lambda_alias", function_name="payment-a", name="live")
    cut_off.state.wanted = (alias, creation("aws_lambda_function", function_name="payment-a"))
    cut_off.recovery = Recovery(cut_off.state, aws, cut_off.recovery.journal, cut_off.events.append)
    stub = aws.stub("lambda")
    configuration = {"FunctionArn": FUNCTION, "LastModified": LATER.isoformat()}

    # Both are asked for at once, so that their answers must not depend on the order.
    def both(model: Any, params: Any, **_more: Any) -> Any:
        answers = {
            "GetAlias": {"AliasArn": f"{FUNCTION}:live"},
            "GetFunction": {"Configuration": configuration, "Tags": TAGS},
        }
        return type("Http", (), {"status_code": 200})(), answers[model.name]

    stub.deactivate()
    stub.client.meta.events.register("before-call.lambda", both)
    try:
        plan = cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan)
    finally:
        stub.client.meta.events.unregister("before-call.lambda", both)
        stub.activate()
    assert cut_off.state.calls == ["plan", "show p", "plan payment-a payment-a/live"]
    assert plan.changes == ()


def test_a_part_that_is_known_only_then_is_adopted_by_the_plan_after(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    model = creation("aws_api_gateway_model", rest_api_id="api", name="Request")
    cut_off.state.wanted = (creation("aws_api_gateway_rest_api", name="a"),)
    api = {"id": "api", "name": "a", "createdDate": LATER, "tags": TAGS}
    aws.answers("apigateway", "get_rest_apis", {"items": [api]})
    aws.answers("apigateway", "get_model", {}, restApiId="api", modelName="Request")

    def again(imports: tuple[Import, ...]) -> Plan:
        if len(imports) == 1:
            cut_off.state.wanted = (model,)
        return cut_off.state.plan(imports)

    assert cut_off.recovery.complete(cut_off.state.plan(), again).changes == ()
    assert cut_off.state.calls == ["plan", "show p", "plan api", "show p", "plan api api/Request"]


def two_keys(aws: Stubbed) -> None:
    aws.answers("kms", "list_keys", {"Keys": [{"KeyId": "young"}, {"KeyId": "old"}]})
    tags = [{"TagKey": name, "TagValue": value} for name, value in TAGS.items()]
    for name, created in (("young", LATER), ("old", BEGAN)):
        key = {"KeyId": name, "Arn": KEY + name, "Description": "a: data", "KeyState": "Enabled"}
        aws.answers("kms", "describe_key", {"KeyMetadata": key | {"CreationDate": created}})
        aws.answers("kms", "list_resource_tags", {"Tags": tags})


def test_of_several_the_youngest_is_adopted_and_the_others_are_told_of(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    cut_off.state.wanted = (creation("aws_kms_key", description="a: data"),)
    two_keys(aws)
    cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan)
    assert cut_off.state.calls[-1] == "plan young"
    assert cut_off.said[1:] == ["A second aws_kms_key.it is left over in us-east-1: old."]


def test_what_the_state_knows_already_is_not_adopted_elsewhere(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    cut_off.state.wanted = (creation("aws_kms_key", description="a: data"),)
    cut_off.state.kept = (kept("aws_kms_key.other", id="young"), kept("aws_kms_key.third", arn=f"{KEY}old"))
    two_keys(aws)
    plan = cut_off.state.plan()
    assert cut_off.recovery.complete(plan, cut_off.state.plan) is plan


def test_what_has_the_same_name_is_not_the_same(cut_off: RecoveryCase, aws: Stubbed, creation: Make) -> None:
    """A bucket's settings have the bucket's id, and the other region's table is called as this one's."""
    cut_off.state.wanted = (creation("aws_dynamodb_table", name="payment-a"),)
    there = kept("aws_dynamodb_table.there", id="payment-a")
    cut_off.state.kept = (kept("aws_lambda_function.f", id="payment-a"), replace(there, provider="aws.west"))
    a_table(aws)
    assert cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan).changes == ()


def test_what_was_adopted_by_a_plan_that_failed_is_adopted_again(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    table = creation("aws_dynamodb_table", name="payment-a")
    for _ in range(2):
        cut_off.state.wanted = (table,)
        a_table(aws)
        assert cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan).changes == ()


def test_looking_is_bounded(cut_off: RecoveryCase, aws: Stubbed, creation: Make) -> None:
    cut_off.state.wanted = (creation("aws_kms_key", description="a: data"),)
    tags = [{"TagKey": name, "TagValue": value} for name, value in TAGS.items()]
    for number in range(ROUNDS):
        key = {"KeyId": f"k-{number}", "Description": "a: data", "KeyState": "Enabled", "CreationDate": LATER}
        aws.answers("kms", "list_keys", {"Keys": [{"KeyId": key["KeyId"]}]})
        aws.answers("kms", "describe_key", {"KeyMetadata": key})
        aws.answers("kms", "list_resource_tags", {"Tags": tags})
    first = cut_off.state.plan()
    asked: list[int] = []

    def never_content(imports: tuple[Import, ...]) -> Plan:
        asked.append(len(imports))
        return first

    cut_off.recovery.complete(first, never_content)
    assert asked == list(range(1, ROUNDS + 1))


def test_what_cannot_be_asked_stops_before_anything_changes(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    cut_off.state.wanted = (creation("aws_dynamodb_table", name="payment-a"),)
    aws.refuses("dynamodb", "describe_table", "AccessDeniedException")
    with pytest.raises(EnvironmentUnusable, match="AccessDenied") as caught:
        cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan)
    assert "Nothing was changed" in caught.value.hint


# -- collisions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "ResourceInUseException: Table already exists: payment-a",
        "EntityAlreadyExists: Role with name r already exists.",
        "ParameterAlreadyExists: The parameter already exists.",
        "AlreadyExistsException: An alias with the name alias/a already exists",
        "BucketAlreadyOwnedByYou",
        "ResourceConflictException: Function already exist: payment-a",
        "ResourceAlreadyExistsException: The specified log group already exists",
        "ConflictException: Stage already exists",
    ],
)
def test_collisions_are_told_by_what_aws_says(said: str) -> None:
    assert collisions(failed((TABLE, said))) == {TABLE}


def test_other_failures_are_no_collisions() -> None:
    warning = Diagnostic("warning", "already exists", address=TABLE)
    assert collisions(failed((TABLE, "AccessDenied"), ("", "already exists"))) == frozenset()
    assert collisions(TerraformFailed("", "", (warning,))) == frozenset()


def test_an_attempt_that_collides_is_made_again(cut_off: RecoveryCase) -> None:
    attempts = iter([failed((TABLE, "already exists")), failed(("a.b", "already exists")), None])

    def attempt() -> str:
        if problem := next(attempts):
            raise problem
        return "done"

    assert cut_off.recovery.converging(attempt) == "done"
    assert cut_off.said == [
        f"Exists already, looking whether it is ours: {TABLE}.",
        "Exists already, looking whether it is ours: a.b.",
    ]


@pytest.mark.parametrize("problems", [["AccessDenied"], ["already exists", "already exists"]])
def test_an_attempt_that_would_gain_nothing_is_not_made(cut_off: RecoveryCase, problems: list[str]) -> None:
    left = list(problems)

    def attempt() -> None:
        raise failed((TABLE, left.pop(0)))

    with pytest.raises(TerraformFailed):
        cut_off.recovery.converging(attempt)
    assert left == []


REFUSING = "0f812ac6-68fd-4708-ad81-dc779ba45a4a"
DENIED = (
    f"enabling KMS Key ({REFUSING}) rotation: operation error KMS: EnableKeyRotation, AccessDeniedException: "
    "User: arn:aws:sts::123456789012:assumed-role/payinfra-ci/s is not authorized to perform:\n"
    "kms:EnableKeyRotation because no identity-based policy allows the kms:EnableKeyRotation action"
)


def made_ago(aws: Stubbed, seconds: float, times: int = 1) -> None:
    """KMS says when the key was made."""
    created = datetime.now(UTC) - timedelta(seconds=seconds)
    found = {"KeyMetadata": {"KeyId": REFUSING, "CreationDate": created}}
    for _ in range(times):
        aws.answers("kms", "describe_key", found, KeyId=REFUSING)


def refused_by_a_key(cut_off: RecoveryCase, times: int) -> tuple[int, list[float]]:
    """How often an attempt was made that a key refuses so many times, and the pauses between."""
    made, pauses = [0], list[float]()
    cut_off.recovery.sleep = pauses.append
    cut_off.recovery.regions = ("us-east-1",)

    def attempt() -> int:
        made[0] += 1
        if made[0] <= times:
            raise failed(("aws_kms_alias.a", DENIED))
        return made[0]

    return cut_off.recovery.converging(attempt), pauses


def test_policies_that_do_not_see_a_new_key_s_tags_yet_are_waited_for(
    cut_off: RecoveryCase, aws: Stubbed
) -> None:
    made_ago(aws, 5, times=3)
    assert refused_by_a_key(cut_off, 3) == (4, [KEY_TAGS_PAUSE_S] * 3)
    assert "policies may see a key's tags up to five minutes late" in cut_off.said[0]


def test_an_old_key_that_refuses_is_not_waited_for(cut_off: RecoveryCase, aws: Stubbed) -> None:
    made_ago(aws, KEY_TAGS_WITHIN_S + 5)
    with pytest.raises(TerraformFailed):
        refused_by_a_key(cut_off, 1)
    assert cut_off.said == []


@pytest.mark.parametrize(
    ("said", "keys"),
    [
        (DENIED, {REFUSING}),
        (
            f"creating KMS Alias: RequestID: {REFUSING[:-1]}b, is not authorized to perform: kms:CreateAlias "
            f"on resource: arn:aws:kms:us-east-1:123456789012:key/{REFUSING}",
            {REFUSING, f"{REFUSING[:-1]}b"},
        ),
        (f"KMS Key ({REFUSING}): is not authorized to perform: iam:GetRole", set()),
        (f"KMS Key ({REFUSING}): already exists", set()),
    ],
)
def test_the_keys_that_refuse_are_told_by_what_aws_says(said: str, keys: set[str]) -> None:
    assert refusing_keys(failed(("a.b", said))) == keys


def test_a_key_that_cannot_be_asked_for_is_not_waited_for(cut_off: RecoveryCase, aws: Stubbed) -> None:
    aws.refuses("kms", "describe_key", "AccessDeniedException")
    with pytest.raises(TerraformFailed):
        refused_by_a_key(cut_off, 1)


def test_a_key_s_tags_are_not_waited_for_longer_than_aws_documents(
    cut_off: RecoveryCase, aws: Stubbed
) -> None:
    rounds = int(KEY_TAGS_WITHIN_S / KEY_TAGS_PAUSE_S)
    made_ago(aws, 0, times=rounds)
    with pytest.raises(TerraformFailed):
        refused_by_a_key(cut_off, 99)
    assert len(cut_off.said) == rounds


def test_attempts_are_bounded(cut_off: RecoveryCase) -> None:
    made: list[str] = []

    def attempt() -> None:
        made.append(f"a.b{len(made)}")
        raise failed((made[-1], "already exists"))

    with pytest.raises(TerraformFailed):
        cut_off.recovery.converging(attempt)
    assert len(made) == ROUNDS + 1


def colliding(cut_off: RecoveryCase, address: str) -> Plan:
    """The plan after an attempt that collided at an address."""
    plans: list[Plan] = []

    def attempt() -> Plan:
        if not plans:
            plans.append(cut_off.state.plan())
            raise failed((address, "already exists"))
        return cut_off.recovery.complete(cut_off.state.plan(), cut_off.state.plan)

    return cut_off.recovery.converging(attempt)


def test_what_is_in_the_way_and_not_ours_is_named_with_the_reason(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    cut_off.state.wanted = (creation("aws_dynamodb_table", name="payment-a"),)
    a_table(aws, tags={"Environment": "b"})
    with pytest.raises(ToolFailed) as caught:
        colliding(cut_off, TABLE)
    assert f"{TABLE}: it does not bear this environment's tags" in caught.value.what
    assert "another --env" in caught.value.hint


def test_what_is_in_the_way_and_not_looked_for_is_named(cut_off: RecoveryCase, creation: Make) -> None:
    cut_off.state.wanted = (creation("aws_acm_certificate"),)
    with pytest.raises(ToolFailed, match="payinfra does not know how to look for it"):
        colliding(cut_off, "aws_acm_certificate.it")


def test_what_is_in_the_way_and_ours_is_adopted(cut_off: RecoveryCase, aws: Stubbed, creation: Make) -> None:
    cut_off.state.wanted = (creation("aws_dynamodb_table", name="payment-a"),)
    a_table(aws)
    assert colliding(cut_off, TABLE).changes == ()


# -- destroying --------------------------------------------------------------------------------------


def test_a_destruction_takes_in_what_no_state_knows(
    cut_off: RecoveryCase, aws: Stubbed, creation: Make
) -> None:
    cut_off.state.wanted = (creation("aws_dynamodb_table", name="payment-a"),)
    a_table(aws)
    assert cut_off.recovery.sweep(cut_off.state.plan)
    assert cut_off.state.calls[-1] == f"import {TABLE} payment-a"
    no_table(aws)
    assert not cut_off.recovery.sweep(cut_off.state.plan)


def test_what_was_never_cut_off_is_not_swept(cut_off: RecoveryCase) -> None:
    cut_off.recovery.journal.end()
    assert not cut_off.recovery.sweep(cut_off.state.plan)
    assert cut_off.state.calls == []
