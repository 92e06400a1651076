"""Checks of backups: that databases have some, and that somebody tries whether they can be restored."""

from collections.abc import Iterator
from math import inf

from payinfra.checks.manifest import Block, Manifest, Missing, Resource, Unreadable
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.arns import own_arn_form
from payinfra.checks.policy.policy_conditions import Truth, matches, some
from payinfra.checks.policy.verdict_helpers import flag_off, nested, pass_unless, tags_of

_LEAST_DAYS = 7
_DATABASES = ("aws_db_instance", "aws_docdb_cluster", "aws_neptune_cluster", "aws_rds_cluster")
_PLAN, _SELECTION = "aws_backup_plan", "aws_backup_selection"
_OF_CLUSTER = ("cluster_identifier", "replicate_source_db", "replication_source_identifier")


def is_selected(resource: Resource, manifest: Manifest) -> Truth:
    """Whether a plan of AWS Backup takes a resource and keeps what it takes for a week; None if not known.

    By its ARN or a pattern of ARNs, by a tag, or everything; what a selection leaves out, it does not take.
    """
    return some(
        _takes(one, resource, manifest) for one in manifest.all(_SELECTION) if _is_kept(one, manifest)
    )


def _takes(selection: Resource, resource: Resource, manifest: Manifest) -> Truth:
    left_out = _is_named(resource, selection, "not_resources", manifest)
    if left_out is True:
        return False
    taken = some(
        (
            _is_named(resource, selection, "resources", manifest),
            _is_tagged(resource, selection, manifest),
        )
    )
    return None if taken and left_out is None else taken


def _is_tagged(resource: Resource, selection: Resource, manifest: Manifest) -> Truth:
    tags, wanted = tags_of(resource, manifest), nested(selection, "selection_tag")
    if isinstance(wanted, Unreadable):
        return None
    for one in wanted:  # any of them is enough
        key, value = one.text("key"), one.text("value")
        if isinstance(key, str) and isinstance(value, str) and tags.get(key) == value:
            return True
    return False


def _is_named(resource: Resource, selection: Resource, path: str, manifest: Manifest) -> Truth:
    """Whether a list of ARNs and patterns has a resource in it."""
    if resource in manifest.referents(selection, path):
        return True
    patterns = selection.texts(path)
    if isinstance(patterns, Unreadable):
        return False if isinstance(patterns, Missing) else None
    form = own_arn_form(resource.type)
    name = resource.text(form.name)
    arn = form.spelled(
        region=resource.region if isinstance(resource.region, str) else "region",
        account="account",
        name=name if isinstance(name, str) else "name",
    )
    return some(_fits(one, arn, manifest) for one in patterns)


def _fits(pattern: str, arn: str, manifest: Manifest) -> Truth:
    """Whether a pattern fits an ARN; a partition, region or account that stands elsewhere may be any."""
    *before, rest = pattern.split(":", 5)
    if "${" in rest:
        # What refers to a resource names that one.
        return False if manifest.references(rest) else None
    return matches(":".join((*("*" if "${" in part else part for part in before), rest)), arn)


def _is_kept(selection: Resource, manifest: Manifest) -> bool:
    """Whether a rule of the selection's plan keeps its copies long enough; without a limit it keeps them."""
    plans = [one for one in manifest.referents(selection, "plan_id") if one.type == _PLAN]
    rules = [rule for plan in plans for rule in _rules(plan)]
    return not rules or any(_days_kept(rule) >= _LEAST_DAYS for rule in rules)


def _rules(plan: Resource) -> tuple[Block, ...]:
    found = nested(plan, "rule")
    return () if isinstance(found, Unreadable) else found


def _days_kept(rule: Block) -> float:
    days = rule.number("lifecycle.delete_after")
    return inf if isinstance(days, Unreadable) else days


@check(
    id="PI-BAK-001",
    title="Databases are backed up for at least a week, and leave a last snapshot",
    severity=Severity.HIGH,
    on=_DATABASES,
    risk="What a faulty release overwrites, or a mistaken destroy takes, is gone.",
    fix="Set backup_retention_period to 7 or more and skip_final_snapshot to false.",
    controls=("AWS FSBP RDS.11",),
)
def database_is_backed_up(database: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """By the service itself or by AWS Backup; a replica is backed up where it comes from."""
    if any(database.has(path) for path in _OF_CLUSTER[1:]):
        return (Verdict.not_applicable("it is a replica"),)
    return pass_unless((*_retention(database, manifest), *_last_snapshot(database, manifest)))


def _retention(database: Resource, manifest: Manifest) -> Iterator[Verdict]:
    selected = is_selected(database, manifest)
    if selected:
        return
    days = database.number("backup_retention_period")
    if selected is None and not (isinstance(days, int | float) and days >= _LEAST_DAYS):
        yield Verdict.unknown("whether a plan of AWS Backup takes it is not known")
        return
    match days:
        case Missing():
            if database.type == "aws_db_instance":
                yield Verdict.failed("it has no backup_retention_period: nothing is backed up")
            else:
                yield Verdict.failed("it has no backup_retention_period: a backup is kept for one day")
        case Unreadable() as gap:
            yield Verdict.unknown(gap.why)
        case _ if days < _LEAST_DAYS:
            yield Verdict.failed(f"its backups are kept for {days:g} days")


def _last_snapshot(database: Resource, manifest: Manifest) -> Iterator[Verdict]:
    if manifest.protected is not False:
        yield from flag_off(database, "skip_final_snapshot", "it is destroyed without a last snapshot")


@check(
    id="PI-BAK-002",
    title="Backups are restored as a test",
    severity=Severity.LOW,
    on=_PLAN,
    risk="That backups cannot be restored is found out on the day they are needed.",
    fix="Add an aws_backup_restore_testing_plan with a selection.",
)
def backups_are_restored(_plan: Resource, manifest: Manifest) -> Verdict:
    """AWS Backup restores by plan and tears down again."""
    if manifest.all("aws_backup_restore_testing_plan"):
        return Verdict.passed()
    return Verdict.warn("no aws_backup_restore_testing_plan restores any of it")
