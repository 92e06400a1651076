"""What must hold for every zone, every state of health and every draw."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from payinfra.core.region_geography import nearest_first
from payinfra.local.server.route53.answers import Circumstances, DnsAnswerSections, ResponseCode, answer
from payinfra.local.server.route53.state import AliasTarget, Failover, RecordSet, Zone

APEX = "pay.example."
NAME = "api." + APEX
# A busy machine may take its time over one example.
QUICK = settings(deadline=None, max_examples=60)
REGIONS = ["us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1"]
SOA = RecordSet(APEX, "SOA", 900, ("ns. host. 1 7200 900 1209600 60",))


def zone_of(*records: RecordSet) -> Zone:
    return Zone("Z1", APEX, False, (SOA, *records))


def record(index: int) -> RecordSet:
    return RecordSet(NAME, "A", 60, (f"192.0.2.{index}",), f"set-{index}", health_check_id=f"hc-{index}")


@st.composite
def groups(draw: st.DrawFn) -> tuple[RecordSet, ...]:
    """The records of one name under any policy, in any order, some without a health check."""
    policy = draw(st.sampled_from(["weighted", "failover", "latency", "multivalue", "simple"]))
    size = {"failover": 2, "latency": len(REGIONS), "simple": 1}.get(policy) or draw(st.integers(1, 10))
    records = [record(index) for index in range(size)]
    match policy:
        case "weighted":
            records = [replace(each, weight=draw(st.integers(0, 255))) for each in records]
        case "failover":
            records = [
                replace(each, failover=role) for each, role in zip(records, tuple(Failover), strict=True)
            ]
        case "latency":
            records = [replace(each, region=region) for each, region in zip(records, REGIONS, strict=True)]
        case "multivalue":
            records = [replace(each, multivalue=True) for each in records]
    records = [replace(each, health_check_id=None) if draw(st.booleans()) else each for each in records]
    return tuple(draw(st.permutations(records)))


HEALTH = st.frozensets(st.integers(0, 9).map(lambda index: f"hc-{index}"))
CHANCE = st.floats(0, 0.999)
CLIENT = st.sampled_from([*REGIONS, "sa-east-1", "xx-unknown-1"])


def ask(zone: Zone, sick: frozenset[str], chance: float, client: str, name: str = NAME) -> DnsAnswerSections:
    around = Circumstances(
        is_healthy=lambda check: check not in sick,
        client_region=client,
        pick=lambda total: int(chance * total),
    )
    return answer(zone, name, "A", around)


def values(given_answer: DnsAnswerSections) -> set[str]:
    return {line.value for line in given_answer.records}


@QUICK
@given(groups(), HEALTH, CHANCE, CLIENT)
def test_there_is_always_an_answer_from_the_group(
    group: tuple[RecordSet, ...], sick: frozenset[str], chance: float, client: str
) -> None:
    found = ask(zone_of(*group), sick, chance, client)
    assert found.code is ResponseCode.NOERROR
    assert values(found)
    assert values(found) <= {value for each in group for value in each.values}


@QUICK
@given(groups(), HEALTH, CHANCE, CLIENT)
def test_an_unhealthy_record_is_never_answered_while_a_healthy_one_exists(
    group: tuple[RecordSet, ...], sick: frozenset[str], chance: float, client: str
) -> None:
    healthy = {value for each in group if each.health_check_id not in sick for value in each.values}
    if healthy:
        assert values(ask(zone_of(*group), sick, chance, client)) <= healthy


@QUICK
@given(groups(), CHANCE, CLIENT)
def test_all_unhealthy_is_all_healthy(group: tuple[RecordSet, ...], chance: float, client: str) -> None:
    checked = tuple(replace(each, health_check_id="hc-0") for each in group)
    well = ask(zone_of(*checked), frozenset(), chance, client)
    assert ask(zone_of(*checked), frozenset({"hc-0"}), chance, client) == well


@QUICK
@given(groups(), HEALTH, CHANCE, CLIENT)
def test_evaluating_aliases_reach_the_same_answer_as_their_target(
    group: tuple[RecordSet, ...], sick: frozenset[str], chance: float, client: str
) -> None:
    pointer = RecordSet("www." + APEX, "A", alias=AliasTarget("Z1", NAME, True))
    zone = zone_of(*group, pointer)
    direct = ask(zone, sick, chance, client)
    through = ask(zone, sick, chance, client, pointer.name)
    assert [(line.ttl, line.value) for line in through.records] == [
        (line.ttl, line.value) for line in direct.records
    ]


@QUICK
@given(HEALTH, CLIENT)
def test_latency_skips_to_the_nearest_of_the_healthy(sick: frozenset[str], client: str) -> None:
    group = [replace(record(index), region=region) for index, region in enumerate(REGIONS)]
    usable = [each for each in group if each.health_check_id not in sick] or group
    nearest = nearest_first([each.region or "" for each in usable], client)[0]
    expected = next(each for each in usable if each.region == nearest)
    assert values(ask(zone_of(*group), sick, 0, client)) == set(expected.values)


@QUICK
@given(st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_every_draw_is_spread_by_weight(weights: list[int]) -> None:
    group = [replace(record(index), weight=weight) for index, weight in enumerate(weights)]
    total = sum(weights)
    if total:
        drawn = [ask_with(zone_of(*group), pick) for pick in range(total)]
        assert [drawn.count(f"192.0.2.{index}") for index in range(len(weights))] == weights


def ask_with(zone: Zone, pick: int) -> str:
    around = Circumstances(is_healthy=lambda _: True, client_region="us-east-1", pick=lambda _: pick)
    return answer(zone, NAME, "A", around).records[0].value
