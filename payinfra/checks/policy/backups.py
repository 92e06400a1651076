"""Checks of backups: that databases have some, and that somebody tries whether they can be restored."""

from collections.abc import Iterator

from payinfra.checks.manifest import Manifest, Missing, Resource, Unreadable
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.verdict_helpers import flag_off, nested, pass_unless

_LEAST_DAYS = 7
_DATABASES = ("aws_db_instance", "aws_docdb_cluster", "aws_neptune_cluster", "aws_rds_cluster")
_SELECTION = "aws_backup_selection"
_OF_CLUSTER = ("cluster_identifier", "replicate_source_db", "replication_source_identifier")


def is_selected(resource: Resource, manifest: Manifest) -> bool:
    """Whether a plan of AWS Backup takes a resource: by its ARN, by a tag, or everything."""
    for selection in manifest.all(_SELECTION):
        if resource in manifest.referents(selection, "resources"):
            return True
        named = selection.texts("resources")
        if not isinstance(named, Unreadable) and "*" in named:
            return True
        tags, wanted = resource.mapping("tags"), nested(selection, "selection_tag")
        if isinstance(tags, Unreadable) or isinstance(wanted, Unreadable):
            continue
        for one in wanted:  # any of them is enough
            key, value = one.text("key"), one.text("value")
            if isinstance(key, str) and isinstance(value, str) and tags.get(key) == value:
                return True
    return False


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
    if is_selected(database, manifest):
        return
    match database.number("backup_retention_period"):
        case Missing():
            if database.type == "aws_db_instance":
                yield Verdict.failed("it has no backup_retention_period: nothing is backed up")
            else:
                yield Verdict.failed("it has no backup_retention_period: a backup is kept for one day")
        case Unreadable() as gap:
            yield Verdict.unknown(gap.why)
        case days if days < _LEAST_DAYS:
            yield Verdict.failed(f"its backups are kept for {days:g} days")


def _last_snapshot(database: Resource, manifest: Manifest) -> Iterator[Verdict]:
    if manifest.protected is not False:
        yield from flag_off(database, "skip_final_snapshot", "it is destroyed without a last snapshot")


@check(
    id="PI-BAK-002",
    title="Backups are restored as a test",
    severity=Severity.LOW,
    on="aws_backup_plan",
    risk="That backups cannot be restored is found out on the day they are needed.",
    fix="Add an aws_backup_restore_testing_plan with a selection.",
)
def backups_are_restored(_plan: Resource, manifest: Manifest) -> Verdict:
    """AWS Backup restores by plan and tears down again."""
    if manifest.all("aws_backup_restore_testing_plan"):
        return Verdict.passed()
    return Verdict.warn("no aws_backup_restore_testing_plan restores any of it")
