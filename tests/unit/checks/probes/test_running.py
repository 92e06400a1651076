"""How probes are run: all at once, each with its deadline, none hiding another."""

import time
from collections.abc import Callable
from itertools import pairwise
from threading import Event

import httpx
import pytest
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError
from dns.exception import DNSException

from payinfra.checks.probes.drift import Difference, judge
from payinfra.checks.probes.failures import AGAIN, RAISED, verdict_for
from payinfra.checks.probes.model import (
    FIRST_REPORTS_S,
    PairProbe,
    Probe,
    ProbeContext,
    RegionProbe,
    RegionUnderTest,
)
from payinfra.checks.probes.results import ProbeResult, joined, outcome
from payinfra.checks.probes.runner import _ASKING_SHARE, ProbeClock, Task, run
from payinfra.checks.probes.verify import assemble, load
from payinfra.checks.verdicts import Kind, Rule, Severity, Verdict, Verdicts
from payinfra.clients.aws_errors import NotYet, is_transient
from payinfra.clients.payments_api import KeyRefused
from payinfra.clients.retry import Deadline
from payinfra.core.setting_declarations import BY_NAME
from tests.unit.checks.probes.conftest import EAST, WEST, FakeEnv, FakeTime, error


def a_rule(id: str = "LIVE-X-001") -> Rule:
    return Rule(id, "It works", Severity.HIGH, "It may not.", "Mend it.")


def a_pair(
    judge: Callable[[ProbeContext], Verdicts], within_s: float = 10, late: Kind = Kind.FAIL
) -> PairProbe:
    return PairProbe(a_rule(), within_s, judge, late)


def passes(_live: ProbeContext) -> Verdicts:
    return Verdict.passed()


def test_a_regional_probe_is_called_for_each_region(fake: FakeEnv) -> None:
    def where(_live: ProbeContext, site: RegionUnderTest) -> Verdicts:
        return Verdict.passed(f"{site.region} beside {site.peer.region}")

    results = run([RegionProbe(a_rule(), 10, where)], fake.live())
    assert [(one.where, one.verdicts[0].message) for one in results] == [
        (EAST, f"{EAST} beside {WEST}"),
        (WEST, f"{WEST} beside {EAST}"),
    ]


def test_a_probe_that_never_answers_hides_no_other(fake: FakeEnv) -> None:
    held = Event()

    def hangs(_live: ProbeContext) -> Verdicts:
        held.wait(30)
        return Verdict.passed()

    told: list[ProbeResult] = []
    began = time.monotonic()
    slow, quick = run([a_pair(hangs, within_s=0.2), a_pair(passes)], fake.live(), tell=told.append)
    held.set()
    assert time.monotonic() - began < 5
    assert slow.verdicts == (Verdict.error("no answer within 0.2 s", remedy=AGAIN),)
    assert quick.verdicts == (Verdict.passed(),)
    assert [one.verdicts[0].kind for one in told] == [Kind.PASS, Kind.ERROR]


def test_an_answer_after_the_deadline_is_not_heard(fake: FakeEnv) -> None:
    late, over = Event(), Event()

    def answers_late(_live: ProbeContext) -> Verdicts:
        late.wait(30)
        return Verdict.passed()

    def waits_for_it(_live: ProbeContext) -> Verdicts:
        over.wait(0.4)
        late.set()
        over.wait(0.2)
        return Verdict.passed()

    first, _ = run([a_pair(answers_late, within_s=0.1), a_pair(waits_for_it)], fake.live())
    assert first.verdicts[0].kind is Kind.ERROR


def test_the_deadline_of_the_caller_shortens_each(fake: FakeEnv) -> None:
    time_ = FakeTime()

    def never(live: ProbeContext) -> Verdicts:
        raise NotYet(f"{live.patience.left_s:.0f} s left")

    (result,) = run(
        [a_pair(never, within_s=100)], fake.live(), deadline_s=10, clock=ProbeClock(time_.now, time_.sleep)
    )
    assert result.verdicts[0].message == "0 s left (asked for 8 s)"


@pytest.mark.parametrize(
    ("on_aws", "deadline_s", "asked_s"), [(False, None, 40), (True, None, 240), (True, 10, 8)]
)
def test_a_probe_may_wait_longer_on_aws_than_on_the_embedded_one(
    fake: FakeEnv, on_aws: bool, deadline_s: float | None, asked_s: int
) -> None:
    def never(_live: ProbeContext) -> Verdicts:
        raise NotYet("not yet")

    if on_aws:
        fake.endpoints = None
    time_ = FakeTime()
    probe = PairProbe(a_rule(), 50, never, on_aws_s=300)
    (result,) = run([probe], fake.live(), deadline_s=deadline_s, clock=ProbeClock(time_.now, time_.sleep))
    assert result.verdicts[0].message == f"not yet (asked for {asked_s} s)"


def test_checkers_metrics_and_alarms_are_waited_for_as_long_as_aws_may_take() -> None:
    longer = {probe.rule.id for probe in load() if probe.on_aws_s}
    assert longer == {"LIVE-CW-002", "LIVE-CW-003", "LIVE-R53-002"}
    # A checker's status follows after its threshold of intervals, each at its largest.
    interval, threshold = BY_NAME["health_check_interval"], BY_NAME["health_check_threshold"]
    assert threshold.most is not None
    slowest_s = max(int(one) for one in interval.choices) * threshold.most
    assert slowest_s <= FIRST_REPORTS_S * _ASKING_SHARE


@pytest.mark.parametrize(("known_s", "kind"), [(100.0, Kind.PASS), (1000.0, Kind.FAIL)])
def test_a_key_that_is_not_known_yet_is_waited_for_longer_than_the_probe(
    fake: FakeEnv, known_s: float, kind: Kind
) -> None:
    """Two minutes, for a probe that waits ten seconds for anything else."""
    time_ = FakeTime()
    began = time_.now()

    def pays(_live: ProbeContext) -> Verdicts:
        if time_.now() - began < known_s:
            raise KeyRefused("it answered 403")
        return Verdict.passed()

    task = Task(a_pair(pays), None, "", 10)
    put_off: list[float] = []
    (verdict,) = task.ask(fake.live(), ProbeClock(time_.now, time_.sleep), put_off.append)
    assert verdict.kind is kind
    assert verdict.kind is Kind.PASS or verdict.message == "it answered 403 (asked for 120 s)"
    assert all(end <= began + 130 for end in put_off)
    assert len(put_off) > 10


def test_a_refused_key_puts_off_the_deadline_at_which_a_probe_is_given_up(fake: FakeEnv) -> None:
    asked: list[float] = []

    def pays(_live: ProbeContext) -> Verdicts:
        asked.append(time.monotonic())
        if asked[-1] - asked[0] < 2.0:
            raise KeyRefused("it answered 403")
        return Verdict.passed()

    # Real seconds: the first refusal must come before they are over, on a busy machine as well.
    (result,) = run([a_pair(pays, within_s=1.5)], fake.live())
    assert result.verdicts == (Verdict.passed(),)


def test_the_deadline_of_the_caller_holds_for_a_refused_key_too(fake: FakeEnv) -> None:
    def pays(_live: ProbeContext) -> Verdicts:
        raise KeyRefused("it answered 403")

    time_ = FakeTime()
    began = time_.now()
    (result,) = run(
        [a_pair(pays, within_s=100)], fake.live(), deadline_s=10, clock=ProbeClock(time_.now, time_.sleep)
    )
    assert result.verdicts[0].kind is Kind.FAIL
    assert time_.now() - began <= 10


def test_what_becomes_right_in_time_passes(fake: FakeEnv) -> None:
    asked: list[float] = []

    def later(live: ProbeContext) -> Verdicts:
        asked.append(live.patience.clock())
        if len(asked) < 4:
            raise NotYet("not yet")
        return Verdict.passed()

    time_ = FakeTime()
    (result,) = run([a_pair(later)], fake.live(), clock=ProbeClock(time_.now, time_.sleep))
    assert result.verdicts[0].kind is Kind.PASS
    pauses = [after - before for before, after in pairwise(asked)]
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0]


@pytest.mark.parametrize("late", [Kind.FAIL, Kind.WARN])
def test_what_never_becomes_right_comes_to_what_the_probe_says(fake: FakeEnv, late: Kind) -> None:
    def never(_live: ProbeContext) -> Verdicts:
        raise NotYet("still wrong")

    time_ = FakeTime()
    (result,) = run([a_pair(never, late=late)], fake.live(), clock=ProbeClock(time_.now, time_.sleep))
    assert result.verdicts == (Verdict(late, "still wrong (asked for 8 s)"),)


def test_a_probe_that_says_nothing_or_crashes_is_an_error(fake: FakeEnv) -> None:
    def crashes(_live: ProbeContext) -> Verdicts:
        raise KeyError("Replicas")

    silent, crashed = run([a_pair(lambda _live: ()), a_pair(crashes)], fake.live())
    assert silent.verdicts == (Verdict.error("the probe gave no verdict", remedy=RAISED),)
    assert crashed.verdicts == (Verdict.error("the probe raised KeyError: 'Replicas'", remedy=RAISED),)


def test_a_regional_probe_without_a_region_is_a_bug(fake: FakeEnv) -> None:
    probe = RegionProbe(a_rule(), 10, lambda _live, _site: Verdict.passed())
    (verdict,) = Task(probe, None, "", 10).ask(fake.live(), ProbeClock())
    assert "needs a region" in verdict.message


SILENT: Exception = DNSException("nothing answers")  # type: ignore[no-untyped-call]  # dnspython types no constructor of it
DENIED = error(
    "AccessDeniedException",
    "User: arn:aws:iam::1:user/ci is not authorized to perform: kms:DescribeKey on resource: x",
    "DescribeKey",
)


@pytest.mark.parametrize(
    ("problem", "kind", "said"),
    [
        (DENIED, Kind.ERROR, "access denied: the caller lacks kms:DescribeKey (AccessDeniedException)"),
        (error("AccessDenied", "Access Denied", "GetBucketPolicy"), Kind.ERROR, "lacks GetBucketPolicy"),
        (error("ExpiredToken", "x", "GetRole"), Kind.ERROR, "access denied"),
        (error("NoSuchBucket", "it is gone", "GetBucketPolicy"), Kind.FAIL, "GetBucketPolicy: it is gone"),
        (
            error("ResourceNotFoundException", "", "Describe"),
            Kind.FAIL,
            "Describe: ResourceNotFoundException",
        ),
        (error("ThrottlingException", "slow", "List"), Kind.ERROR, "List answered ThrottlingException: slow"),
        (NoCredentialsError(), Kind.ERROR, "there are no AWS credentials"),
        (ConnectTimeoutError(endpoint_url="http://x"), Kind.ERROR, "no answer: ConnectTimeoutError"),
        (httpx.ConnectError("refused"), Kind.ERROR, "no answer: ConnectError: refused"),
        (SILENT, Kind.ERROR, "no answer: DNSException"),
        (ZeroDivisionError("x"), Kind.ERROR, "the probe raised ZeroDivisionError: x"),
    ],
)
def test_a_failed_call_says_what_is_wrong_and_is_never_green(
    problem: Exception, kind: Kind, said: str
) -> None:
    verdict = verdict_for(problem)
    assert verdict.kind is kind
    assert said in verdict.message
    assert bool(verdict.remedy) is (kind is Kind.ERROR), "the rule's advice mends no call that failed"


def test_the_advice_of_what_was_not_judged_is_not_the_rules() -> None:
    refused, expired = verdict_for(DENIED), verdict_for(error("ExpiredToken", "x", "GetRole"))
    (finding,) = outcome([ProbeResult(a_rule(), EAST, (refused,), 0.1)]).findings
    assert finding.fix.startswith("Allow the caller this action")
    assert expired.remedy.startswith("Give credentials")


@pytest.mark.parametrize(
    ("problem", "passing"),
    [
        (NotYet("x"), True),
        (error("ThrottlingException"), True),
        (error("InternalError", status=500), True),
        (error("AccessDenied", status=403), False),
        (error("NoSuchBucket", status=404), False),
        (httpx.ReadTimeout("x"), True),
        (SILENT, True),
        (ConnectTimeoutError(endpoint_url="http://x"), True),
        (KeyError("x"), False),
    ],
)
def test_only_what_may_pass_is_asked_again(problem: Exception, passing: bool) -> None:
    assert is_transient(problem) is passing


def test_an_error_without_status_is_not_asked_again() -> None:
    problem = error("Odd")
    del problem.response["ResponseMetadata"]
    assert not is_transient(problem)


def test_denied_and_throttled_calls_leave_the_others_alone(fake: FakeEnv) -> None:
    fake.say("kms", "describe_key", DENIED)
    fake.say("sns", "get_topic_attributes", error("Throttling", "slow down", "GetTopicAttributes"))
    ids = ("LIVE-KMS-001", "LIVE-SNS-001", "LIVE-SNS-003")
    assert fake.failing() == dict.fromkeys(ids, Kind.ERROR)


def test_patience_asks_once_where_there_is_no_time() -> None:
    asked: list[int] = []

    def look() -> None:
        asked.append(1)
        raise NotYet("no")

    with pytest.raises(NotYet):
        Deadline(ends=0.0).poll(look)
    assert asked == [1]


def result(rule: Rule, where: str, *verdicts: Verdict) -> ProbeResult:
    return ProbeResult(rule, where, verdicts, 0.5)


def test_an_outcome_has_findings_counts_and_what_was_measured() -> None:
    rule = a_rule()
    one = outcome(
        [
            result(rule, EAST, Verdict.passed("in 20 ms")),
            result(rule, WEST, Verdict.failed("it is slow")),
            result(a_rule("LIVE-X-002"), WEST, Verdict.not_applicable("no domain")),
            result(a_rule("LIVE-X-003"), WEST, Verdict.passed()),
        ],
        ignored=("LIVE-X-009",),
    )
    (finding,) = one.findings
    assert (finding.id, finding.address, finding.message) == ("LIVE-X-001", WEST, "it is slow")
    assert (finding.severity, finding.risk, finding.fix) == (Severity.HIGH, "It may not.", "Mend it.")
    assert one.tool == "verify"
    assert one.rules[0].message == f"{EAST}: in 20 ms"
    assert one.summary.counts[Kind.PASS] == 2
    assert one.summary.ignored == ("LIVE-X-009",)
    assert one.exit_code(Severity.LOW) == 1


def test_outcomes_can_be_joined() -> None:
    first = outcome([result(a_rule(), EAST, Verdict.failed("a"))], ignored=("LIVE-X-009",))
    drift = outcome([judge(EAST, [Difference("aws_kms_key.x", "update")], 1.0)])
    both = joined(first, drift)
    assert {(one.id, one.address) for one in both.findings} == {
        ("LIVE-X-001", EAST),
        ("LIVE-DRIFT-001", "aws_kms_key.x"),
    }
    assert (both.summary.checks, both.summary.ignored) == (2, ("LIVE-X-009",))


def test_no_drift_is_a_pass() -> None:
    assert judge(EAST, [], 1.0).verdicts == (Verdict.passed(),)


def test_ids_are_used_once() -> None:
    probes: tuple[Probe, ...] = load()
    assert len({probe.rule.id for probe in probes}) == len(probes) > 40
    with pytest.raises(ValueError, match="LIVE-KMS-001, LIVE-KMS-002, LIVE-KMS-003, LIVE-KMS-004 used twice"):
        assemble(("kms", "kms"))


def test_the_time_is_now_unless_a_test_says_otherwise(fake: FakeEnv) -> None:
    live = fake.live()
    real = ProbeContext(
        live.aws, live.outputs, live.declared, live.http, live.dns, live.tls, "run", live.began
    )
    assert abs(real.now().timestamp() - time.time()) < 60
