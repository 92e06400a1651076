"""A stack of one region alone, for a deployment while the other region is gone.

The synthesized stack is cut down to what stands in the surviving region. What that refers to elsewhere (in
the other region, in IAM, in Route 53, the table) is replaced by what the state knows of it. The provider of
the other region then has nothing to do, so that Terraform never configures it: no call can go there. The plan
targets what is left, which keeps Terraform from deleting what the cut-down stack lacks.
"""

import json
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable, GateFailed, UsageProblem
from payinfra.core.json_text import parse_json
from payinfra.core.naming import Names, state_replica
from payinfra.core.outputs import Outputs
from payinfra.core.private_files import write_private
from payinfra.core.settings import Settings
from payinfra.deployment.rolling_update import Role
from payinfra.stacks.embedded_endpoints import CONFIG_SUFFIX
from payinfra.terraform import Kept, Plan
from payinfra.terraform.jsonvalue import JsonValue, members
from payinfra.terraform.runner import ERRORED_STATE

STACK_FILE = "cdk.tf.json"
BESIDE = ("*.zip", f"*{CONFIG_SUFFIX}")
"""What a stack names by its path: the functions' code, and where the embedded AWS answers."""
FOLDER = "surviving"
"""In the environment's work folder. While a deployment runs it holds secrets of the state."""
GLOBAL_TYPES = ("aws_iam_", "aws_route53_")
"""What no region has to itself: its control plane may be gone with a region (AWS's whitepaper, "AWS Fault
Isolation Boundaries", global services)."""
SHARED_TYPES = ("aws_dynamodb_table",)
"""What spans both regions: the provider asks the replica's region about it."""
_REWRITTEN = ("data", "resource", "output", "locals")
_REFERENCE = re.compile(r"((?:data\.)?[a-z][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_-]*)(?:\.([a-z_][a-z0-9_]*))?")


@dataclass(frozen=True)
class SurvivingStack:
    """A stack of one region.

    Attributes:
        document: the cut-down cdk.tf.json. It may hold secrets; a repr never shows it.
        targets: the addresses that are left of it.
        left_out: what of the region waits for a whole deployment, because it needs what does not exist yet.
    """

    document: Mapping[str, JsonValue] = field(repr=False)
    targets: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def cut_down(
    stack: Mapping[str, JsonValue],
    provider: str,
    state: Sequence[Kept],
    recorded: Outputs | None,
    survivor: str,
) -> SurvivingStack:
    """The stack of one region.

    Args:
        stack: the whole stack's cdk.tf.json.
        provider: the surviving region's, such as `aws.secondary`.
        state: what the state knows, data sources too.
        recorded: the outputs of the last deployment; what they declare of the other region stays.
        survivor: the surviving region's name.

    Raises:
        EnvironmentUnusable: the state knows nothing.
    """
    if not state:
        raise EnvironmentUnusable(
            "The state knows nothing, so that there is nothing to change in one region alone.",
            "If the environment exists, `payinfra adopt` takes it in once both regions answer.",
        )
    known = {one.address: one for one in state}
    blocks, named = _blocks(stack), _locals(stack, recorded, survivor)
    own, left_out = _own(blocks, named, provider, known)
    writer = _Writer(frozenset(blocks), frozenset(own), known, named)
    resources: dict[str, dict[str, JsonValue]] = {}
    for address in own:
        kind, _, name = address.partition(".")
        resources.setdefault(kind, {})[name] = writer.block(blocks[address])
    outputs: dict[str, JsonValue] = {}
    for name, output in members(stack, "output").items():
        value = members(output).get("value")
        if name == "declared" and isinstance(value, str):
            value = _declared(value, recorded, survivor)
        if writer.can_write(value):
            outputs[name] = {**members(output), "value": writer.value(value)}
    document = {
        **{name: value for name, value in stack.items() if name not in _REWRITTEN},
        "resource": resources,
        "output": outputs,
        "locals": {
            **{name: writer.value(value) for name, value in named.items() if writer.can_write(value)},
            **writer.locals,
        },
    }
    return SurvivingStack(document, tuple(own), tuple(left_out))


def role_of(name: str, regions: Sequence[str]) -> Role:
    """The role of a region that is named as AWS does, or by its role.

    Raises:
        UsageProblem: the environment is not there.
    """
    for role, region in zip((Role.PRIMARY, Role.SECONDARY), regions, strict=True):
        if name in (role, region):
            return role
    raise UsageProblem(
        f"The environment is not in {name}.", f"Give one of {', '.join(regions)}, primary, secondary."
    )


def state_risk(settings: Settings, survivor: str, other: str) -> str:
    """What it risks to work on the state that the settings name, in a sentence; empty where it risks nothing.

    S3 copies a bucket's objects one way and later, most within 15 minutes (S3 user guide, "Replicating
    objects").

    Raises:
        EnvironmentUnusable: the state is in the region that is to be done without.
    """
    bucket, key = settings.state_bucket, settings.state_key or Names(settings.env).state_key
    if bucket is None:
        return ""
    replica = state_replica("")
    late = "it may lack what was written in the minutes before the outage, a lock that was released too"
    if (settings.state_region or settings.primary_region) == other:
        raise EnvironmentUnusable(
            f"The state is in bucket {bucket} in {other}, the region that this deployment does without.",
            f"Its replica is in {survivor}: "
            f"add --state-bucket {state_replica(bucket)} --state-region {survivor}. "
            f"Know what that risks: {late}, and what is written to it is not copied back by itself.",
        )
    if not bucket.endswith(replica):
        return ""
    home = bucket.removesuffix(replica)
    return (
        f"The state is read from and written to the replica {bucket}: {late}. What is written there is not "
        f"copied back. Before the next whole deployment: `aws s3 cp s3://{bucket}/{key} s3://{home}/{key} "
        f"--source-region {survivor} --region {other}`."
    )


def read(folder: Path) -> Mapping[str, JsonValue]:
    """The document of a synthesized stack."""
    found: Mapping[str, JsonValue] = parse_json((folder / STACK_FILE).read_bytes())
    return found


def require_own(plan: Plan, stack: SurvivingStack, other: str) -> None:
    """Make sure that a plan changes nothing but what is the region's.

    Raises:
        GateFailed: it would change something else.
    """
    targets = frozenset(stack.targets)
    foreign = [one.address for one in plan.changes if one.address.partition("[")[0] not in targets]
    if foreign:
        raise GateFailed(
            f"The plan would change what is not of the surviving region alone: {', '.join(foreign)}.",
            f"Wait until {other} answers, and deploy the whole.",
        )


@contextmanager
def placed(work_dir: Path, whole: Path, stack: SurvivingStack) -> Iterator[Path]:
    """The folder that holds a surviving stack, with what lies beside the whole one. Removed afterwards.

    Args:
        whole: the folder of the synthesized stack.
    """
    folder = work_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        for pattern in BESIDE:
            for file in whole.glob(pattern):
                shutil.copyfile(file, folder / file.name)
        write_private(folder / STACK_FILE, json.dumps(stack.document))
        yield folder
    finally:
        (folder / STACK_FILE).unlink(missing_ok=True)
        if not (folder / ERRORED_STATE).exists():  # what Terraform could not save must not be lost
            shutil.rmtree(folder)


def bring_unsaved_state(work_dir: Path, whole: Path) -> None:
    """Let the next run of the whole stack bring in a state that a surviving deployment could not save."""
    unsaved = work_dir / FOLDER / ERRORED_STATE
    if unsaved.exists():
        unsaved.replace(whole / ERRORED_STATE)


def _blocks(stack: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        f"{prefix}{kind}.{name}": block
        for section, prefix in (("resource", ""), ("data", "data."))
        for kind, named in members(stack, section).items()
        for name, block in members(named).items()
    }


def _locals(stack: Mapping[str, JsonValue], recorded: Outputs | None, survivor: str) -> dict[str, JsonValue]:
    """The stack's own locals. What they hold of the output `declared` is treated as that."""

    def with_declared(value: JsonValue) -> JsonValue:
        text = members(value).get("declared")
        if not isinstance(text, str):
            return value
        return {**members(value), "declared": _declared(text, recorded, survivor)}

    return {name: with_declared(value) for name, value in members(stack, "locals").items()}


def _own(
    blocks: Mapping[str, JsonValue],
    named: Mapping[str, JsonValue],
    provider: str,
    known: Collection[str],
) -> tuple[list[str], list[str]]:
    """What stands in the region alone, and what of that must wait for something that does not exist yet."""
    own = {
        address
        for address, block in blocks.items()
        if members(block).get("provider") == provider
        and not address.startswith(("data.", *GLOBAL_TYPES, *SHARED_TYPES))
    }
    wait: set[str] = set()
    while True:
        blocked = {
            address
            for address in own
            if any(one not in own and one not in known for one in _needs(blocks[address], blocks, named))
        }
        if not blocked:
            return sorted(own), sorted(wait)
        own -= blocked
        wait |= blocked


def _needs(value: JsonValue, blocks: Collection[str], named: Mapping[str, JsonValue]) -> set[str]:
    """The addresses that a value refers to, through locals as well, which refer to no locals themselves."""
    found = {one[1] for one in _REFERENCE.finditer(json.dumps(value))}
    through = [json.dumps(named[name]) for one in found if (name := one.removeprefix("local.")) in named]
    for text in through:
        found |= {one[1] for one in _REFERENCE.finditer(text)}
    return found & set(blocks)


def _declared(value: str, recorded: Outputs | None, survivor: str) -> str:
    """What is declared, with the other region as it was declared when it was last deployed."""
    try:
        new, old = parse_json(value), parse_json(recorded.declared_json if recorded else "null")
    except ValueError:
        return value
    if not isinstance(new, dict) or not isinstance(old, dict):
        return value
    before = {one["region"]: one for one in old["regions"]}
    new["regions"] = [
        one if one["region"] == survivor else before.get(one["region"], one) for one in new["regions"]
    ]
    return json.dumps(new, sort_keys=True, separators=(",", ":"))


@dataclass
class _Writer:
    """Writes blocks with values of the state in place of references to what is not of the region.

    Attributes:
        locals: the values that were needed.
    """

    blocks: frozenset[str]
    own: frozenset[str]
    known: Mapping[str, Kept]
    named: Mapping[str, JsonValue] = field(repr=False)
    locals: dict[str, JsonValue] = field(default_factory=dict, repr=False)

    def block(self, block: JsonValue) -> JsonValue:
        """A resource, without waiting for what is not of the region."""
        written = {name: self.value(value) for name, value in members(block).items() if name != "depends_on"}
        waits = members(block).get("depends_on")
        if isinstance(waits, list):
            written["depends_on"] = [one for one in waits if one in self.own]
        return written

    def can_write(self, value: JsonValue) -> bool:
        """Whether all that a value refers to is of the region, or known."""
        return all(one in self.own or one in self.known for one in _needs(value, self.blocks, self.named))

    def value(self, value: JsonValue) -> JsonValue:
        """A value, with every reference in it written."""
        if isinstance(value, str):
            return _REFERENCE.sub(self._reference, value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {name: self.value(one) for name, one in value.items()}
        return value

    def _reference(self, found: re.Match[str]) -> str:
        address, attribute = found[1], found[2]
        if address not in self.blocks or address in self.own:
            return found[0]
        resource = self.known[address]
        name = "elsewhere_" + re.sub(r"\W", "_", address)
        values = resource.attributes if attribute is None else {attribute: resource.attributes.get(attribute)}
        literal = {key: _literal(value) for key, value in values.items()}
        self.locals[name] = {**members(self.locals.get(name)), **literal}
        if attribute is None:
            return f"local.{name}"
        written = f"local.{name}.{attribute}"
        return f"sensitive({written})" if attribute in resource.sensitive else written


def _literal(value: JsonValue) -> JsonValue:
    """A value that Terraform takes as it is: in JSON, too, `${` begins an expression (Terraform's
    documentation, "JSON Configuration Syntax")."""
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, list):
        return [_literal(one) for one in value]
    if isinstance(value, dict):
        return {name: _literal(one) for name, one in value.items()}
    return value
