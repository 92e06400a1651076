"""Checks of SQS queues: encrypted, closed to strangers, and with a place for what cannot be processed."""

from collections.abc import Iterator

from payinfra.checks.manifest import Manifest, Missing, Resource, Unreadable, is_literal
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import key_at
from payinfra.checks.policy.open_policies import open_policy
from payinfra.checks.policy.verdict_helpers import field_of, region_of, verdict_for_gap

_QUEUE = "aws_sqs_queue"


@check(
    id="PI-SQS-001",
    title="Queues are encrypted",
    severity=Severity.MEDIUM,
    on=_QUEUE,
    risk="What waits in the queue, payments among it, lies readable in its storage.",
    fix="Leave sqs_managed_sse_enabled on, or set kms_master_key_id to a customer key of the queue's region.",
    controls=("AWS FSBP SQS.1",),
)
def queue_is_encrypted(queue: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """AWS encrypts a queue with a key of its own unless it is told not to."""
    key = key_at(queue, "kms_master_key_id", manifest)
    if isinstance(key, Missing):
        match queue.flag("sqs_managed_sse_enabled"):
            case False:
                return (Verdict.failed("sqs_managed_sse_enabled is false, and it has no kms_master_key_id"),)
            case Unreadable() as gap if not isinstance(gap, Missing):
                return (Verdict.unknown(gap.why),)
            case _:
                return (Verdict.passed(),)
    if isinstance(key, Unreadable):
        return (verdict_for_gap(key, ""),)
    home = region_of(queue)
    if isinstance(home, Unreadable) or isinstance(key.region, Unreadable):
        return (Verdict.unknown("whether its key is of its own region is not known"),)
    if key.region not in (None, home):
        return (Verdict.failed(f"it is in {home}, its key in {key.region}"),)
    return (Verdict.passed(),)


@check(
    id="PI-SQS-002",
    title="A queue's policy lets only named callers in",
    severity=Severity.HIGH,
    on=(_QUEUE, "aws_sqs_queue_policy"),
    risk="Anyone with an AWS account may read payments from the queue, or put false ones in.",
    fix="Name the sender as principal, with aws:SourceArn as condition.",
)
def queue_is_closed(queue: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Conditions are evaluated: one that a stranger can meet binds nobody."""
    return open_policy(queue, manifest)


@check(
    id="PI-SQS-003",
    title="A queue has a dead-letter queue",
    severity=Severity.MEDIUM,
    on=_QUEUE,
    risk="A message that cannot be processed is tried until it expires, and is then lost without a trace.",
    fix="Set redrive_policy with deadLetterTargetArn and maxReceiveCount.",
)
def queue_has_a_dead_letter_queue(queue: Resource, manifest: Manifest) -> Verdict:
    """A queue that takes dead letters itself needs none."""
    if _is_named_by_a_queue(queue, manifest) or any(
        _takes_dead_letters(queue, one, manifest) for one in manifest.referrers(queue)
    ):
        return Verdict.not_applicable("it takes dead letters itself")
    beside = manifest.attached(queue, "aws_sqs_queue_redrive_policy", by="queue_url")
    for holder in (*beside.resources, queue):
        found = _redrive(holder, queue)
        if found is not None:
            return found
    if beside.unclear:
        return Verdict.unknown(f"{beside.unclear[0].address} may be its redrive policy")
    return Verdict.failed("it has no redrive_policy")


def _redrive(holder: Resource, queue: Resource) -> Verdict | None:
    """What a redrive policy says; None where there is none."""
    text = holder.template("redrive_policy")
    if isinstance(text, Missing) or text in ("", "{}"):
        return None
    if isinstance(text, Unreadable):
        return Verdict.unknown(text.why)
    if holder.references("redrive_policy"):
        return Verdict.passed()
    if not is_literal(text):
        return Verdict.unknown("its redrive_policy is not known")
    target = field_of(text, "deadLetterTargetArn")
    if isinstance(target, str) and target.endswith(f":{queue.text('name')}"):
        return Verdict.failed("its redrive_policy sends dead letters back to it")
    return Verdict.passed() if target else Verdict.failed("its redrive_policy names no deadLetterTargetArn")


_LETTER_BOXES = {
    "aws_cloudwatch_event_target": "dead_letter_config",
    "aws_lambda_event_source_mapping": "destination_config.on_failure",
    "aws_lambda_function": "dead_letter_config",
    "aws_lambda_function_event_invoke_config": "destination_config.on_failure",
    "aws_pipes_pipe": "source_parameters",
    "aws_scheduler_schedule": "target.dead_letter_config",
    "aws_sns_topic_subscription": "redrive_policy",
    "aws_sqs_queue": "redrive_policy",
    "aws_sqs_queue_redrive_allow_policy": "queue_url",
    "aws_sqs_queue_redrive_policy": "redrive_policy",
}


def _takes_dead_letters(queue: Resource, sender: Resource, manifest: Manifest) -> bool:
    path = _LETTER_BOXES.get(sender.type)
    if path is None or queue not in manifest.referents(sender, path):
        return False
    allowed = sender.template("redrive_allow_policy") if path == "queue_url" else ""
    return not isinstance(allowed, str) or field_of(allowed, "redrivePermission") != "denyAll"


def _is_named_by_a_queue(queue: Resource, manifest: Manifest) -> bool:
    """Whether another queue sends its dead letters to the queue's ARN, as it is written out."""
    name = queue.text("name")
    arns = (
        field_of(text, "deadLetterTargetArn")
        for one in manifest.all("aws_sqs_queue", "aws_sqs_queue_redrive_policy")
        if one is not queue
        if isinstance(text := one.template("redrive_policy"), str) and is_literal(text)
    )
    return isinstance(name, str) and any(isinstance(arn, str) and arn.endswith(f":{name}") for arn in arns)


def unprocessed_problems(mapping: Resource) -> Iterator[Verdict]:
    """What becomes of records that a function cannot process, by the mapping that feeds it."""
    kept = is_kept_at(mapping, "destination_config.on_failure", "destination_arn")
    if isinstance(kept, Unreadable):
        yield Verdict.unknown(kept.why)
    elif not kept:
        retries = mapping.number("maximum_retry_attempts")
        if isinstance(retries, Missing) or retries == -1:
            yield Verdict.failed("it tries a bad record until it expires, and holds up all behind it")
        else:
            yield Verdict.failed("it drops a bad record after its retries: it has no on_failure destination")


def is_kept_at(holder: Resource, path: str, target: str) -> bool | Unreadable:
    """Whether a block sends what failed to a target; Unreadable where that is not known."""
    if holder.references(path):
        return True
    match holder.text(f"{path}.{target}"):
        case Missing() | "":
            return False
        case Unreadable() as gap:
            return gap
        case _:
            return True
