import json

import pytest

from payinfra.core.events import Action, Event, ResourceFailed, ResourceFinished, ResourceStarted
from payinfra.terraform.events import (
    Collected,
    Counts,
    Diagnostic,
    EventReader,
    OutputValue,
    output_values,
    validation,
)
from payinfra.terraform.plan import ChangeAction, OutputChange, ResourceChange

TABLE = "aws_dynamodb_table.payments"


def hook(kind: str, action: str = "create", at: str = "2026-01-02T03:04:05.000000Z", **more: object) -> str:
    resource = {"addr": TABLE, "resource_type": "aws_dynamodb_table"}
    return json.dumps(
        {"type": kind, "@timestamp": at, "hook": {"resource": resource, "action": action, **more}}
    )


def read(*lines: str) -> tuple[list[Event], Collected]:
    events: list[Event] = []
    reader = EventReader(events.append)
    for line in lines:
        reader.feed(line)
    return events, reader.collected


def test_a_resource_is_followed_from_start_to_end_with_its_time() -> None:
    events, collected = read(
        hook("apply_start"),
        hook("apply_progress", elapsed_seconds=10),
        hook("apply_complete", at="2026-01-02T03:04:15.250000Z", elapsed_seconds=10),
    )
    assert events == [
        ResourceStarted(TABLE, Action.CREATE),
        ResourceFinished(TABLE, Action.CREATE, 10.25),
    ]
    assert collected.in_progress == {}


def test_the_time_falls_back_to_whole_seconds() -> None:
    no_stamp = hook("apply_start", at="nonsense")
    assert read(no_stamp, hook("apply_complete", elapsed_seconds=7))[0][1] == ResourceFinished(
        TABLE, Action.CREATE, 7.0
    )


def test_a_clock_that_goes_back_gives_no_negative_time() -> None:
    events, _ = read(hook("apply_start"), hook("apply_complete", at="2026-01-02T03:04:04.000000Z"))
    assert events[1] == ResourceFinished(TABLE, Action.CREATE, 0.0)


def test_a_failed_resource_is_told_and_no_longer_in_progress() -> None:
    events, collected = read(hook("apply_start", "update"), hook("apply_errored", "update"))
    assert events[1] == ResourceFailed(TABLE, Action.UPDATE)
    assert collected.in_progress == {}


def test_what_is_unfinished_stays_in_progress() -> None:
    assert read(hook("apply_start", "delete"))[1].in_progress == {TABLE: Action.DELETE}


def test_refreshing_is_reading() -> None:
    events, _ = read(hook("refresh_start", ""), hook("refresh_complete", ""))
    assert events[0] == ResourceStarted(TABLE, Action.READ)
    assert isinstance(events[1], ResourceFinished)


def planned(action: str, kind: str = "planned_change", **more: str) -> str:
    resource = {"addr": TABLE, "resource_type": "aws_dynamodb_table"}
    return json.dumps({"type": kind, "change": {"resource": resource, "action": action, **more}})


@pytest.mark.parametrize("action", [one for one in ChangeAction if one is not ChangeAction.NOOP])
def test_planned_changes_are_kept(action: ChangeAction) -> None:
    _, collected = read(planned(action.value, reason="cannot_update"))
    assert collected.changes == [ResourceChange(TABLE, "aws_dynamodb_table", action, "cannot_update")]


def test_an_action_of_a_later_terraform_is_unknown_rather_than_lost() -> None:
    assert read(planned("teleport"))[1].changes[0].action is ChangeAction.UNKNOWN


def test_a_noop_is_no_change() -> None:
    assert read(planned("noop"))[1].changes == []


def test_drift_is_kept_apart_from_changes() -> None:
    _, collected = read(planned("update", "resource_drift"))
    assert collected.changes == []
    assert collected.drift == [ResourceChange(TABLE, "aws_dynamodb_table", ChangeAction.UPDATE)]


def test_the_last_summary_counts() -> None:
    _, collected = read(
        '{"type": "change_summary", "changes": {"add": 1, "change": 2, "remove": 3, "operation": "plan"}}'
    )
    assert collected.counts == Counts(add=1, change=2, destroy=3)


def test_a_plan_tells_which_outputs_change_but_not_their_values() -> None:
    _, collected = read(
        json.dumps(
            {
                "type": "outputs",
                "outputs": {
                    "endpoint": {"sensitive": False, "action": "create"},
                    "key": {"sensitive": True, "action": "delete"},
                    "same": {"sensitive": False, "action": "noop"},
                },
            }
        )
    )
    assert collected.output_changes == [
        OutputChange("endpoint", ChangeAction.CREATE, False),
        OutputChange("key", ChangeAction.DELETE, True),
    ]
    assert collected.outputs == {}


def test_an_apply_gives_the_outputs() -> None:
    _, collected = read(
        json.dumps(
            {
                "type": "outputs",
                "outputs": {
                    "endpoint": {"sensitive": False, "type": "string", "value": "https://example.org"},
                    "regions": {"sensitive": False, "type": ["list", "string"], "value": ["a", "b"]},
                    "key": {"sensitive": True, "type": "string"},
                },
            }
        )
    )
    assert collected.outputs == {
        "endpoint": OutputValue("https://example.org", False, "string"),
        "regions": OutputValue(["a", "b"], False, ["list", "string"]),
        "key": OutputValue(None, True, "string"),
    }
    assert collected.output_changes == []


def test_the_value_of_an_output_is_in_no_repr() -> None:
    values = output_values({"key": {"sensitive": True, "type": "string", "value": "hunter2hunter2"}})
    assert values["key"].value == "hunter2hunter2"
    assert "hunter2" not in repr(values)


def test_errors_are_kept_once_and_apart_from_warnings() -> None:
    error = {"severity": "error", "summary": "creating  table", "detail": "no\npermission", "address": TABLE}
    warning = {"severity": "warning", "summary": "deprecated"}
    lines = [json.dumps({"type": "diagnostic", "diagnostic": one}) for one in (error, warning, error)]
    _, collected = read(*lines)
    assert len(collected.diagnostics) == 3
    assert [one.sentence for one in collected.errors] == [f"{TABLE}: creating table: no permission"]


def test_a_snippet_of_the_configuration_is_left_out() -> None:
    quoted = {"severity": "error", "summary": "bad", "detail": "", "snippet": {"code": "api_key = 'hunter2'"}}
    _, collected = read(json.dumps({"type": "diagnostic", "diagnostic": quoted}))
    assert collected.errors == (Diagnostic("error", "bad"),)
    assert collected.errors[0].sentence == "bad"


def test_other_lines_are_tolerated_and_the_last_kept() -> None:
    lines = [f"line {number}" for number in range(30)]
    events, collected = read("", "   ", '{"type": "version"}', *lines)
    assert events == []
    assert list(collected.other_lines) == lines[10:]


def test_validation_gives_its_diagnostics() -> None:
    found = validation(
        {"valid": False, "diagnostics": [{"severity": "error", "summary": "no such argument"}]}
    )
    assert found == (Diagnostic("error", "no such argument"),)
