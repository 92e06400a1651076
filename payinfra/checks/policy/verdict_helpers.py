"""What several checks share: how a missing or unreadable value becomes a verdict, and which regions serve."""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from payinfra.checks.manifest import (
    Attached,
    Block,
    Json,
    Manifest,
    Missing,
    Provider,
    Reference,
    Resource,
    Unreadable,
    WrongType,
    parsed,
    texts_in,
)
from payinfra.checks.manifest.templates import kind_of_address
from payinfra.checks.model import Verdict
from payinfra.checks.secret_recognition import secret_attributes

SERVING = (
    "aws_api_gateway_rest_api",
    "aws_dynamodb_table",
    "aws_dynamodb_table_replica",
    "aws_lambda_function",
    "aws_s3_bucket",
)
_SECRET_ATTRIBUTES = {
    "aws_api_gateway_api_key": ("value",),
    "aws_db_instance": ("password",),
    "aws_iam_access_key": ("secret", "ses_smtp_password_v4"),
    "aws_secretsmanager_secret_version": ("secret_string", "secret_binary"),
    "aws_ssm_parameter": ("value", "value_wo"),
    "data.aws_api_gateway_api_key": ("value",),
    "data.aws_kms_secrets": ("plaintext",),
    "data.aws_secretsmanager_random_password": ("random_password",),
    "data.aws_secretsmanager_secret_version": ("secret_string", "secret_binary"),
    "data.aws_ssm_parameter": ("value",),
    "random_password": ("result", "bcrypt_hash"),
    "tls_private_key": ("private_key_pem", "private_key_openssh"),
}
_REGION_NAME = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


def pass_unless(problems: Iterable[Verdict], passed: str = "") -> tuple[Verdict, ...]:
    """The problems, or one pass where there is none."""
    return tuple(problems) or (Verdict.passed(passed),)


def verdict_for_gap(gap: Unreadable, missing: str, address: str = "") -> Verdict:
    """A value that is absent fails with what is `missing`; one that cannot be read is unknown."""
    if isinstance(gap, Missing):
        return Verdict.failed(missing, address)
    return Verdict.unknown(gap.why, address)


def flag_on(block: Block, path: str, otherwise: str, address: str = "") -> tuple[Verdict, ...]:
    """No verdict where the flag is true; else a failure that says `otherwise`, or an unknown."""
    match block.flag(path):
        case True:
            return ()
        case False:
            return (Verdict.failed(otherwise, address),)
        case gap:
            return (verdict_for_gap(gap, otherwise, address),)


def flag_off(block: Block, path: str, otherwise: str, address: str = "") -> tuple[Verdict, ...]:
    """No verdict where the flag is false or not set; else a failure that says `otherwise`, or an unknown."""
    match block.flag(path):
        case False | Missing():
            return ()
        case True:
            return (Verdict.failed(otherwise, address),)
        case gap:
            return (Verdict.unknown(gap.why, address),)


def require_one_of(
    block: Block, path: str, wanted: Collection[str], otherwise: str, address: str = ""
) -> tuple[Verdict, ...]:
    """No verdict where the text is one of those wanted; else a failure that says `otherwise`, or unknown."""
    match block.text(path):
        case str(found) if found in wanted:
            return ()
        case str(found):
            return (Verdict.failed(f"{otherwise} (it is {found!r})", address),)
        case gap:
            return (verdict_for_gap(gap, otherwise, address),)


def above_zero(block: Block, path: str, otherwise: str) -> tuple[Verdict, ...]:
    """No verdict where the number is above 0; else a failure that says `otherwise`, or an unknown."""
    match block.number(path):
        case int(found) | float(found) if found > 0:
            return ()
        case int(found) | float(found):
            return (Verdict.failed(f"{otherwise} ({path} is {found})"),)
        case gap:
            return (verdict_for_gap(gap, otherwise),)


def nested(block: Block, path: str) -> tuple[Block, ...] | Unreadable:
    """The nested blocks of that name; none where it is absent."""
    found = block.blocks(path)
    return () if isinstance(found, Missing) else found


def attached_blocks(
    found: Attached, missing: str, legacy: Block | Unreadable | None = None
) -> tuple[tuple[Block, ...], tuple[Verdict, ...]]:
    """The blocks that say something about a resource, and a verdict where there is none.

    Args:
        found: resources of their own that belong to it.
        missing: what a failure says where there is neither those nor a legacy block.
        legacy: the block inside the resource that older providers took for the same.
    """
    blocks: tuple[Block, ...] = found.resources
    if legacy is not None and not isinstance(legacy, Unreadable):
        blocks = (*blocks, legacy)
    if blocks:
        return blocks, ()
    if found.unclear:
        return (), (Verdict.unknown(f"{found.unclear[0].address} may belong to it: whose it is is unknown"),)
    if isinstance(legacy, Unreadable) and not isinstance(legacy, Missing):
        return (), (Verdict.unknown(legacy.why),)
    return (), (Verdict.failed(missing),)


def provider_region(provider: Provider) -> str | Unreadable:
    """The region of a provider, as far as it looks like one."""
    return checked_region(provider.region, f"{provider.address}.region")


def region_of(resource: Resource) -> str | Unreadable:
    """The region a resource is in, as far as it looks like one."""
    return checked_region(resource.region, "provider")


def checked_region(region: str | Unreadable, path: str) -> str | Unreadable:
    """The region; a WrongType where the text cannot be one."""
    if isinstance(region, str) and not is_region(region):
        return WrongType(path, f"{region!r}", "a region")
    return region


@lru_cache(maxsize=256)
def is_region(text: str) -> bool:
    """Whether a text has the form of a region's name."""
    return _REGION_NAME.fullmatch(text) is not None


def field_of(text: str, name: str) -> Json:
    """A field of an object in JSON; None where there is none."""
    document = parsed(text)
    return document.get(name) if isinstance(document, dict) else None


def aws_providers(manifest: Manifest) -> tuple[Provider, ...]:
    """The configurations of the AWS provider."""
    return tuple(provider for provider in manifest.providers if provider.name == "aws")


def tags_of(resource: Resource, manifest: Manifest) -> Mapping[str, Json]:
    """A resource's tags, with its provider's default ones, as far as they can be read."""
    found: dict[str, Json] = {}
    defaults = (one.block for one in aws_providers(manifest) if one.address == resource.provider)
    for block, path in (*((one, "default_tags.tags") for one in defaults), (resource, "tags")):
        tags = block.mapping(path)
        if not isinstance(tags, Unreadable):
            found |= tags
    return found


def aws_resources(manifest: Manifest) -> tuple[Resource, ...]:
    """The managed resources of the AWS provider."""
    return tuple(resource for resource in manifest.resources if resource.type.startswith("aws_"))


def serving_regions(manifest: Manifest) -> tuple[str, ...]:
    """The regions that payments are served from, in the order of their providers.

    A third region that holds no table, bucket, function or API is there for what is global (health check
    metrics exist in us-east-1 only): it serves nothing.
    """
    regions = map(provider_region, aws_providers(manifest))
    named = dict.fromkeys(region for region in regions if isinstance(region, str))
    if len(named) <= 2:
        return tuple(named)
    busy = {resource.region for resource in manifest.all(*SERVING)}
    serving = tuple(region for region in named if region in busy)
    return serving if len(serving) >= 2 else tuple(named)


def secrets_in(manifest: Manifest, block: Block, path: str) -> tuple[str, ...]:
    """The attributes with secret values that the value at the path refers to, as written."""
    value = block.raw(path)
    texts = () if isinstance(value, Unreadable) else tuple(texts_in(manifest.resolve_names(value)))
    return _secrets_read(manifest, block.references(path), texts)


def secrets_in_text(manifest: Manifest, text: str) -> tuple[str, ...]:
    """The attributes with secret values that a text refers to, as written."""
    return _secrets_read(manifest, manifest.references(text), texts_in(manifest.resolve_names(text)))


def _secrets_read(
    manifest: Manifest, references: Iterable[Reference], texts: Iterable[str]
) -> tuple[str, ...]:
    written = tuple(texts)
    return tuple(
        f"{reference.address}.{attribute}"
        for reference in references
        for attribute in _attributes_read(reference, written)
        if holds_secret(manifest, reference.address, attribute)
    )


def _attributes_read(reference: Reference, texts: tuple[str, ...]) -> tuple[str, ...]:
    """What is read of a resource: of a whole one what follows in the expression, else everything secret."""
    if reference.attribute:
        return (reference.attribute,)
    read = {name for text in texts for name in _ATTRIBUTE.findall(text.replace(reference.address, ""))}
    secret = tuple(one.partition(".")[0] for one in _secret_attributes(reference.kind))
    return tuple(one for one in secret if one in read or not read)


_ATTRIBUTE = re.compile(r"\.([a-z_][a-z0-9_]*)")


def _secret_attributes(kind: str) -> tuple[str, ...]:
    known = _SECRET_ATTRIBUTES.get(kind)
    return secret_attributes(kind) if known is None else known


def holds_secret(manifest: Manifest, address: str, attribute: str) -> bool:
    """Whether an attribute holds a secret value; a plain String parameter's does not."""
    kind = kind_of_address(address)
    own = attribute.partition("[")[0].partition(".")[0]
    if own not in _secret_attributes(kind):
        return False
    target = manifest.resource(address)
    if kind == "aws_ssm_parameter" and target is not None and target.text("type") in ("String", "StringList"):
        return bool(secrets_in(manifest, target, "value"))
    return True
