"""What a person should do next, from what is known of an environment. Pure: it asks nothing."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.evacuation import BY_RULE

HEALTHY_SHARE = 0.18
"""A health check is healthy while more than this share of checkers says so (Route 53 developer guide)."""

INDEX_WRITES_A_SECOND = 1_000
"""Write units that the items of one partition key take in a second at most (DynamoDB developer guide, "Best
practices for designing and using partition keys effectively")."""

if TYPE_CHECKING:
    from payinfra.core.evacuation import EvacuationFlag
    from payinfra.deployment.status import RegionStatus, Status

Command = Callable[[str], str]
"""A command line for the environment, from the command's name."""


def beyond_the_index(rate: float, shards: int) -> str:
    """A warning that an API's limit is above what the table's status index takes; empty where it is not.

    New payments all have one status, which is as many partition keys of that index as it has shards. An index
    that throttles makes the table throttle (DynamoDB developer guide, "Using write sharding for global
    secondary indexes").

    Args:
        rate: requests a second that the API accepts.
        shards: over how many partition keys a status is spread; 1 where it is not.
    """
    taken = shards * INDEX_WRITES_A_SECOND
    if rate <= taken:
        return ""
    spread = "Leave out spread_statuses = false, or set" if shards == 1 else "Set"
    return (
        f"The API accepts {rate:g} requests a second, and the table's status-index takes about "
        f"{taken:,} new payments a second, of up to 1 kB: more are throttled, and their "
        f"callers are asked to send them again. Reads do not count. {spread} api_rate_limit to "
        f"{taken}, to refuse more at the gateway."
    )


def needs_all_regions(
    silent: Sequence[str], regions: Sequence[str], command: str, line: Command
) -> EnvironmentUnusable:
    """The error of a command that needs all regions while one does not answer, or none does.

    Args:
        silent: the regions that a whole stack needs and that answer nothing.
        regions: the environment's own.
        command: what was to be done.
        line: makes a command line of a command's name.
    """
    survivors = [region for region in regions if region not in silent]
    gone = " and ".join(silent)
    if not survivors:
        return EnvironmentUnusable(
            f"Neither region answers: {gone}.", "Check this machine's network and proxies, then try again."
        )
    status = f"`{line('status')}` says where the names lead and what to do."
    if command in ("plan", "deploy"):
        alone = line(f"deploy --surviving {survivors[0]}")
        status += f" `{alone}` changes what stands in {survivors[0]} alone."
    return EnvironmentUnusable(f"{gone} does not answer, and `{command}` needs every region.", status)


def next_steps(status: "Status", command: Command) -> tuple[str, ...]:
    """What to do next, the first thing first; empty where nothing is to be done.

    Args:
        command: makes `payinfra verify --env NAME` of `verify`.
    """
    silent = [each for each in status.regions if not each.answers]
    if len(silent) == len(status.regions):
        return (
            "No region answers. Check this machine's network and credentials first: what cannot be seen from "
            "here may serve. Nothing can be moved while neither region answers.",
        )
    found = _with_a_region_gone(status, silent[0], command) if silent else _with_both_there(status, command)
    mended = status.delegation.next_step if status.delegation else ""
    return (*found, *((mended,) if mended else ()))


def _with_a_region_gone(status: "Status", gone: "RegionStatus", command: Command) -> Iterator[str]:
    survivor = next(each for each in status.regions if each is not gone)
    if survivor.flag is not None:
        yield _evacuated(survivor.flag, command)
    if survivor.flag is not None and not survivor.flag.drill:
        yield f"Once {gone.region} answers again, bring it back: `{command(f'return {gone.region}')}`."
    else:
        yield _move(status, gone, survivor, command)
    yield f"See whether {survivor.region} works: `{command(f'verify --region {survivor.region}')}`."
    yield (
        f"To change {survivor.region} alone, its code or limits say: "
        f"`{command(f'deploy --surviving {survivor.region}')}`."
    )


def _evacuated(flag: "EvacuationFlag", command: Command) -> str:
    if flag.drill:
        return (
            f"{flag.region} is evacuated by failover drill {flag.drill}, until {flag.until} at the latest. "
            f"If that drill does not run any more: `{command('failover-drill --restore')}`."
        )
    if flag.by == BY_RULE:
        return (
            f"{flag.region} is evacuated since {flag.since}: the failover name had moved away from it, and "
            "the fail-back rule keeps it away (failback is manual). No person has decided that. There is no "
            "hurry: no name leads there until somebody returns it."
        )
    return (
        f"{flag.region} is evacuated since {flag.since}, by {flag.by}: "
        "no name leads there until somebody returns it."
    )


def _move(status: "Status", gone: "RegionStatus", survivor: "RegionStatus", command: Command) -> str:
    """What moves the name away from a region that is gone, and keeps it away."""
    evacuate = f"`{command(f'evacuate {gone.region}')}`"
    leads_to = status.failover.leads_to
    if gone.region in leads_to:
        return (
            f"Clients are still sent to {gone.region}. Route 53 moves the name {status.moves_within_s:.0f} s "
            f"after the region has begun to fail. To move it now, and keep it moved: {evacuate}."
        )
    if survivor.region in leads_to and gone.role == "secondary":
        return (
            f"{survivor.region} has the name and keeps it: {gone.region} is the standby. The latency name "
            f"goes back to {gone.region} once it answers. To keep clients away from it until somebody "
            f"returns it: {evacuate}."
        )
    if survivor.region in leads_to and status.failback == "manual":
        return (
            f"{survivor.region} has the name. Fail-back is manual: {survivor.region} sets the flag that "
            "keeps the name there by itself, as long as it can record payments. If this is said for more "
            f"than two minutes, set it: {evacuate}."
        )
    if survivor.region in leads_to:
        return (
            f"{survivor.region} has the name. It goes back by itself once {gone.region} answers, whether or "
            f"not its data is whole. To keep it in {survivor.region} until somebody returns it: {evacuate}."
        )
    return (
        f"Where {status.failover.name} leads is not known. To make sure that it is not {gone.region}: "
        f"{evacuate}."
    )


def _with_both_there(status: "Status", command: Command) -> Iterator[str]:
    primary, secondary = status.regions
    evacuated = [each.flag for each in status.regions if each.flag is not None]
    if evacuated:
        for flag in evacuated:
            yield _evacuated(flag, command)
            if flag.drill:
                continue
            yield f"Bring it back when it is well: `{command(f'return {flag.region}')}`."
        return
    serving = next((each for each in status.regions if each.region in status.failover.leads_to), None)
    if serving is secondary and len(status.failover.leads_to) == 1:
        why = (
            f"{primary.healthy} of {primary.checkers} checkers find {primary.region} healthy"
            if primary.checkers
            else f"what Route 53's checkers make of {primary.region} is not known"
        )
        yield (
            f"{secondary.region} has the name, and {why}. See what is wrong in {primary.region}: "
            f"`{command(f'verify --region {primary.region}')}`."
        )
        return
    if serving is None:
        return
    other = secondary if serving is primary else primary
    if serving.service_alarms and not other.service_alarms:
        unwell = (
            f" Route 53's checkers find {other.region} unhealthy, too: what fails may fail in both."
            if other.checkers and other.healthy / other.checkers <= HEALTHY_SHARE
            else ""
        )
        yield (
            f"A person decides: {serving.region} has the name, and in it alone "
            f"{', '.join(serving.service_alarms)} ring. See whether payments get through: "
            f"`{command(f'verify --region {serving.region}')}`. If they do not, and "
            f"`{command(f'verify --region {other.region}')}` is well, "
            f"`{command(f'evacuate {serving.region}')}` moves clients to {other.region}.{unwell}"
        )
    elif serving.service_alarms:
        yield (
            f"Alarms ring in both regions: what fails, fails in both, and to move clients mends nothing. "
            f"See `{command('verify')}`."
        )
