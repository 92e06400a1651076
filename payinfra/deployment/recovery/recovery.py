"""Makes a deployment converge after one that was cut off.

A killed or interrupted apply leaves two kinds of trouble. What Terraform had begun and not finished, its
state marks to be made anew; but names are unique, so that the new one would collide with the old one, and a
table would be emptied: it is finished instead. What was being created at that very moment is in no state at
all: it is looked for on AWS and, where it is this environment's (see `evidence`), imported by the next plan.
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Protocol, TypeVar

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable, ToolFailed
from payinfra.core.events import Emit, Notice
from payinfra.deployment.recovery.apply_log import ApplyLog
from payinfra.deployment.recovery.import_ids import find
from payinfra.deployment.recovery.ownership import FoundResource, OwnershipEvidence
from payinfra.terraform import ChangeAction, Creation, Import, Kept, Plan, TerraformFailed
from payinfra.terraform.jsonvalue import text

ROUNDS = 5
"""How often to look again: what was found may have parts, which can be found only then."""
LOOKERS = 8
COLLISION = re.compile(
    r"already exist|AlreadyExists|AlreadyOwnedByYou|ResourceInUseException|ConflictException", re.IGNORECASE
)
"""What AWS's services say when something of that name is there (the error codes of their service models)."""
BIRTHDAYS = ("create_date", "created_date")
"""Attributes of roles, APIs and API keys in a state, as ISO 8601."""

KEY_REFUSED = re.compile(r"not authorized to perform: kms:\w+", re.IGNORECASE)
"""What AWS says when policies do not let somebody use a key (IAM user guide, "Troubleshoot access denied
error messages")."""
KEY_ID = re.compile(r"\b(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b")
"""A key's id, as ARNs end with it and as Terraform names the key; a request's id may look the same."""
KEY_TAGS_WITHIN_S = 330.0
"""How long policies may not see a new key's tags or alias, and a margin: "it might take up to five minutes
for tag and alias changes to affect KMS key authorization" (KMS developer guide, "ABAC for AWS KMS")."""
KEY_TAGS_PAUSE_S = 30.0

Result = TypeVar("Result")
Identity = tuple[str, str, str]
"""A resource's type, its provider, and its id or ARN."""
Again = Callable[[tuple[Import, ...]], Plan]


class StateTool(Protocol):
    """What is needed of `Terraform`."""

    def resources(self) -> tuple[Kept, ...]:
        """What the state knows."""

    def untaint(self, addresses: Sequence[str]) -> None:
        """Keep what the state marks to be made anew."""

    def adopt(self, imports: Sequence[Import]) -> None:
        """Take resources into the state at once."""

    def creations(self, plan: Path) -> tuple[Creation, ...]:
        """What a saved plan would create."""


def refusing_keys(failure: TerraformFailed) -> frozenset[str]:
    """Possible ids of the keys whose use was denied."""
    said = (f"{one.summary} {one.detail}" for one in failure.diagnostics if one.is_error)
    # Terraform breaks lines where it likes.
    refusals = (one for one in said if KEY_REFUSED.search(" ".join(one.split())))
    return frozenset(found for one in refusals for found in KEY_ID.findall(one))


def collisions(failure: TerraformFailed) -> frozenset[str]:
    """The addresses of resources that could not be created because there is one already."""
    return frozenset(
        one.address
        for one in failure.diagnostics
        if one.is_error and one.address and COLLISION.search(f"{one.summary} {one.detail}")
    )


@dataclass
class Recovery:
    """What one command does about earlier ones that were cut off.

    Args:
        terraform: in the environment's folder, initialised.
        aws: where the environment is.
        journal: what is known of earlier applies.
        emit: told of everything that is kept or adopted.
        shared_state: others may have applied as well, of which the journal here knows nothing.
        regions: where the environment's keys are.
        sleep: waits for so many seconds.

    Attributes:
        imports: what the plan that `complete` returned last adopts.
    """

    terraform: StateTool
    aws: Aws
    journal: ApplyLog
    emit: Emit
    shared_state: bool = False
    regions: tuple[str, ...] = ()
    sleep: Callable[[float], None] = time.sleep
    imports: tuple[Import, ...] = field(default=(), init=False)
    _collided: frozenset[str] = field(default=frozenset(), init=False)
    _adopted: set[Identity] = field(default_factory=set, init=False)
    _refused: dict[str, str] = field(default_factory=dict, init=False)

    # -- deploying -----------------------------------------------------------------------------------

    def converging(self, attempt: Callable[[], Result]) -> Result:
        """Run `attempt`, and again while it fails because resources exist already, or because policies do not
        see the tags of its new keys yet.

        Raises:
            TerraformFailed: it failed for another reason, or because of the same things twice, or keys refuse
                somebody for longer than their tags can be the reason.
        """
        waited = 0.0
        collided_rounds = 0
        while collided_rounds < ROUNDS:
            try:
                return attempt()
            except TerraformFailed as failure:
                if waited < KEY_TAGS_WITHIN_S and self._has_new_key(refusing_keys(failure)):
                    self._say(
                        "AWS does not let this role use new KMS keys yet: policies may see a key's tags "
                        f"up to five minutes late. Trying again for {KEY_TAGS_WITHIN_S - waited:.0f} s."
                    )
                    self.sleep(KEY_TAGS_PAUSE_S)
                    waited += KEY_TAGS_PAUSE_S
                    continue
                collided_rounds += 1
                collided = collisions(failure)
                if collided <= self._collided:
                    raise
                self._collided |= collided
                self._say(f"Exists already, looking whether it is ours: {', '.join(sorted(collided))}.")
        return attempt()

    def _has_new_key(self, ids: Iterable[str]) -> bool:
        """Whether one of these keys is so new that policies may not see its tags yet. Errors count as no."""
        from botocore.exceptions import BotoCoreError, ClientError

        youngest = datetime.now(UTC) - timedelta(seconds=KEY_TAGS_WITHIN_S)
        for id_, region in product(sorted(ids), self.regions):
            try:
                found = self.aws.kms(region).describe_key(KeyId=id_)["KeyMetadata"]
            except (BotoCoreError, ClientError):  # of the other region, or a request's id
                continue
            created = found.get("CreationDate")
            if created is not None and created > youngest:
                return True
        return False

    def keep_begun(self) -> bool:
        """Keep what a cut-off apply had begun, to be finished rather than made anew.

        Returns whether an apply was cut off, so that `complete` has something to do.
        """
        if not (self.journal.is_open or self.shared_state):
            return False
        begun = tuple(one.address for one in self.terraform.resources() if one.tainted)
        if begun:
            self.terraform.untaint(begun)
            self._say(f"Was begun by an earlier deployment and is finished now: {', '.join(begun)}.")
        return self.journal.is_open or bool(begun)

    def complete(self, plan: Plan, again: Again) -> Plan:
        """The plan, or a new one that also adopts what earlier applies made and no state knows.

        Args:
            plan: made before anything was looked for.
            again: makes a plan with these imports.

        Raises:
            ToolFailed: something that exists is in the way, and is not this environment's.
            EnvironmentUnusable: AWS does not answer.
        """
        self.imports = ()
        self._adopted.clear()
        for _ in range(ROUNDS):
            found = self._leftovers(plan)
            if not found:
                break
            self.imports += found
            plan = again(self.imports)
        self._stop_at_what_is_in_the_way(plan)
        return plan

    # -- destroying ----------------------------------------------------------------------------------

    def sweep(self, plan: Callable[[], Plan]) -> bool:
        """Take what no state knows into the state, so that it is destroyed with the rest.

        Args:
            plan: makes a plan that would create whatever the state does not know.

        Returns:
            Whether there was anything.
        """
        if not self.journal.was_cut_off:
            return False
        self._adopted.clear()
        found = self._leftovers(plan())
        if found:
            self.terraform.adopt(found)
        return bool(found)

    # -- looking -------------------------------------------------------------------------------------

    def _leftovers(self, plan: Plan) -> tuple[Import, ...]:
        """What exists of what the plan would create, and may be adopted."""
        if not any(change.action is ChangeAction.CREATE for change in plan.changes):
            return ()
        wanted = self.terraform.creations(plan.file)
        kept = self.terraform.resources()
        found = self._look(wanted)
        taken = {(one.type, one.provider, name) for one in kept for name in _names(one)} | self._adopted
        since = _since(self.journal, kept)
        adopted: list[Import] = []
        # Whole things come first: what is part of one may be adopted together with it.
        for creation, candidates in sorted(found, key=lambda pair: any(one.parent for one in pair[1])):
            evidence = OwnershipEvidence(since, frozenset(name for *_, name in taken))
            strangers = [one for one in candidates if not _identities(creation, one) & taken]
            one = self._chosen(creation, strangers, evidence)
            if one:
                taken |= _identities(creation, one)
                self._adopted |= _identities(creation, one)
                adopted.append(Import(creation.address, one.import_id))
        return tuple(adopted)

    def _look(self, wanted: Iterable[Creation]) -> tuple[tuple[Creation, tuple[FoundResource, ...]], ...]:
        from botocore.exceptions import BotoCoreError, ClientError

        def look(creation: Creation) -> tuple[Creation, tuple[FoundResource, ...]]:
            return creation, find(creation, self.aws)

        try:
            with ThreadPoolExecutor(LOOKERS) as lookers:
                return tuple(lookers.map(look, wanted))
        except (BotoCoreError, ClientError) as error:
            raise EnvironmentUnusable(
                f"AWS does not say what an earlier deployment left: {error}.",
                "Nothing was changed. Mend the cause and run the same command again.",
            ) from None

    def _chosen(
        self, creation: Creation, strangers: Sequence[FoundResource], evidence: OwnershipEvidence
    ) -> FoundResource | None:
        """The youngest that may be adopted; the others are told of."""
        judged = [(one, evidence.against(one, creation.tags)) for one in strangers]
        ours = sorted((one for one, objection in judged if not objection), key=_age)
        if not ours:
            if judged:
                self._refused[creation.address] = judged[0][1]
            return None
        chosen = ours.pop()
        self._say(
            f"Adopting {creation.address}: {chosen.import_id} was made by a deployment that was cut off."
        )
        for one in ours:
            self._say(f"A second {creation.address} is left over in {creation.region}: {one.import_id}.")
        return chosen

    def _say(self, sentence: str) -> None:
        self.emit(Notice(sentence))

    def _stop_at_what_is_in_the_way(self, plan: Plan) -> None:
        creates = {change.address for change in plan.changes if change.action is ChangeAction.CREATE}
        in_the_way = sorted(self._collided & creates)
        if in_the_way:
            said = "; ".join(
                f"{address}: {self._refused.get(address, 'payinfra does not know how to look for it')}"
                for address in in_the_way
            )
            raise ToolFailed(
                f"Something of the same name exists and is not adopted: {said}.",
                "If another deployment made it, use that one's state or another --env; if nothing needs it, "
                "delete it; then run the same command again.",
            )


def _names(one: Kept) -> frozenset[str]:
    return frozenset({one.id, text(one.attributes, "arn")} - {""})


def _identities(creation: Creation, found: FoundResource) -> frozenset[Identity]:
    """What tells it from everything else: both regions have a function of one name, and so has the table."""
    return frozenset((creation.type, creation.provider, name) for name in found.names)


def _since(journal: ApplyLog, kept: Iterable[Kept]) -> datetime | None:
    """When the environment was begun: by the journal here, or else by the oldest thing in its state."""
    stamps = [text(one.attributes, name) for one in kept for name in BIRTHDAYS]
    ages = [datetime.fromisoformat(stamp).astimezone(UTC) for stamp in stamps if stamp]
    return min([*ages, *([journal.first] if journal.first else [])], default=None)


def _age(one: FoundResource) -> datetime:
    return one.created or datetime.min.replace(tzinfo=UTC)
