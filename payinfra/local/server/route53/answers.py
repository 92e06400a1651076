"""What Route 53 answers: routing policies, health, aliases, CNAMEs and wildcards, as a pure function.

Source: "How Amazon Route 53 chooses records when health checking is configured" and "Choosing a
routing policy" in the Developer Guide; RFC 1034 (4.3.2), 2308 and 4592 for the rest.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from typing import Final

from payinfra.core.region_geography import nearest_first
from payinfra.local.server.route53.state import Failover, RecordSet, Zone

# Aliases to AWS resources have a TTL that cannot be set; 60 s is that of API Gateway and load balancers.
ALIAS_TTL: Final = 60
MOST_MULTIVALUES: Final = 8
_MOST_STEPS: Final = 8


class ResponseCode(StrEnum):
    """DNS response codes (IANA registry, DNS RCODEs)."""

    NOERROR = "NOERROR"
    NXDOMAIN = "NXDOMAIN"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"


@dataclass(frozen=True)
class ResourceRecord:
    """One line of an answer; the TTL is in seconds, unscaled."""

    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True)
class DnsAnswerSections:
    """An answer's sections. `authoritative` is false for a referral and a refusal."""

    code: ResponseCode
    records: tuple[ResourceRecord, ...] = ()
    authority: tuple[ResourceRecord, ...] = ()
    authoritative: bool = True


REFUSED: Final = DnsAnswerSections(ResponseCode.REFUSED, authoritative=False)


@dataclass(frozen=True)
class Circumstances:
    """What an answer depends on beside the zone's records.

    Attributes:
        is_healthy: Route 53's conclusion on a health check's id.
        client_region: the region nearest to the client.
        pick: given a positive number, one of 0 … number - 1; random for Route 53.
        resource_addresses: the addresses of an AWS resource that an alias names; none where unknown.
    """

    is_healthy: Callable[[str], bool]
    client_region: str
    pick: Callable[[int], int]
    resource_addresses: Callable[[str], Sequence[str]] = field(default=lambda _: ())


class _Unsupported(Exception):
    """The records are routed by a policy that is not emulated."""


def zone_for(zones: Iterable[Zone], name: str) -> Zone | None:
    """The public zone that answers for a name: the longest match, the newest among equals."""
    holding = [zone for zone in zones if not zone.private and zone.holds(name)]
    return max(reversed(holding), key=lambda zone: len(zone.name), default=None)


def answer(zone: Zone, name: str, rtype: str, around: Circumstances) -> DnsAnswerSections:
    """The answer of `zone` to a query.

    Args:
        zone: the zone that holds the name.
        name: lower case, with the final dot.
        rtype: the type asked for.
        around: health, client, chance and resources.
    """
    try:
        return _Lookup(zone, around).answer(name, rtype)
    except _Unsupported:
        return DnsAnswerSections(ResponseCode.SERVFAIL)


class _Lookup:
    def __init__(self, zone: Zone, around: Circumstances) -> None:
        self._zone = zone
        self._around = around
        self._names: dict[str, dict[str, list[RecordSet]]] = {}
        for record in zone.records:
            self._names.setdefault(record.name, {}).setdefault(record.type, []).append(record)

    def answer(self, name: str, rtype: str) -> DnsAnswerSections:
        found: list[ResourceRecord] = []
        for _ in range(_MOST_STEPS):
            referral = self._delegation(name, rtype)
            if referral:
                return DnsAnswerSections(
                    ResponseCode.NOERROR, tuple(found), referral, authoritative=bool(found)
                )
            types = self._at(name)
            if types is None:
                return DnsAnswerSections(ResponseCode.NXDOMAIN, tuple(found), self._soa())
            if rtype in types or "CNAME" not in types:
                records = tuple(self._expand(name, rtype, types.get(rtype, ()), _MOST_STEPS))
                return DnsAnswerSections(
                    ResponseCode.NOERROR, (*found, *records), () if records else self._soa()
                )
            cname = tuple(self._expand(name, "CNAME", types["CNAME"], _MOST_STEPS))
            found += cname
            if not cname:
                return DnsAnswerSections(ResponseCode.NOERROR, tuple(found), self._soa())
            name = cname[0].value.lower().rstrip(".") + "."
            if not self._zone.holds(name):
                break
        return DnsAnswerSections(ResponseCode.NOERROR, tuple(found))

    def _delegation(self, name: str, rtype: str) -> tuple[ResourceRecord, ...]:
        """The name servers of a subdomain that this zone hands to others; DS stays with the parent."""
        cut = name
        while cut != self._zone.name:
            servers = self._names.get(cut, {}).get("NS")
            if servers and not (rtype == "DS" and cut == name):
                return tuple(_lines(cut, servers[0]))
            cut = _parent(cut)
        return ()

    def _at(self, name: str) -> Mapping[str, Sequence[RecordSet]] | None:
        """The records at a name by type, from a wildcard where that applies; None if it does not exist."""
        if name in self._names:
            return self._names[name]
        closest = name
        while closest != self._zone.name:
            if closest in self._names or any(each.endswith("." + closest) for each in self._names):
                break  # exists, if only because something below it does
            closest = _parent(closest)
        if closest == name:
            return {}
        return self._names.get("*." + closest)

    def _group(self, name: str, rtype: str) -> Sequence[RecordSet]:
        types = self._at(name) if self._zone.holds(name) else None
        return (types or {}).get(rtype, ())

    def _soa(self) -> tuple[ResourceRecord, ...]:
        """The SOA as negative answers carry it: its TTL bounds how long "no" may be remembered."""
        records = self._names.get(self._zone.name, {}).get("SOA", ())
        lines = [line for record in records for line in _lines(self._zone.name, record)]
        return tuple(
            ResourceRecord(line.name, "SOA", min(line.ttl, int(minimum)), line.value)
            for line in lines
            if (minimum := line.value.rpartition(" ")[2]).isdigit()
        )

    def _expand(
        self, owner: str, rtype: str, group: Sequence[RecordSet], steps: int
    ) -> Iterator[ResourceRecord]:
        for record in self._choose(group):
            if record.alias is None:
                yield from _lines(owner, record)
            elif record.alias.zone_id != self._zone.id:
                if rtype == "A":
                    addresses = self._around.resource_addresses(record.alias.name)
                    yield from (ResourceRecord(owner, "A", ALIAS_TTL, each) for each in addresses)
            elif steps:
                yield from self._expand(owner, rtype, self._group(record.alias.name, rtype), steps - 1)

    def _choose(self, group: Sequence[RecordSet]) -> Sequence[RecordSet]:
        if any(record.unsupported_routing for record in group):
            raise _Unsupported
        healthy = [record for record in group if self._healthy(record, _MOST_STEPS)]
        # When no record of the group is healthy, all are taken to be.
        usable = healthy or list(group)
        if all(record.multivalue for record in group):
            return _sample(usable, MOST_MULTIVALUES, self._around.pick)
        if any(record.weight is not None for record in group):
            return self._weighted(usable)
        if any(record.failover for record in group):
            return [min(usable, key=lambda record: record.failover is not Failover.PRIMARY)]
        if any(record.region for record in group):
            nearest = nearest_first([record.region or "" for record in usable], self._around.client_region)[0]
            return [next(record for record in usable if (record.region or "") == nearest)]
        return usable[:1]

    def _weighted(self, usable: Sequence[RecordSet]) -> Sequence[RecordSet]:
        # Weight 0 serves only when nothing with a weight can; among zeros all are alike.
        weighty = [record for record in usable if record.weight]
        if not weighty:
            return [usable[self._around.pick(len(usable))]]
        edges = list(accumulate(record.weight or 0 for record in weighty))
        return [weighty[bisect_right(edges, self._around.pick(edges[-1]))]]

    def _healthy(self, record: RecordSet, steps: int) -> bool:
        if record.health_check_id and not self._around.is_healthy(record.health_check_id):
            return False
        if record.alias is None or not record.alias.evaluate_health or record.alias.zone_id != self._zone.id:
            # AWS resources that payinfra makes (API Gateway) give an alias no health of their own.
            return True
        target = self._group(record.alias.name, record.type)
        if not steps or not target:
            return True
        return any(self._healthy(each, steps - 1) for each in target)


def _lines(owner: str, record: RecordSet) -> Iterator[ResourceRecord]:
    return (ResourceRecord(owner, record.type, record.ttl or 0, value) for value in record.values)


def _parent(name: str) -> str:
    return name.partition(".")[2]


def _sample(records: Sequence[RecordSet], most: int, pick: Callable[[int], int]) -> Sequence[RecordSet]:
    left = list(records)
    return [left.pop(pick(len(left))) for _ in range(min(most, len(left)))]
