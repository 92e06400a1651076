"""Which existing resources belong at which addresses of a stack whose state does not know them.

A plan says what it would create, with the values that are known beforehand. What depends on something that
exists, such as the id of an API in the name of its log group, is unknown to it: it is taken from what is
found, along the references of the synthesized stack, so that one plan does for all.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.json_text import parse_json
from payinfra.deployment.recovery.every_type import EVERY_TYPE
from payinfra.deployment.recovery.import_ids import find
from payinfra.deployment.recovery.ownership import FoundResource, bears
from payinfra.deployment.stack_manifest import StackFile
from payinfra.terraform import Creation, Import, Kept
from payinfra.terraform.jsonvalue import JsonValue, members, text

LOOKERS = 16
REFERENCE = re.compile(r"\$\{(?P<address>aws_[a-z0-9_]+\.[\w-]+)\.(?P<attribute>\w+)\}")
PROOF = re.compile(
    r"\$\{one\(\[for option in (?P<address>aws_acm_certificate\.[\w-]+)\.domain_validation_options : "
    r'option\.(?P<attribute>\w+) if option\.domain_name == "(?P<domain>[^"]+)"\]\)\}'
)
"""The one expression of the stack that is more than a reference: what proves to a certificate's issuer."""


Find = Callable[[Creation, Aws], tuple[FoundResource, ...]]


def look(creation: Creation, aws: Aws) -> tuple[FoundResource, ...]:
    """What exists of a resource, of whichever type of the stack."""
    return find(creation, aws, EVERY_TYPE)


@dataclass(frozen=True)
class Matched:
    """What was found.

    Attributes:
        imports: resources of the stack, with the ids by which they are imported.
        refused: by address, why something of the name is not the environment's.
    """

    imports: tuple[Import, ...]
    refused: Mapping[str, str]


@dataclass
class Matching:
    """Finds what exists, round by round, until nothing more follows from what was found.

    Args:
        aws: where the environment is.
        stack: its cdk.tf.json.
        kept: what the state knows already.
        find: finds what exists of one resource; tests give their own.
    """

    aws: Aws
    stack: Path
    kept: Sequence[Kept]
    find: Find = look
    _known: dict[str, Mapping[str, str]] = field(default_factory=dict, init=False)
    _owned: set[str] = field(default_factory=set, init=False)
    _candidates: dict[str, tuple[FoundResource, ...]] = field(default_factory=dict, init=False)
    _asked: dict[str, Creation] = field(default_factory=dict, init=False)

    def match(self, wanted: Iterable[Creation]) -> Matched:
        """What exists of what a plan would create.

        Raises:
            EnvironmentUnusable: AWS does not answer.
        """
        blocks = {one.address: parse_json(one.text) for one in StackFile.read(self.stack).resources}
        pending = {one.address: one for one in wanted if one.type in EVERY_TYPE}
        self._known = {address: _texts(one.values) for address, one in pending.items()}
        self._owned = {name for one in self.kept for name in (one.id, text(one.attributes, "arn")) if name}
        chosen: dict[str, FoundResource] = {}
        refused: dict[str, str] = {}
        while pending:
            self._look([self._completed(one, blocks[one.address]) for one in pending.values()])
            found: dict[str, FoundResource] = {}
            # Whole things come first: what is part of one follows in the same round.
            for address in sorted(pending, key=self._is_part):
                one, refusal = self._choose(pending[address])
                if one is not None:
                    found[address] = one
                    self._owned |= {*one.names, *one.known.values()}
                    self._known[address] = {**self._known[address], **one.known}
                elif refusal:
                    refused[address] = refusal
            if not found:
                break
            chosen |= found
            pending = {address: one for address, one in pending.items() if address not in found}
        return Matched(
            tuple(Import(address, one.import_id) for address, one in chosen.items()),
            {address: why for address, why in refused.items() if address not in chosen},
        )

    def _look(self, wanted: Iterable[Creation]) -> None:
        """Ask AWS for those of which more is known than when they were asked for before."""
        from botocore.exceptions import BotoCoreError, ClientError

        new = [one for one in wanted if self._asked.get(one.address) != one]
        self._asked |= {one.address: one for one in new}
        try:
            with ThreadPoolExecutor(LOOKERS) as lookers:
                answers = lookers.map(lambda one: self.find(one, self.aws), new)
                self._candidates |= {one.address: found for one, found in zip(new, answers, strict=True)}
        except (BotoCoreError, ClientError) as error:
            raise EnvironmentUnusable(
                f"AWS does not say what exists: {error}.",
                "Nothing was changed. Mend the cause and run the same command again.",
            ) from None

    def _is_part(self, address: str) -> bool:
        return any(one.parent for one in self._candidates[address])

    def _choose(self, creation: Creation) -> tuple[FoundResource | None, str]:
        """The one in use, else the oldest: those of a bad run are younger. Or why there is none."""
        judged = [(one, self._objection(one, creation)) for one in self._candidates[creation.address]]
        ours = [one for one, objection in judged if not objection]
        if ours:
            return min(ours, key=lambda one: (not one.in_use, one.created or _NOW)), ""
        return None, judged[0][1] if judged else ""

    def _objection(self, found: FoundResource, creation: Creation) -> str:
        if found.parent:
            part = f"it is part of {found.parent}, which is not the environment's"
            return "" if found.parent in self._owned else part
        if found.tags is not None and not bears(found, creation.tags):
            return f"{found.import_id} does not bear this environment's tags"
        return ""

    def _completed(self, creation: Creation, block: JsonValue) -> Creation:
        """The creation, with the values that follow from what was found."""
        more = {
            name: value
            for name, raw in members(block).items()
            if "${" in json.dumps(raw) and (value := self._resolved(raw)) is not None
        }
        return replace(creation, values={**creation.values, **more})

    def _resolved(self, raw: JsonValue) -> JsonValue:
        """A value of the stack without references; None where one of them leads to nothing known."""
        if isinstance(raw, str):
            return self._substituted(raw)
        if isinstance(raw, Mapping):
            pairs = {name: self._resolved(value) for name, value in raw.items()}
            return None if None in pairs.values() else pairs
        if isinstance(raw, Sequence):
            values = [self._resolved(value) for value in raw]
            return None if None in values else values
        return raw

    def _substituted(self, raw: str) -> str | None:
        def value(match: re.Match[str], domain: str = "") -> str:
            name = f"{domain}.{match['attribute']}" if domain else match["attribute"]
            return self._known.get(match["address"], {}).get(name, match[0])

        said = PROOF.sub(lambda match: value(match, match["domain"]), raw)
        said = REFERENCE.sub(value, said)
        return None if "${" in said else said


_NOW = datetime.max.replace(tzinfo=UTC)


def _texts(values: Mapping[str, JsonValue]) -> Mapping[str, str]:
    return {name: value for name, value in values.items() if isinstance(value, str)}
