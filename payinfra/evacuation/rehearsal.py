"""The return at the end of a drill that has evacuated a region, with its problems as sentences."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from payinfra.clients import published_deployment
from payinfra.core.errors import PayinfraError
from payinfra.core.naming import Names
from payinfra.evacuation.returning import Returned, Waiting, bring_back
from payinfra.evacuation.survivor import surviving

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import Outputs


def after_drill(
    aws: "Aws",
    names: Names,
    outputs: "Outputs",
    region: str,
    within_s: float,
    *,
    time_scale: float,
    tell: Callable[[str], None],
) -> tuple[str, ...]:
    """Return to a region as `payinfra return` does, and give the problems, each in a sentence.

    A flag that a person has set during the drill stays.

    Args:
        outputs: of the environment, for its name and its regions: the rest is read from what is published at
            the survivor.
        within_s: for the region and for replication, together, in seconds.
        time_scale: of the embedded AWS; 1 on AWS.
        tell: told of each step.
    """
    survivor = outputs.other_than(region).region
    try:
        published = published_deployment.read(aws, outputs.environment_suffix, survivor, names)
        with surviving(aws, published, time_scale) as there:
            done = bring_back(there, Waiting(within_s, tell), of_drill=True)
    except PayinfraError as error:
        return (error.what.rstrip("."),)
    return problems(done)


def problems(done: Returned) -> tuple[str, ...]:
    """What keeps clients out of the region after a return; nothing where they are back."""
    if not done.lifted:
        found = done.reconciled.open if done.reconciled else ()
        return tuple(f"payment {one.payment_id}: {one.what}" for one in found)
    if not done.is_back:
        return (f"the names were not back {done.seconds:.0f} s after the flag was lifted",)
    return ()
