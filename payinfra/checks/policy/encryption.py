"""Which KMS key a property names, whose it is and where it is."""

import re
from dataclasses import dataclass

from payinfra.checks.manifest import (
    Block,
    Manifest,
    Missing,
    Resource,
    Unreadable,
    Unresolved,
    WrongType,
    is_literal,
)
from payinfra.checks.model import Verdict
from payinfra.checks.policy.verdict_helpers import verdict_for_gap

KEYS = ("aws_kms_key", "aws_kms_replica_key", "aws_kms_external_key", "aws_kms_replica_external_key")
_ALIASES = ("aws_kms_alias",)
_ARN = re.compile(r"arn:[\w-]+:kms:(?P<region>[a-z0-9-]+):[^:]*:(?:key|alias)/\S+")
_ID = re.compile(r"(?:mrk-)?[0-9a-f-]{32,36}|alias/\S+")


@dataclass(frozen=True)
class Key:
    """A key that something names.

    Attributes:
        region: where it lives; None where it is named by an id or alias alone, which AWS looks up in the
            region of whoever names it.
        resource: the key in this file; None for one that is made elsewhere.
        by_aws: whether it is one of AWS's own (`alias/aws/…`), which has no policy to write.
    """

    region: str | Unreadable | None
    resource: Resource | None = None
    by_aws: bool = False


def key_at(block: Block, path: str, manifest: Manifest) -> Key | Unreadable:
    """The key that a property names, by reference, ARN, id or alias. A plan writes "" for what is not set."""
    text = block.template(path)
    if isinstance(text, Unreadable):
        return text
    if text == "":
        return Missing(path)
    for found in manifest.referents(block, path):
        key = _key_of(found, manifest)
        if key is not None:
            return key
    if not is_literal(text):
        return Unresolved(path, text)
    return _literal(text, path)


def customer_key(
    block: Block, path: str, manifest: Manifest, *, region: str | Unreadable, what: str, address: str = ""
) -> tuple[Verdict, ...]:
    """No verdict where a customer key of the given region is named; else a failure or an unknown."""
    key = key_at(block, path, manifest)
    if isinstance(key, Unreadable):
        return (verdict_for_gap(key, f"{what} names no customer key: {key.why}", address),)
    if key.by_aws:
        return (Verdict.failed(f"{what} uses a key of AWS's own, not a customer key", address),)
    for gap in (region, key.region):
        if isinstance(gap, Unreadable):
            return (Verdict.unknown(f"{what}: the region is not known: {gap.why}", address),)
    if key.region not in (None, region):
        return (Verdict.failed(f"{what} is in {region}, its key in {key.region}", address),)
    return ()


def _key_of(found: Resource, manifest: Manifest) -> Key | None:
    if found.type in KEYS:
        data = found.kind.startswith("data.")
        name = found.text("key_id") if data else ""
        return Key(found.region, None if data else found, _is_aws_alias(name))
    if found.type in _ALIASES:
        if found.kind.startswith("data."):
            return Key(found.region, None, _is_aws_alias(found.text("name")))
        for target in manifest.referents(found, "target_key_id"):
            if target.type in KEYS:
                return Key(found.region, target)
        return Key(found.region)
    return None


def _literal(text: str, path: str) -> Key | Unreadable:
    if _is_aws_alias(text):
        return Key(None, None, by_aws=True)
    arn = _ARN.fullmatch(text)
    if arn is not None:
        return Key(arn["region"])
    if _ID.fullmatch(text):
        return Key(None)
    return WrongType(path, f"{text!r}", "a key's ARN, id or alias")


def _is_aws_alias(name: str | Unreadable) -> bool:
    return isinstance(name, str) and (name.startswith("alias/aws/") or ":alias/aws/" in name)
