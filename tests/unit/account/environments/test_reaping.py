"""Stale ephemeral environments end; all others are kept, with the reason."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from payinfra.account.environments.durations import seconds
from payinfra.account.environments.model import Environment, Protection
from payinfra.account.environments.reaping import ReapDecision, Reaped, StaleRule, reap
from payinfra.core.errors import EnvironmentUnusable, ExitCode, Interrupted, ToolFailed, UsageProblem
from payinfra.core.settings import Settings
from tests.unit.account.environments.conftest import NOW, environment, inventory_of

RULE = StaleRule("pr*", 3 * 86_400)


def settings(env: str) -> Settings:
    return Settings.resolve({"env": env, "protected": False}, environ={})


def ends(
    *environments: Environment,
    found: Callable[[str], Settings] = settings,
    destroy: Callable[[Settings], int] | None = None,
) -> Reaped:
    everything = reap(inventory_of(*environments), RULE, NOW, settings=found, destroy=destroy)
    return Reaped(destroy is None, tuple(everything))


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (environment("staging"), "does not match pr*"),
        (environment(protection=Protection.PROTECTED), "it is protected"),
        (environment(protection=Protection.UNKNOWN), "whether it is protected is not known"),
        (environment(age=None), "its age is not known"),
        (environment(age=timedelta(days=2)), "it is younger"),
        (environment(age=timedelta(days=3)), "it is younger"),
    ],
)
def test_what_is_not_stale_is_kept_and_says_why(one: Environment, why: str) -> None:
    destroyed: list[str] = []

    def destroy(one: Settings) -> int:
        destroyed.append(one.env)
        return 1

    outcome = ends(one, destroy=destroy)
    assert outcome.ends[0].fate is ReapDecision.KEPT
    assert destroyed == []
    assert why in outcome.ends[0].why
    assert outcome.headline == "0 destroyed, 1 kept, 0 failed."


def test_a_dry_run_destroys_nothing_and_says_where_the_state_is() -> None:
    outcome = ends(environment())
    assert (outcome.ends[0].fate, outcome.exit_code) == (ReapDecision.STALE, ExitCode.DONE)
    assert outcome.ends[0].why == "its state is in folder .payinfra/aws/pr1"
    assert outcome.headline.startswith("1 to destroy, 0 kept")
    assert outcome.headline.endswith("add --yes.")


def test_a_dry_run_with_nothing_stale_asks_for_nothing() -> None:
    assert ends(environment(age=None)).headline == "0 to destroy, 1 kept, 0 cannot be destroyed."


def test_the_bucket_of_a_state_is_named() -> None:
    def in_bucket(env: str) -> Settings:
        return Settings.resolve({"env": env, "protected": False, "state_bucket": "states"}, environ={})

    assert ends(environment(), found=in_bucket).ends[0].why == "its state is in bucket states"


def test_one_failure_stops_no_other_and_the_exit_code_is_the_first_one_s() -> None:
    def destroy(one: Settings) -> int:
        if one.env == "pr1":
            raise ToolFailed("Terraform failed.", "Look at the log.")
        if one.env == "pr2":
            raise EnvironmentUnusable("It is in use.")
        return 198

    outcome = ends(*(environment(f"pr{number}") for number in (1, 2, 3)), destroy=destroy)
    assert [(each.fate, each.why) for each in outcome.ends] == [
        (ReapDecision.FAILED, "Terraform failed."),
        (ReapDecision.FAILED, "It is in use."),
        (ReapDecision.DESTROYED, "198 resources"),
    ]
    assert outcome.ends[0].hint == "Look at the log."
    assert outcome.exit_code == ExitCode.TERRAFORM_FAILED
    assert outcome.headline == "1 destroyed, 0 kept, 2 failed."


def test_without_a_state_it_is_said_and_a_dry_run_ends_well_all_the_same() -> None:
    def nowhere(env: str) -> Settings:
        raise EnvironmentUnusable(f"There is no state of {env}.", "Delete it by tag.")

    outcome = ends(environment(), found=nowhere)
    assert (outcome.ends[0].fate, outcome.ends[0].hint) == (ReapDecision.FAILED, "Delete it by tag.")
    assert outcome.exit_code == ExitCode.DONE
    assert "1 cannot be destroyed" in outcome.headline
    done = ends(environment(), found=nowhere, destroy=lambda _settings: 1)
    assert done.exit_code == ExitCode.UNUSABLE_ENVIRONMENT


def test_settings_that_protect_it_have_the_last_word() -> None:
    def protecting(env: str) -> Settings:
        return Settings.resolve({"env": env, "protected": True}, environ={})

    outcome = ends(environment(), found=protecting, destroy=lambda _settings: 1)
    assert (outcome.ends[0].fate, outcome.ends[0].why) == (ReapDecision.KEPT, "it is protected")


def test_an_interrupt_ends_it_all() -> None:
    def destroy(_settings: Settings) -> int:
        raise Interrupted("Interrupted.")

    with pytest.raises(Interrupted):
        ends(environment("pr1"), environment("pr2"), destroy=destroy)


@pytest.mark.parametrize(
    ("text", "expected"), [("90m", 5_400), ("12h", 43_200), ("3d", 259_200), ("2w", 1_209_600), ("0d", 0)]
)
def test_spans(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "3", "d", "3 d", "-3d", "3y", "1.5h", "3d\n", "9999999d"])
def test_what_is_no_span_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageProblem, match="is not a duration"):
        seconds(text)
