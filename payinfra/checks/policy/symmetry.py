"""Pairs each resource of one region with its twin in another, and says where the two differ.

Names say most: a CDKTF construct path or a Terraform name without what tells the regions apart, then the
name that AWS knows. Where they do not (`table` and `backup_table`), the most similar is the twin, if it is
similar at all. What two twins refer to is compared through the pairing: each region's function uses *its
own* key.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from payinfra.checks.manifest import SPAN, Json, Manifest, Resource, Unresolved, references_in
from payinfra.checks.manifest.templates import with_addresses
from payinfra.checks.policy.regional_nature import is_half, twin_type
from payinfra.checks.policy.verdict_helpers import aws_providers, aws_resources

_TABLES = ("aws_dynamodb_table.", "aws_dynamodb_table_replica.")
_TABLE_TYPES = frozenset({"aws_dynamodb_table", "aws_dynamodb_table_replica"})
_TOLD_ALIKE = re.compile(r"(.+[._])?(description|(primary|secondary)_region)", re.IGNORECASE)
"""What may name a region and be the same in both: prose, and which of the regions is the primary one."""
_NOT_COMPARED = frozenset({"//", "depends_on", "provider"})
_BY_NATURE = {
    "aws_api_gateway_api_key": frozenset({"value"}),
    "aws_db_instance": frozenset(
        {
            "allocated_storage",
            "backup_retention_period",
            "db_name",
            "engine",
            "engine_version",
            "kms_key_id",
            "manage_master_user_password",
            "password",
            "replicate_source_db",
            "skip_final_snapshot",
            "username",
        }
    ),
    "aws_elasticache_replication_group": frozenset(
        {"engine", "engine_version", "global_replication_group_id", "node_type", "num_node_groups"}
    ),
    "aws_rds_cluster": frozenset(
        {
            "database_name",
            "global_cluster_identifier",
            "manage_master_user_password",
            "master_password",
            "master_username",
            "replication_source_identifier",
            "source_region",
        }
    ),
    "aws_ssm_parameter": frozenset({"value", "lifecycle"}),
}
"""One region's key value is the other's by design (PI-API-007); a parameter may hold either, and only the
region that makes it ignores changes of it; a replica takes from its source what the source says."""
_REPLICA_MARKS = (
    "replicate_source_db",
    "global_cluster_identifier",
    "replication_source_identifier",
    "global_replication_group_id",
)
_ALWAYS_BY_NATURE = ("aws_api_gateway_api_key", "aws_ssm_parameter")

_HASH = re.compile(r"_[0-9A-F]{8}$")
_SEPARATORS = re.compile(r"[-_./ ]+")


@dataclass(frozen=True)
class Twins:
    """The resources of two regions, paired.

    Attributes:
        pairs: each with its twin, where a type has as many in one region as in the other.
        uneven: the types of which it has not, with both counts.
        alone: what has no twin although the counts are even: the other region has something else instead.
        numbers: the address of each of a pair, with a number that the two share.
    """

    pairs: tuple[tuple[Resource, Resource], ...]
    uneven: tuple[tuple[str, int, int], ...]
    alone: tuple[Resource, ...]
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
        return f"<{side} {twin_type(target) or target.kind} {number}>"


def find_twins(manifest: Manifest, here: str, there: str, once: frozenset[str]) -> Twins:
    """Pair what is in two regions; what exists once is neither counted nor compared."""
    sides = _Sides.of(manifest, here, there)
    by_type: dict[str, tuple[list[Resource], list[Resource]]] = {}
    for resource in (*aws_resources(manifest), *manifest.data):
        if resource.region in (here, there):
            lists = by_type.setdefault(twin_type(resource) or resource.kind, ([], []))
            lists[resource.region != here].append(resource)
    numbers: dict[str, int] = {}
    pairs: list[tuple[Resource, Resource]] = []
    uneven: list[tuple[str, int, int]] = []
    alone: list[Resource] = []
    for kind, (ones, twos) in by_type.items():
        halves = tuple(_halves(ones, twos, manifest))
        taken = {one.address for pair in halves for one in pair}
        here_left, there_left = ([one for one in side if one.address not in taken] for side in (ones, twos))
        matched = (*halves, *_match(here_left, there_left, sides))
        for one, two in matched:
            numbers[one.address] = numbers[two.address] = len(numbers)
        here_there = [[one for one in side if _is_counted(one, once)] for side in (ones, twos)]
        counts = len(here_there[0]), len(here_there[1])
        if counts[0] != counts[1]:
            uneven.append((kind, *counts))
            continue
        paired = {address for pair in matched for address in (pair[0].address, pair[1].address)}
        alone += [one for side in here_there for one in side if one.address not in paired]
        pairs += [(one, two) for one, two in matched if _is_compared(one, once) and _is_compared(two, once)]
    return Twins(tuple(pairs), tuple(uneven), tuple(alone), numbers, sides, manifest)


def _is_counted(resource: Resource, once: frozenset[str]) -> bool:
    return resource.address not in once and not resource.kind.startswith("data.")


def _is_compared(resource: Resource, once: frozenset[str]) -> bool:
    """Whether it should be like its twin if it has one: roles may be one a region, or one for both."""
    if is_half(resource):
        return False
    return _is_counted(resource, once) or (
        resource.type.startswith("aws_iam_") and not resource.kind.startswith("data.")
    )


def differences(one: Resource, two: Resource, twins: Twins) -> tuple[str, ...]:
    """The properties in which two twins differ by more than their regions.

    Their values are not shown: any of them may be a secret.
    """
    replicated = any(one.has(mark) or two.has(mark) for mark in _REPLICA_MARKS)
    ours = _properties(one, twins, replicated=replicated)
    theirs = _properties(two, twins, replicated=replicated)
    found: list[str] = []
    for path in ours | theirs:
        if path not in ours:
            found.append(f"{path}, which the other has not")
        elif path not in theirs:
            found.append(f"{path}, which only the other has")
        # What is the same in both, and names neither side nor a resource, needs no closer look.
        elif ours[path] == theirs[path] and _needs_no_look(path, ours[path], twins):
            continue
        elif _leaf(theirs[path], two, twins) != _leaf(ours[path], one, twins):
            found.append(path)
    return tuple(found)


def _needs_no_look(path: str, value: Json, twins: Twins) -> bool:
    return bool(twins.sides.is_neutral(value) or _TOLD_ALIKE.fullmatch(path))


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
        # A zone is its region's, and a letter, which its twin has too.
        end = r"(?:(?![A-Za-z0-9])|(?<=-[0-9])(?=[a-f](?![A-Za-z0-9])))"
        words = re.compile(rf"(?<![A-Za-z0-9])(?:{inner}){end}", re.IGNORECASE)
        return cls(words, tuple(word.lower() for word in (*ours, *theirs)), here)

    def is_neutral(self, value: Json) -> bool:
        """Whether a value means the same in both regions: it names neither of them, nor a resource."""
        return not isinstance(value, str) or not ("${" in value or self.names_a_side(value))

    def names_a_side(self, text: str) -> bool:
        """Whether a text may name a region: a quick look, which sees words inside longer ones too."""
        lower = text.lower()
        # `map` of a method, because a generator costs more than all the searches.
        return any(map(lower.__contains__, self.needles))

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


def _halves(
    ones: list[Resource], twos: list[Resource], manifest: Manifest
) -> Iterator[tuple[Resource, Resource]]:
    """A key's replica is the twin of the key that it names, whatever the two are called."""
    paired: set[str] = set()
    for side, others in ((ones, twos), (twos, ones)):
        for half in side:
            named = manifest.referents(half, "primary_key_arn") if is_half(half) else ()
            for whole in named:
                if whole in others and whole.address not in paired:
                    paired.add(whole.address)
                    yield (half, whole) if side is ones else (whole, half)


def _match(ones: list[Resource], twos: list[Resource], sides: _Sides) -> Iterator[tuple[Resource, Resource]]:
    """Twins by their names in Terraform, by their own names, then by likeness; what is unlike stays alone."""
    rest_here, rest_there = ones, twos
    for key in (_terraform_name, _own_name):
        left: dict[str, list[Resource]] = {}
        for two in rest_there:
            left.setdefault(sides.without(key(two)), []).append(two)
        alone: list[Resource] = []
        for one in rest_here:
            name = sides.without(key(one))
            if name and left.get(name):
                yield one, left[name].pop(0)
            else:
                alone.append(one)
        rest_here, rest_there = alone, [two for named in left.values() for two in named]
    yield from _alike(rest_here, rest_there, sides)


_ALIKE = 0.5
_OWN_NAMES = ("name", "function_name", "bucket", "alarm_name", "identifier", "cluster_identifier", "family")


def _terraform_name(resource: Resource) -> str:
    return resource.construct or _name(resource)


def _own_name(resource: Resource) -> str:
    """What AWS calls it; empty where the file does not say."""
    for path in _OWN_NAMES:
        name = resource.text(path)
        if isinstance(name, str):
            return name
    return ""


def _name(resource: Resource) -> str:
    """What an address says besides the type: the modules, the name, and the key of an instance."""
    return resource.address.replace(f"{resource.kind}.", "")


_Property = tuple[str, str]


@dataclass
class _Group:
    """Resources that are alike as far as the other side can tell: which properties they share with it."""

    shared: frozenset[_Property]
    size: int
    members: list[tuple[int, Resource]] = field(default_factory=list)

    def likeness(self, shared: frozenset[_Property], size: int) -> float:
        """Which part of the properties is the same."""
        largest = max(size, self.size)
        return len(shared & self.shared) / largest if largest else 1.0


def _alike(ones: list[Resource], twos: list[Resource], sides: _Sides) -> Iterator[tuple[Resource, Resource]]:
    """Each with the most similar that is left, if it is similar at all. A role is nobody's twin by likeness.

    What no resource of the other side has tells nobody apart: without it, most fall into a few groups.
    """
    if not ones or not twos or ones[0].type.startswith("aws_iam_"):
        return
    ours, theirs = ([_body_of(one, sides) for one in side] for side in (ones, twos))
    common = frozenset[_Property]().union(*ours) & frozenset[_Property]().union(*theirs)
    groups: dict[tuple[frozenset[_Property], int], _Group] = {}
    for number, (two, body) in enumerate(zip(twos, theirs, strict=True)):
        key = (body & common, len(body))
        groups.setdefault(key, _Group(*key)).members.append((number, two))
    orders: dict[tuple[frozenset[_Property], int], list[_Group]] = {}
    for one, body in zip(ones, ours, strict=True):
        key = (body & common, len(body))
        if key not in orders:
            orders[key] = sorted(groups.values(), key=lambda group: -group.likeness(*key))
        order = [group for group in orders[key] if group.members]
        orders[key] = order
        if not order or order[0].likeness(*key) < _ALIKE:
            continue
        best = order[0].likeness(*key)
        group = min(
            (group for group in order if group.likeness(*key) == best), key=lambda group: group.members[0][0]
        )
        yield one, group.members.pop(0)[1]


def _body_of(resource: Resource, sides: _Sides) -> frozenset[_Property]:
    """The properties of a resource, without what tells the sides apart."""
    return frozenset(
        (name, sides.without(json.dumps(value, default=str)))
        for name, value in resource.body.items()
        if name not in _NOT_COMPARED
    )


def _properties(resource: Resource, twins: Twins, *, replicated: bool) -> dict[str, Json]:
    """Every leaf of a resource, with locals and functions replaced."""
    free = _BY_NATURE.get(resource.type, frozenset())
    if not (replicated or resource.type in _ALWAYS_BY_NATURE):
        free = frozenset()
    found: dict[str, Json] = {}
    for name, value in resource.body.items():
        if name not in _NOT_COMPARED and name not in free:
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
    if targets and all(target is not None and target.type in _TABLE_TYPES for target in targets):
        return f"<{references[0].attribute.rpartition('.')[2]} of {references[0].address}>"
    return span


def _leaf(value: Json, resource: Resource, twins: Twins) -> str:
    """A leaf as seen from its resource's region."""
    if not isinstance(value, str):
        return json.dumps(value)
    text = _plain(value)
    if "${" in text:
        if any(kind in text for kind in _TABLES):
            text = SPAN.sub(lambda span: _side_of_a_table(span[0], twins), text)
        tokens = {one.address: twins.token(one.address, resource.region) for one in references_in(text)}
        text = with_addresses(text, lambda address: tokens.get(address, address))
    return twins.sides.relative(text, resource.region)


_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
_OWN_BY_NATURE = (
    (re.compile(rf"(?<![a-z0-9-]){_REGION}[a-f](?![a-z0-9])"), "<zone>"),
    (re.compile(r"(?<![a-z0-9-])[a-z]{2,4}\d-az\d(?![a-z0-9])"), "<zone>"),
    (re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}/\d{1,2}(?![\d.])"), "<cidr>"),
    (re.compile(r"(?<![0-9a-f:])[0-9a-f]{1,4}(?::[0-9a-f]{0,4})+::?/\d{1,3}"), "<cidr>"),
    (re.compile(r"(?<![a-z0-9])[a-z]{1,8}-[0-9a-f]{8}(?:[0-9a-f]{9})?(?![0-9a-z])"), "<id>"),
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|mrk-[0-9a-f]{32}"), "<id>"),
    (re.compile(rf"arn:[\w-]+:lambda:{_REGION}:\d+:layer:([\w-]+):\d+"), r"<layer \1>"),
)
"""What differs between two regions by nature: zones, address ranges, ids of what is made elsewhere,
layers."""


def _plain(text: str) -> str:
    for own, plain in _OWN_BY_NATURE:
        text = own.sub(plain, text)
    return text
