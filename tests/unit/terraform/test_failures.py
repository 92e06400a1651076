from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable, ExitCode
from payinfra.terraform.events import Collected, Diagnostic
from payinfra.terraform.failures import LockHolder, TerraformFailed, failure, lock_holder

LOG = Path("/work/terraform.log")

LOCK_DETAIL = """\
Error message: resource temporarily unavailable
Lock Info:
  ID:        4c58bdb8-4e5d-5548-52cf-35718ba0b1f6
  Path:      /state/terraform.tfstate
  Operation: OperationTypeApply
  Who:       ana@laptop
  Version:   1.11.4
  Created:   2026-01-02 03:04:05.126822687 +0000 UTC
  Info:


Terraform acquires a state lock to protect the state from being written
by multiple users at the same time.
"""


def collected(*errors: Diagnostic, other: tuple[str, ...] = ()) -> Collected:
    found = Collected(diagnostics=list(errors))
    found.other_lines.extend(other)
    return found


def error(summary: str, detail: str = "", address: str = "") -> Diagnostic:
    return Diagnostic("error", summary, detail, address)


def test_a_held_lock_says_who_holds_it_since_when_and_for_what() -> None:
    problem = failure("plan", 1, collected(error("Error acquiring the state lock", LOCK_DETAIL)), LOG)
    assert isinstance(problem, EnvironmentUnusable)
    assert problem.exit_code is ExitCode.UNUSABLE_ENVIRONMENT
    assert problem.what == (
        "Another run holds the state's lock: ana@laptop since 2026-01-02 03:04:05 UTC, for apply."
    )
    assert "payinfra unlock 4c58bdb8-4e5d-5548-52cf-35718ba0b1f6" in problem.hint


def test_the_lock_info_is_read_field_by_field() -> None:
    assert lock_holder(LOCK_DETAIL) == LockHolder(
        "ana@laptop", "apply", "2026-01-02 03:04:05", "4c58bdb8-4e5d-5548-52cf-35718ba0b1f6"
    )
    assert lock_holder("Lock Info:\n  ID: 1\n") == LockHolder("", "", "", "1")


def test_a_lock_without_a_holder_gives_the_reason() -> None:
    problem = failure("plan", 1, collected(error("Error acquiring the state lock", "AccessDenied: no")), LOG)
    assert isinstance(problem, EnvironmentUnusable)
    assert problem.what == "The state cannot be locked: AccessDenied: no"
    anonymous = failure("plan", 1, collected(error("Error acquiring the state lock", "Lock Info:\n")), LOG)
    assert "somebody since an unknown time UTC." in anonymous.what


LOCK_ADVICE = (
    "\n\nTerraform acquires a state lock to protect the state from being written\nby multiple users at the "
    'same time. For most commands, you can disable\nlocking with the "-lock=false" flag.'
)


@pytest.mark.parametrize(
    ("reason", "what", "hint"),
    [
        ("write .lock.info: no space left on device", "the disk is full.", "Free some space, "),
        (
            "open .lock.info: permission denied",
            "open .lock.info: permission denied",
            "Make its place writable",
        ),
        ("AccessDenied: no", "AccessDenied: no", "Give it to whoever deploys"),
    ],
)
def test_a_state_that_cannot_be_locked_says_why_and_what_to_do_without_the_advice_not_to_lock(
    reason: str, what: str, hint: str
) -> None:
    found = error("Error acquiring the state lock", f"Error message: {reason}{LOCK_ADVICE}")
    problem = failure("apply", 1, collected(found), LOG)
    assert isinstance(problem, EnvironmentUnusable)
    assert problem.what == f"The state cannot be locked: {what}"
    assert problem.hint.startswith(hint)


def test_no_registry_and_no_mirror_says_both_and_what_to_do() -> None:
    detail = "could not connect to registry.terraform.io: no such host"
    problem = failure("init", 1, collected(error("Failed to query available provider packages", detail)), LOG)
    assert isinstance(problem, EnvironmentUnusable)
    assert "the registry cannot be reached and no mirror serves it" in problem.what
    assert "PAYINFRA_PROVIDER_MIRROR" in problem.hint
    assert "terraform providers mirror" in problem.hint


def test_a_mirror_that_lacks_the_version_is_not_blamed_on_the_registry() -> None:
    detail = "no available releases match the given constraints 5.99.0"
    problem = failure("init", 1, collected(error("Failed to query available provider packages", detail)), LOG)
    assert isinstance(problem, EnvironmentUnusable)
    assert "registry cannot be reached" not in problem.what
    assert detail in problem.what


def test_a_state_that_moved_is_explained() -> None:
    problem = failure("init", 1, collected(error("Backend configuration changed", "A change…")), LOG)
    assert isinstance(problem, EnvironmentUnusable)
    assert "not the one of the last run" in problem.what
    assert "-migrate-state" in problem.hint


def test_a_plan_that_is_out_of_date_says_to_plan_again() -> None:
    problem = failure("apply", 1, collected(error("Saved plan is stale", "The given plan file…")), LOG)
    assert isinstance(problem, TerraformFailed)
    assert "out of date" in problem.what
    assert problem.hint.startswith("Plan again")


def test_errors_are_named_with_their_resource() -> None:
    problem = failure(
        "apply",
        1,
        collected(
            error("creating S3 Bucket", "AccessDenied:\n  no", "aws_s3_bucket.audit"),
            Diagnostic("warning", "deprecated"),
            error("creating KMS Key", "", "aws_kms_key.data"),
        ),
        LOG,
    )
    assert isinstance(problem, TerraformFailed)
    assert problem.exit_code is ExitCode.TERRAFORM_FAILED
    assert problem.what == (
        "terraform apply failed: aws_s3_bucket.audit: creating S3 Bucket: AWS denies a permission.\n"
        "aws_kms_key.data: creating KMS Key"
    )
    assert [one.address for one in problem.diagnostics] == ["aws_s3_bucket.audit", "aws_kms_key.data"]
    assert str(LOG) in problem.hint
    assert "in the state" in problem.hint


def test_many_or_long_errors_are_cut_and_counted() -> None:
    errors = tuple(error(f"error {number}", "x" * 2000) for number in range(9))
    problem = failure("plan", 1, collected(*errors), LOG)
    assert "(and 4 more)" in problem.what
    assert len(problem.what) < 5 * 700
    assert "…" in problem.what
    assert problem.hint == f"Terraform's log: {LOG}"


def test_without_diagnostics_the_last_lines_speak() -> None:
    problem = failure("plan", 2, collected(other=("goroutine 1", "panic: oh")), LOG)
    assert problem.what == "terraform plan failed with exit code 2: goroutine 1 / panic: oh"
    assert failure("plan", 1, collected(), LOG).what == "terraform plan failed with exit code 1."


def test_an_end_by_a_signal_is_called_that() -> None:
    assert failure("apply", -9, collected(), LOG).what == "terraform apply was ended by signal 9."


def test_what_was_made_is_only_said_to_be_in_the_state_where_it_is() -> None:
    broken = failure("apply", 1, collected(error("Some trouble")), LOG)
    assert broken.hint.startswith("What was made is in the state: ")
    unsaved = failure("apply", 1, collected(error("AccessDenied")), LOG, unsaved=Path("errored.tfstate"))
    assert "not in the state but in errored.tfstate" in unsaved.hint
    for lost in (
        failure("apply", 1, collected(error("Failed to save state")), LOG),
        failure("apply", -9, collected(), LOG),
    ):
        assert "may not be in the state" in lost.hint
        assert "What was made is in the state" not in lost.hint


def test_the_lock_is_released_by_the_environments_own_command() -> None:
    unlock = "payinfra unlock --env prod --state-bucket states"
    held = failure(
        "plan", 1, collected(error("Error acquiring the state lock", LOCK_DETAIL)), LOG, unlock=unlock
    )
    assert f"`{unlock} 4c58bdb8-4e5d-5548-52cf-35718ba0b1f6`" in held.hint


@pytest.mark.parametrize(
    ("said", "means", "code"),
    [
        ("write /work/x: no space left on device", "the disk is full", ExitCode.UNUSABLE_ENVIRONMENT),
        (
            "api error ExpiredToken: The security token",
            "credentials have expired",
            ExitCode.UNUSABLE_ENVIRONMENT,
        ),
        ("No valid credential sources found", "no AWS credentials were found", ExitCode.UNUSABLE_ENVIRONMENT),
        (
            'S3 bucket "states" does not exist. The referenced S3 bucket must have been previously created.',
            "the bucket of the state does not exist",
            ExitCode.UNUSABLE_ENVIRONMENT,
        ),
        (
            "dial tcp 10.0.0.1:443: connect: connection refused",
            "AWS cannot be reached",
            ExitCode.TERRAFORM_FAILED,
        ),
        ("operation error KMS: CreateKey, LimitExceededException", "a quota", ExitCode.TERRAFORM_FAILED),
        ("ThrottlingException: Rate exceeded", "AWS throttles", ExitCode.TERRAFORM_FAILED),
    ],
)
def test_what_terraform_says_is_translated_where_it_is_known(said: str, means: str, code: ExitCode) -> None:
    for words in (collected(error("creating X", said, "aws_x.y")), collected(other=(said,))):
        problem = failure("plan", 1, words, LOG)
        assert means in problem.what
        assert said not in problem.what
        assert str(LOG) in problem.hint
        assert problem.exit_code is code


def test_a_permission_that_is_denied_is_named_and_where() -> None:
    said = (
        "api error AccessDenied: User: arn:aws:iam::1:user/ana is not authorized to perform: kms:CreateKey "
        "on resource: * because no identity-based policy allows it"
    )
    problem = failure("apply", 1, collected(error("creating KMS Key", said, "aws_kms_key.data")), LOG)
    assert isinstance(problem, TerraformFailed)
    assert problem.what == (
        "terraform apply failed: aws_kms_key.data: creating KMS Key: AWS denies a permission: "
        "kms:CreateKey on *."
    )
    assert "payinfra ci-role" in problem.hint
    assert "What was made is in the state" in problem.hint


def test_a_full_disk_tells_what_is_left_of_the_deployment() -> None:
    full = collected(error("Failed to save state", "write terraform.tfstate: no space left on device"))
    problem = failure("apply", 1, full, LOG, unsaved=Path("/work/errored.tfstate"))
    assert isinstance(problem, EnvironmentUnusable)
    assert "the disk is full" in problem.what
    assert "What was made is not in the state but in /work/errored.tfstate" in problem.hint
    assert "Free some space" in problem.hint


def test_what_is_not_known_stays_in_terraforms_words() -> None:
    problem = failure("apply", 1, collected(error("Error: strange", "It was odd.")), LOG)
    assert problem.what == "terraform apply failed: Error: strange: It was odd."
