"""When policies hear of a customer key's tags, as on AWS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.aws_rules import KEY_TAGS
from payinfra.local.server.ministack import Emulator

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[Mapping[str, Any]], Answer]
Tags = dict[str, str] | None


def install(emulator: Emulator) -> None:
    """Apply the patches. Run after `tagging`, which says what a resource's tags are."""
    kms, tagging = emulator.service("kms"), emulator.service("tagging")
    late = LateTags(emulator, kms)
    emulator.replace(kms, "_create_key", late.of_a_new_key(kms._create_key))
    for operation in ("_tag_resource", "_untag_resource"):
        emulator.replace(kms, operation, late.of_a_change(getattr(kms, operation)))
    emulator.replace(tagging, "resource_tags", late.as_policies_know_them(tagging.resource_tags))


@dataclass
class LateTags:
    """AWS: "it might take up to five minutes for tag and alias changes to affect KMS key authorization" (KMS
    developer guide, "ABAC for AWS KMS"). Until then a policy's aws:ResourceTag sees what there was before.
    Off unless the rule `key-tag-delay` is set."""

    emulator: Emulator
    kms: Any
    before: dict[str, tuple[float, Tags]] = field(default_factory=dict)

    def of_a_new_key(self, original: Operation) -> Operation:
        """Note when a key was made, before which it had no tags."""

        def create(wanted: Mapping[str, Any]) -> Answer:
            answer = original(wanted)
            if answer[0] == 200:
                arn = str(parse_json(answer[2])["KeyMetadata"]["Arn"])
                self.before[arn] = (self.emulator.rules.now(), {})
            return answer

        return create

    def of_a_change(self, original: Operation) -> Operation:
        """Note what a key's tags were before a change."""

        def change(wanted: Mapping[str, Any]) -> Answer:
            found = self.kms._resolve_key(wanted.get("KeyId", "")) or {}
            known = {tag["TagKey"]: tag["TagValue"] for tag in found.get("Tags") or ()}
            arn = str(found.get("Arn", ""))
            if not self._is_late(arn):
                self.before[arn] = (self.emulator.rules.now(), known)
            return original(wanted)

        return change

    def as_policies_know_them(self, original: Callable[[str], Tags]) -> Callable[[str], Tags]:
        """A key's tags, or for a while those that it had before."""
        return lambda arn: self.before[arn][1] if self._is_late(arn) else original(arn)

    def _is_late(self, arn: str) -> bool:
        if arn not in self.before:
            return False
        rules = self.emulator.rules
        return rules.now() - self.before[arn][0] < rules.value(KEY_TAGS)
