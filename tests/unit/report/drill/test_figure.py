"""What the drawings of a drill are made of: columns, numbers, and where everything is put."""

import re
from collections.abc import Mapping
from dataclasses import replace
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.drill.model import DrillReport, Mark, Phase, PhaseTiming, RecoveryTime, Tick
from payinfra.report.drill.canvas import MEDIUM, NARROW, SIZES, WIDE, Canvas, Ink, width_of
from payinfra.report.drill.figure import badges, binned, injected, recovery_at, timeline_at
from tests.unit.report.drill.conftest import PERFECT

EAST, WEST = "us-east-1", "us-west-2"


def with_ticks(report: DrillReport, *ticks: Tick) -> DrillReport:
    return replace(report, load=replace(report.load, ticks=ticks))


def drawn(report: DrillReport, size: str = "wide") -> str:
    """The timeline for one width."""
    return timeline_at(report, next(each for each in SIZES if each.name == size))


class TestColumns:
    """Seconds of load, as many to a column as need be."""

    @given(
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=60),
        st.integers(1, 9),
    )
    def test_no_attempt_is_lost(self, served: list[tuple[int, int, int]], seconds: int) -> None:
        report = with_ticks(
            PERFECT,
            *(Tick(7.0 + at, {EAST: east, WEST: west}, bad) for at, (east, west, bad) in enumerate(served)),
        )
        columns = binned(report, seconds)
        for name, index in (("lost", 0), ("other", 1), ("bad", 2)):
            total = sum(getattr(column, name) * column.seconds for column in columns)
            assert total == pytest.approx(sum(one[index] for one in served))
        assert sum(column.seconds for column in columns) == len(served)

    def test_a_second_that_was_not_recorded_is_a_hole_and_not_left_out(self, perfect: DrillReport) -> None:
        columns = binned(with_ticks(perfect, Tick(3.0, {EAST: 5}, 0), Tick(5.0, {EAST: 5}, 1)), 1)
        assert [(column.begin_s, column.lost, column.bad) for column in columns] == [
            (3, 5.0, 0.0),
            (4, 0.0, 0.0),
            (5, 5.0, 1.0),
        ]

    def test_latency_is_the_typical_one_and_the_worst_one(self, perfect: DrillReport) -> None:
        report = with_ticks(
            perfect,
            Tick(0.0, {EAST: 1}, 0, 0.010, 0.020),
            Tick(1.0, {EAST: 1}, 0, 0.030, 0.090),
            Tick(2.0, {}, 5),
        )
        first, second = binned(report, 2)
        assert (first.p50_ms, first.p95_ms) == (20.0, 90.0)
        assert isnan(second.p50_ms)
        assert "p50 20 ms, p95 90 ms" in first.told
        assert "p50" not in second.told

    def test_what_can_be_read_about_a_column(self, perfect: DrillReport) -> None:
        (column,) = binned(with_ticks(perfect, Tick(62.0, {WEST: 4, "elsewhere\n": 2}, 1)), 1)
        assert column.told.splitlines() == [
            "62 to 63 s",
            "us-east-1: 0",
            "us-west-2: 4",
            "elsewhere\\n: 2",
            "failed or not answered: 1",
        ]
        assert column.elsewhere == 2

    def test_no_load_is_no_column(self, perfect: DrillReport) -> None:
        assert binned(with_ticks(perfect), 1) == []


class TestNumbers:
    """The numbers of what happened."""

    @given(
        st.lists(st.floats(0, 400), max_size=60),
        st.sampled_from([size.plot for size in SIZES]),
        st.integers(1, 200),
    )
    def test_none_covers_another_and_none_is_missing(
        self, moments: list[float], plot: int, first: int
    ) -> None:
        marks = [(number, Mark(at_s, "x")) for number, at_s in enumerate(sorted(moments), first)]
        placed = badges(marks, plot / 400, plot)

        assert [mark for badge in placed for mark in badge.marks] == marks
        boxes = [
            (badge.lane, badge.middle_px - badge.width_px / 2, badge.middle_px + badge.width_px / 2)
            for badge in placed
        ]
        assert all(begin >= -0.001 and end <= plot + 0.001 for _, begin, end in boxes)
        for number, (lane, begin, end) in enumerate(boxes):
            for other_lane, other_begin, other_end in boxes[number + 1 :]:
                assert lane != other_lane or end <= other_begin or other_end <= begin

    def test_what_is_too_near_shares_a_number(self) -> None:
        marks = [(3, Mark(10.0, "a")), (4, Mark(10.2, "b")), (5, Mark(200.0, "c"))]
        assert [badge.label for badge in badges(marks, 2.0, 850)] == ["3\N{EN DASH}4", "5"]

    def test_a_number_has_the_colour_of_the_one_region_that_it_names(self, perfect: DrillReport) -> None:
        report = replace(
            perfect,
            marks=(Mark(20.0, f"{EAST} fails"), Mark(90.0, f"{WEST} serves"), Mark(160.0, f"{EAST}, {WEST}")),
            answers=(),
        )
        svg = drawn(report)
        colours = []
        for number in (1, 2, 3):
            shape = re.search(
                rf'id="timeline-wide-mark-{number}".*?stroke: var\(--([a-z]+)\)', svg, re.DOTALL
            )
            assert shape is not None
            colours.append(shape[1])
        assert colours == ["lost", "other", "muted"]


class TestTimeline:
    """The whole drawing, at every width."""

    @pytest.mark.parametrize("size", [size.name for size in SIZES])
    def test_every_phase_and_every_prediction_is_drawn_and_named(
        self, size: str, sample: DrillReport
    ) -> None:
        svg = drawn(sample, size)
        for number, timing in enumerate(sample.phases):
            assert f'id="timeline-{size}-phase-{number}"' in svg
            assert f">{timing.phase.value}</text>" in svg
            predicted = f'id="timeline-{size}-predicted-{number}"' in svg
            assert predicted == (timing.predicted_s is not None)

    def test_a_prediction_beyond_the_end_does_not_stretch_the_drill(self, perfect: DrillReport) -> None:
        late = PhaseTiming(Phase.RECONCILE, 233.8, 28.6, 5000.0)
        stretched = drawn(replace(perfect, phases=(*perfect.phases[:-1], late)))
        assert ">240</text>" in stretched
        assert ">1000</text>" not in stretched
        assert ">28.6 / 5000.0</text>" in stretched

    def test_only_what_was_there_is_drawn(self, samples: Mapping[str, DrillReport]) -> None:
        def series(report: DrillReport) -> set[str]:
            return set(re.findall(r'class="attempts-([a-z]+)"', drawn(report)))

        assert series(samples["perfect"]) == {"lost", "other", "bad"}
        assert series(samples["reversed"]) == {"other"}
        assert series(samples["paused"]) == {"lost", "other"}
        elsewhere = with_ticks(samples["paused"], Tick(3.0, {"eu-west-1": 1}, 0))
        assert series(elsewhere) == {"elsewhere"}

    def test_where_nothing_was_acknowledged_it_says_so(self, perfect: DrillReport) -> None:
        silent = with_ticks(perfect, Tick(3.0, {}, 5), Tick(4.0, {}, 5))
        assert "no attempt was acknowledged" in drawn(silent)
        assert "no attempt was acknowledged" not in drawn(perfect)

    def test_a_drill_that_did_nothing_can_be_drawn(self, perfect: DrillReport) -> None:
        nothing = replace(with_ticks(perfect), phases=(), marks=(), answers=(), seconds=0.0)
        assert "no attempt was acknowledged" in drawn(nothing)

    def test_an_hour_has_no_more_columns_than_there_is_room_for(self, perfect: DrillReport) -> None:
        hour = with_ticks(perfect, *(Tick(float(at), {EAST: 5}, 0, 0.03, 0.09) for at in range(3600)))
        hints = drawn(hour).count('class="hint"')
        assert 100 < hints <= WIDE.plot / 3 + 1

    def test_each_second_can_be_read_by_a_pointer_where_there_is_one(self, perfect: DrillReport) -> None:
        assert drawn(perfect).count('class="hint"') == len(perfect.load.ticks)
        assert "<title>17 to 18 s\nus-east-1: 0\nus-west-2: 0\nfailed or not answered: 7</title>" in drawn(
            perfect
        )
        assert 'class="hint"' not in drawn(perfect, NARROW.name)

    def test_what_happened_can_be_read_by_a_pointer(self, perfect: DrillReport) -> None:
        assert (
            f"<title>1: 17.4 s {perfect.marks[0].what}\n2: 18.0 s {perfect.marks[1].what}</title>"
            in drawn(perfect)
        )

    def test_a_stage_is_named_where_there_is_room(self, perfect: DrillReport) -> None:
        assert ">fault in place</text>" in drawn(perfect)
        assert ">before</text>" in drawn(perfect)
        assert ">before</text>" not in drawn(perfect, NARROW.name)

    def test_those_who_do_not_see_it_are_told_what_it_is(self, perfect: DrillReport) -> None:
        label = 'role="img" aria-label="Timeline of the drill, 262.4 s long."'
        assert label in drawn(perfect)
        assert label in drawn(perfect, NARROW.name)


class TestRecovery:
    """Predicted and measured, side by side."""

    def test_it_says_all_three_times(self, perfect: DrillReport) -> None:
        label = 'aria-label="Recovery: predicted 97.0 s, measured 92.0 s, objective 97.0 s."'
        for size in SIZES:
            svg = recovery_at(perfect, size)
            assert label in svg
            assert ">predicted: 97.0 s</text>" in svg
            assert ">measured: 92.0 s</text>" in svg

    def test_a_region_that_never_served_has_no_whole(self, aborted: DrillReport) -> None:
        svg = recovery_at(aborted, WIDE)
        assert ">measured: never</text>" in svg
        assert 'id="recovery-wide-whole-predicted"' in svg
        assert 'id="recovery-wide-whole-measured"' not in svg

    def test_a_part_is_named_where_there_is_room(self, perfect: DrillReport) -> None:
        svg = recovery_at(perfect, WIDE)
        assert ">27.6 s</text>" in svg
        assert ">0.7 s</text>" not in svg

    def test_an_objective_at_the_edge_is_written_whole(self, perfect: DrillReport) -> None:
        for objective in (1.0, 97.0, 3000.0):
            report = replace(perfect, recovery=RecoveryTime(97.0, objective, 92.0))
            for svg in (recovery_at(report, size) for size in SIZES):
                told = re.search(r'x="([\d.]+)"[^>]*>objective', svg)
                assert told is not None
                width = float(re.findall(r'viewBox="0 0 (\d+)', svg)[0])
                half = width_of(f"objective {objective:.1f} s", "bold") / 2
                assert half - 1 <= float(told[1]) <= width - half + 1

    def test_it_is_counted_from_where_the_measuring_began(
        self, perfect: DrillReport, aborted: DrillReport
    ) -> None:
        assert injected(perfect) == pytest.approx(17.4)
        later = (*perfect.phases[:5], PhaseTiming(Phase.SERVING, 46.3, 63.2, 65.0))
        assert injected(replace(perfect, phases=later)) == pytest.approx(17.5)
        assert injected(aborted) == pytest.approx(17.4)
        assert injected(replace(aborted, phases=())) == 0.0


class TestCanvas:
    """The drawing itself."""

    def test_text_is_never_a_formula(self) -> None:
        canvas = Canvas(MEDIUM, 60)
        canvas.text(0, 0, "$\\alpha$ & <b>\x00")
        assert ">$\\alpha$ &amp; &lt;b&gt;\\x00</text>" in canvas.svg("x", 'a "label"')
        assert 'aria-label="a &quot;label&quot;"' in canvas.svg("x", 'a "label"')

    def test_colours_can_be_told_apart(self) -> None:
        assert len({ink.css for ink in Ink}) == len(Ink)

    def test_a_width_is_that_of_the_widest_font(self) -> None:
        assert width_of("") == 0
        assert width_of("health check unhealthy") > width_of("health check")
        assert width_of("objective", "bold") > width_of("objective")
