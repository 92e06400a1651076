"""The two halves of a rotation: a new key beside the old one, and the end of the old one."""

from collections.abc import Mapping

from payinfra.core.errors import GateFailed
from payinfra.core.outputs import SECONDARY_PREFIX, Outputs
from payinfra.deployment.key_rotation.keys import ApiKeys
from payinfra.deployment.key_rotation.model import RemovedKeys, Rotation
from payinfra.deployment.key_rotation.state_import import StateImport, published_addresses
from payinfra.deployment.workspace import LockedEnvironment
from payinfra.terraform import ChangeAction, OutputValue


def begin(environment: LockedEnvironment, keys: ApiKeys) -> Rotation:
    """Make another key the environment's, in both regions; the former one stays valid.

    The parameter holds the new key before the state follows. A run that was killed is taken up where it
    ended, and one after the end of the first changes nothing.

    Raises:
        GateFailed: an API does not accept the new key.
        EnvironmentUnusable, ToolFailed: as for a deployment.
    """
    with environment.stage("new key") as stage:
        made = keys.make()
        stage.detail = "accepted in both regions, and published"
    if not _is_in_state(environment.outputs, made):
        adoption = StateImport.of(environment.manifest, environment.outputs, made)
        with environment.stage("state"):
            environment.terraform.forget(adoption.forget)
            keys.hand_over()
            environment.terraform.adopt(adoption.imports)
        with environment.stage("outputs"):
            outputs = _with(environment.outputs, made)
            if not _names(environment.terraform.outputs(), outputs):
                # Not every Terraform brings outputs up to date as it imports.
                plan = environment.terraform.plan(
                    environment.plan_file, refresh_only=True, targets=adoption.targets
                )
                environment.terraform.apply(plan.file)
            # Not those of the state: an import evaluates them all, by a configuration that may be ahead.
            environment.keep(outputs)
        _publish(environment)
    return keys.look()


def _publish(environment: LockedEnvironment) -> None:
    """Let what the deployment has published of itself name the new keys.

    Not where the configuration is ahead: a rotation changes nothing else, and the next deployment publishes.
    """
    published = published_addresses(environment.manifest)
    if not published:
        return
    with environment.stage("publish") as stage:
        plan = environment.terraform.plan(environment.plan_file, targets=published)
        changed = {change.address for change in plan.changes if change.action is not ChangeAction.READ}
        if changed <= set(published):
            environment.terraform.apply(plan.file)
        else:
            stage.detail = "by the next deployment, which has other changes as well"


def finish(outputs: Outputs, keys: ApiKeys) -> RemovedKeys:
    """Remove the former keys. Nothing is left to do where there is none.

    Raises:
        GateFailed: the rotation has not come so far that only the new key is the environment's.
    """
    found = keys.look()
    current = {each.region: each.current.id for each in found.regions if each.current is not None}
    if any(each.following for each in found.regions) or not _is_in_state(outputs, current):
        raise GateFailed(
            "The new API key is not the environment's yet: the rotation was cut off.",
            f"Run `payinfra rotate-key --env {found.env}` again, then this.",
        )
    return RemovedKeys(found.env, keys.remove_former())


def _is_in_state(outputs: Outputs, keys: Mapping[str, str]) -> bool:
    """Whether the outputs name these keys, region to id: they follow the state."""
    return all(keys.get(region.region) == region.api_key_id for region in outputs.regions)


def _with(outputs: Outputs, keys: Mapping[str, str]) -> Mapping[str, OutputValue]:
    """The outputs with these keys, region to id."""
    names = zip(("api_key_id", f"{SECONDARY_PREFIX}api_key_id"), outputs.regions, strict=True)
    flat = outputs.to_flat() | {name: keys[region.region] for name, region in names}
    return {name: OutputValue(value, False, "string") for name, value in flat.items()}


def _names(state: Mapping[str, OutputValue], wanted: Mapping[str, OutputValue]) -> bool:
    """Whether the state's outputs name the keys that are wanted."""
    return all(
        name in state and state[name].value == wanted[name].value
        for name in ("api_key_id", f"{SECONDARY_PREFIX}api_key_id")
    )
