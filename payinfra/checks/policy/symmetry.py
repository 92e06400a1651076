"""Pairs each resource of one region with its twin in another, and says where the two differ.

Names say most: a CDKTF construct path or a Terraform name without what tells the regions apart. Where they
do not (`table` and `backup_table`), the most similar of what is left is the twin. What two twins refer to
is compared through the pairing: each region's function uses *its own* key.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from payinfra.checks.manifest import Json, Manifest, Resource, Unresolved, references_in
from payinfra.checks.policy.verdict_helpers import aws_providers, aws_resources

_GLOBAL_PREFIXES = ("aws_iam_", "aws_route53_", "aws_cloudfront_")
_GLOBAL_TYPES = frozenset({"aws_cloudwatch_dashboard", "aws_dynamodb_global_table"})
_TABLES = frozenset({"aws_dynamodb_table", "aws_dynamodb_table_replica"})
_REGIONAL_DATA = frozenset({"aws_acm_certificate", "aws_kms_alias", "aws_kms_key", "aws_sns_topic"})
_NOT_COMPARED = frozenset({"//", "depends_on", "provider"})
_FREE_PROPERTIES = frozenset(
    {
        ("aws_api_gateway_api_key", "value"),
        ("aws_ssm_parameter", "value"),
        ("aws_ssm_parameter", "lifecycle"),
    }
)
"""One region's key value is the other's by design (PI-API-007); a parameter may hold either. The region that
makes a value keeps it by ignoring changes, the other follows."""

_ADDRESS = re.compile(r"(?<![\w.-])(?:data\.)?[a-z][a-z0-9]*_[a-z0-9_]+\.[A-Za-z_][\w-]*")
_SPAN = re.compile(r"\$\{[^{}]*\}")
_BEFORE, _AFTER = 30, 60
_NOT_SET = "not set"
_HASH = re.compile(r"_[0-9A-F]{8}$")
_SEPARATORS = re.compile(r"[-_./ ]+")


def is_regional(resource: Resource) -> bool:
    """Whether it lives in one region: no IAM, no Route 53; of data sources those that name such a thing."""
    if resource.address.startswith("data."):
        return resource.type in _REGIONAL_DATA
    return (
        resource.type.startswith("aws_")
        and not resource.type.startswith(_GLOBAL_PREFIXES)
        and resource.type not in _GLOBAL_TYPES
    )


def needs_twin(resource: Resource) -> bool:
    """Whether each region wants one of it: a global table serves all, health check metrics have one home."""
    if not is_regional(resource) or resource.type in _TABLES:
        return False
    return resource.type != "aws_cloudwatch_metric_alarm" or resource.text("namespace") != "AWS/Route53"


def _is_comparable(resource: Resource) -> bool:
    """Whether it should be like its twin if it has one: roles may be one a region, or one for both."""
    return needs_twin(resource) or resource.type.startswith("aws_iam_")


@dataclass(frozen=True)
class Twins:
    """The resources of two regions, paired.

    Attributes:
        pairs: each with its twin, where a type has as many in one region as in the other.
        uneven: the types of which it has not, with both counts.
        numbers: the address of each of a pair, with a number that the two share.
    """

    pairs: tuple[tuple[Resource, Resource], ...]
    uneven: tuple[tuple[str, int, int], ...]
    numbers: dict[str, int]
    sides: "_Sides"
    manifest: Manifest
    _tokens: dict[tuple[str, str | Unresolved], str] = field(default_factory=dict)

    def token(self, address: str, region: str | Unresolved) -> str:
        """What an address means to a resource of a region: its own or the other's of a pair, or a name."""
        known = self._tokens.get((address, region))
        if known is None:
            known = self._tokens[address, region] = self._token(address, region)
        return known

    def _token(self, address: str, region: str | Unresolved) -> str:
        target, number = self.manifest.resource(address), self.numbers.get(address)
        if number is None or target is None:
            return self.sides.without(address)
        side = "own" if target.region == region else "other"
        return f"<{side} {address.rpartition('.')[0]} {number}>"


def find_twins(manifest: Manifest, here: str, there: str) -> Twins:
    """Pair what lives in two regions."""
    sides = _Sides.of(manifest, here, there)
    by_type: dict[str, tuple[list[Resource], list[Resource]]] = {}
    for resource in (*aws_resources(manifest), *manifest.data):
        if resource.region in (here, there):
            lists = by_type.setdefault(resource.address.rpartition(".")[0], ([], []))
            lists[resource.region != here].append(resource)
    numbers: dict[str, int] = {}
    pairs: list[tuple[Resource, Resource]] = []
    uneven: list[tuple[str, int, int]] = []
    for kind, (ones, twos) in by_type.items():
        matched = tuple(_match(ones, twos, sides))
        for one, two in matched:
            numbers[one.address] = numbers[two.address] = len(numbers)
        counts = sum(map(needs_twin, ones)), sum(map(needs_twin, twos))
        if counts[0] != counts[1]:
            uneven.append((kind, *counts))
        else:
            pairs += [(one, two) for one, two in matched if _is_comparable(one) and _is_comparable(two)]
    return Twins(tuple(pairs), tuple(uneven), numbers, sides, manifest)


def differences(one: Resource, two: Resource, twins: Twins) -> tuple[str, ...]:
    """The properties in which two twins differ by more than their regions, with both values."""
    ours, theirs = _properties(one, twins), _properties(two, twins)
    found: list[str] = []
    for path in ours | theirs:
        if path in ours and path in theirs:
            # What is the same in both, and names neither side nor a resource, needs no closer look.
            if ours[path] == theirs[path] and twins.sides.is_neutral(ours[path]):
                continue
            here, there = _leaf(theirs[path], two, twins), _leaf(ours[path], one, twins)
        elif path in ours:
            here, there = _NOT_SET, _leaf(ours[path], one, twins)
        else:
            here, there = _leaf(theirs[path], two, twins), _NOT_SET
        if here != there:
            same = next(
                (at for at, pair in enumerate(zip(here, there, strict=False)) if pair[0] != pair[1]), 0
            )
            start = max(0, same - _BEFORE)
            found.append(f"{path} is {_excerpt(here, start)}, there {_excerpt(there, start)}")
    return tuple(found)


def _excerpt(text: str, start: int) -> str:
    """Where a long text begins to differ."""
    end = start + _BEFORE + _AFTER
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


@dataclass(frozen=True)
class _Sides:
    """What tells two regions apart in names and texts: `words` has the groups `here` and `there`.

    Attributes:
        needles: in lower case, what stands in a text if any of the words does.
    """

    words: re.Pattern[str]
    needles: tuple[str, ...]
    first: str

    @classmethod
    def of(cls, manifest: Manifest, here: str, there: str) -> "_Sides":
        ours, theirs = _words(manifest, here), _words(manifest, there)
        inner = f"(?P<here>{_alternatives(ours)})|(?P<there>{_alternatives(theirs)})"
        words = re.compile(rf"(?<![A-Za-z0-9])(?:{inner})(?![A-Za-z0-9])", re.IGNORECASE)
        return cls(words, tuple(word.lower() for word in (*ours, *theirs)), here)

    def is_neutral(self, value: Json) -> bool:
        """Whether a value means the same in both regions: it names neither of them, nor a resource."""
        return not isinstance(value, str) or not ("${" in value or self.names_a_side(value))

    def names_a_side(self, text: str) -> bool:
        """Whether a text may name a region: a quick look, which sees words inside longer ones too."""
        lower = text.lower()
        for needle in self.needles:  # noqa: SIM110 - a generator costs more than all the searches
            if needle in lower:
                return True
        return False

    def without(self, text: str) -> str:
        """A name without any side's words, and without the hash that CDKTF ends names with."""
        return _SEPARATORS.sub(" ", self.words.sub("", _HASH.sub("", text))).strip().lower()

    def relative(self, text: str, region: str | Unresolved) -> str:
        """A text with both sides' words replaced by the side they are on, as seen from a region."""
        if not self.names_a_side(text):
            return text
        own = "here" if region == self.first else "there"
        return self.words.sub(lambda found: "<own>" if found.lastgroup == own else "<other>", text)


def _words(manifest: Manifest, region: str) -> tuple[str, ...]:
    """`us-east-1`, `us_east_1`, `use1`, and the aliases of the region's providers, the longest first."""
    continent, *points, number = region.split("-")
    short = continent + "".join(point[:1] for point in points) + number
    words = {region, region.replace("-", "_"), short}
    words |= {provider.alias for provider in aws_providers(manifest) if provider.region == region}
    return tuple(sorted(words - {""}, key=len, reverse=True))


def _alternatives(words: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, words))


def _match(ones: list[Resource], twos: list[Resource], sides: _Sides) -> Iterator[tuple[Resource, Resource]]:
    left: dict[str, list[Resource]] = {}
    for two in twos:
        left.setdefault(sides.without(two.construct or two.name), []).append(two)
    alone: list[Resource] = []
    for one in ones:
        named = left.get(sides.without(one.construct or one.name))
        if named:
            yield one, named.pop(0)
        else:
            alone.append(one)
    rest = [two for named in left.values() for two in named]
    for one in alone:
        if rest:
            twin = max(rest, key=lambda two: _alike(one, two, sides))
            rest.remove(twin)
            yield one, twin


def _alike(one: Resource, two: Resource, sides: _Sides) -> int:
    """How many properties two resources share, as they stand."""
    ours = {name: sides.without(json.dumps(value)) for name, value in one.body.items()}
    return sum(ours.get(name) == sides.without(json.dumps(value)) for name, value in two.body.items())


def _properties(resource: Resource, twins: Twins) -> dict[str, Json]:
    """Every leaf of a resource, with locals and functions replaced."""
    found: dict[str, Json] = {}
    for name, value in resource.body.items():
        if name not in _NOT_COMPARED and (resource.type, name) not in _FREE_PROPERTIES:
            _collect(name, value, twins.manifest, found)
    return found


def _collect(path: str, value: Json, manifest: Manifest, found: dict[str, Json]) -> None:
    """The leaves below a path. A list of one is what it holds, and null is nothing, as for Terraform."""
    if isinstance(value, str) and "${" in value:
        value = manifest.resolve_names(value)
    if isinstance(value, dict):
        for key, item in value.items():
            _collect(f"{path}.{key}", item, manifest, found)
    elif isinstance(value, list):
        if len(value) == 1:
            _collect(path, value[0], manifest, found)
        else:
            for number, item in enumerate(value):
                _collect(f"{path}[{number}]", item, manifest, found)
    elif value is not None:
        found[path] = value


def _side_of_a_table(span: str, twins: Twins) -> str:
    """One word for what each region names in its own way: its side of the one table that serves both."""
    references = references_in(span)
    targets = [twins.manifest.target(reference) for reference in references]
    if targets and all(target is not None and target.type in _TABLES for target in targets):
        return f"<{references[0].attribute.rpartition('.')[2]} of {references[0].address}>"
    return span


def _leaf(value: Json, resource: Resource, twins: Twins) -> str:
    """A leaf as seen from its resource's region."""
    if not isinstance(value, str):
        return json.dumps(value)
    text = value
    if "${" in text:
        if any(kind in text for kind in _TABLES):
            text = _SPAN.sub(lambda span: _side_of_a_table(span[0], twins), text)
        tokens = {one.address: twins.token(one.address, resource.region) for one in references_in(text)}
        text = _ADDRESS.sub(lambda found: tokens.get(found[0], found[0]), text)
    return twins.sides.relative(text, resource.region)
