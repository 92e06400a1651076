"""Every format of a drill's report that is text, against its committed picture and its own rules."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, XMLPullParser

import pytest
from rich.console import Console

from payinfra.drill.model import (
    DrillReport,
    Judgement,
    Load,
    MachineLoad,
    Mark,
    Phase,
    PhaseTiming,
    Reconciliation,
    RecoveryTime,
    Restoration,
    Scenario,
)
from payinfra.drill.report_store import FILE, from_json
from payinfra.report import results
from payinfra.report.drill import content, rendering
from payinfra.report.formats import DrillFormat
from payinfra.report.printable import visible

PICTURES = Path(__file__).parent / "pictures"
FILES = {DrillFormat.TABLE: "txt", DrillFormat.MARKDOWN: "md", DrillFormat.JUNIT: "xml"}
EVIL = "a\x1b[31m\n\u202e|<b>`@all $x^2$ \"'&"


def written(report: DrillReport, how: DrillFormat, width: int = 100, *, is_terminal: bool = True) -> str:
    """What a console without colours gets."""
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=is_terminal, color_system=None, legacy_windows=False
    )
    rendering.write(console, report, how)
    return file.getvalue()


def evil(report: DrillReport) -> DrillReport:
    """The report with every free text as bad as it can be."""
    return replace(
        report,
        env=EVIL,
        command=EVIL,
        aborted=EVIL,
        lost_region=EVIL,
        took_over=EVIL + "2",
        reasons=(EVIL, "other " + EVIL),
        marks=(Mark(3.0, EVIL),),
        answers=(Mark(2.0, EVIL),),
        phases=(PhaseTiming(Phase.LOAD, 1.0, 2.0, None, EVIL),),
        restoration=Restoration((EVIL,), (EVIL,), EVIL),
        reconciliation=Reconciliation(1, 1, {}, (EVIL,), 0, (EVIL,)),
    )


@pytest.mark.parametrize("kind", ["failed", "aborted", "reversed", "perfect", "paused"])
@pytest.mark.parametrize("how", list(FILES))
def test_a_format_looks_as_it_did(how: DrillFormat, kind: str, samples: Mapping[str, DrillReport]) -> None:
    picture = (PICTURES / f"{kind}.{FILES[how]}").read_text(encoding="utf-8")

    assert written(samples[kind], how) == picture


@pytest.mark.parametrize("how", list(DrillFormat))
def test_no_format_lets_a_control_character_through(how: DrillFormat, perfect: DrillReport) -> None:
    text = written(evil(perfect), how)

    assert {one for one in text if not one.isprintable()} <= {"\n"}


def test_only_a_console_draws_a_table(perfect: DrillReport) -> None:
    with pytest.raises(ValueError, match="drawn on a console"):
        rendering.text(perfect, DrillFormat.TABLE)


def test_json_is_the_document_that_is_read_again(sample: DrillReport) -> None:
    assert from_json(written(sample, DrillFormat.JSON)) == sample


class TestTable:
    """For a terminal."""

    @pytest.mark.parametrize("width", [60, 80, 200])
    def test_it_fits(self, width: int, sample: DrillReport) -> None:
        lines = written(sample, DrillFormat.TABLE, width).splitlines()
        # A command is whole, however wide: it is copied.
        assert max(len(line) for line in lines if not line.startswith("  payinfra ")) <= width

    @pytest.mark.parametrize("width", [60, 80])
    def test_no_word_is_broken_on_a_narrow_terminal(self, width: int, perfect: DrillReport) -> None:
        phases = next(one for one in content.sections(perfect) if one.title == "Phases")
        text = written(perfect, DrillFormat.TABLE, width)
        known = set(written(perfect, DrillFormat.TABLE, 400).replace(":", " ").split())
        assert set(text.replace(":", " ").split()) - known == set()
        for name, *_, detail in phases.rows:
            if detail and width == 60:
                assert f"  {name}: {detail.split()[0]}" in text

    def test_the_verdicts_and_why_come_last_with_the_next_step(self, failed: DrillReport) -> None:
        text = written(failed, DrillFormat.TABLE)
        end = text[text.index("resilience FAIL   restoration FAIL") :]
        assert all(reason in end for reason in failed.reasons)
        assert "payinfra failover-drill --restore --env demo --local" in end
        assert "payinfra verify --env demo --local" in end

    def test_a_good_drill_has_nothing_to_put_back(self, perfect: DrillReport) -> None:
        text = written(replace(perfect, target="aws"), DrillFormat.TABLE)
        assert "--restore" not in text
        assert f"payinfra drills show {perfect.id} --env demo --format html" in text
        assert perfect.command in text

    def test_why_it_was_aborted_is_said_once(self, aborted: DrillReport) -> None:
        assert content.why(aborted) == (f"Aborted: {aborted.aborted}", aborted.reasons[1])

    def test_in_a_pipe_a_row_is_a_line_with_tabs_and_nothing_is_folded_cut_or_padded(
        self, sample: DrillReport
    ) -> None:
        lines = written(sample, DrillFormat.TABLE, results.WIDE, is_terminal=False).split("\n")
        asked, happened, *_ = content.overview(sample)
        for section in (*content.sections(sample), asked, happened):
            where = lines.index(section.title) + 1
            rows = (*((section.columns,) if section.rows and any(section.columns) else ()), *section.rows)
            expected = [*("\t".join(map(visible, row)) for row in rows), *map(visible, section.sentences)]
            assert lines[where : where + len(expected)] == expected
        assert not [line for line in lines if line.endswith(" ")]

    def test_a_file_is_a_pipe(self, sample: DrillReport, tmp_path: Path) -> None:
        rendering.write_file(tmp_path / "drill.txt", sample, DrillFormat.TABLE)
        piped = written(sample, DrillFormat.TABLE, results.WIDE, is_terminal=False)
        assert (tmp_path / "drill.txt").read_text(encoding="utf-8") == piped


class TestFigures:
    """What the tables say."""

    def test_a_recovery_time_is_met_missed_never_seen_or_not_asked_for(self, perfect: DrillReport) -> None:
        def said(report: DrillReport) -> str:
            return content.recovery(report).rows[0][-1]

        missed = replace(perfect, recovery=RecoveryTime(97.0, 90.0, 90.1))
        never = replace(perfect, recovery=RecoveryTime(97.0, 97.0, None))
        moved = replace(perfect, recovery=replace(perfect.recovery, is_recovery=False))
        # Reports of version 1 knew no clients: there the scenario says whether anybody had to move.
        before = replace(perfect, recovery=RecoveryTime(97.0, 97.0, 90.0))
        pause = replace(before, scenarios=(Scenario.REPLICATION_PAUSE,))
        reverse = replace(before, reverse=True)
        assert [said(one) for one in (perfect, missed, never, before)] == ["met", "MISSED", "never", "met"]
        nobody = "nobody has to recover in this drill"
        assert [said(one) for one in (moved, pause, reverse)] == [nobody] * 3

    def test_a_machine_that_says_little_is_shown_with_what_it_says(self, perfect: DrillReport) -> None:
        quiet = content.machine(replace(perfect, machine=MachineLoad(0.004, 0.021)))
        assert [row[1] for row in quiet.rows] == ["4 ms", "21 ms"]

    def test_lost_payments_are_held_against_what_is_allowed(
        self, failed: DrillReport, aborted: DrillReport
    ) -> None:
        def said(report: DrillReport) -> tuple[str, str]:
            row = content.recovery(report).rows[1]
            return row[1], row[-1]

        assert said(failed) == ("2", "MISSED")
        assert said(replace(failed, rpo=2)) == ("2", "met")
        assert said(aborted) == ("unknown", "not known")

    @pytest.mark.parametrize(
        ("value", "shown"),
        [(1.0, "100.00 %"), (0.99999, "99.99 %"), (0.29, "29.00 %"), (0.57, "57.00 %"), (0.0, "0.00 %")],
    )
    def test_a_share_is_never_rounded_up(self, value: float, shown: str) -> None:
        assert content.share(value) == shown

    def test_moments_are_numbered_through_in_the_order_of_time(self, perfect: DrillReport) -> None:
        shuffled = replace(
            perfect, marks=(Mark(9.0, "b"), Mark(1.0, "a")), answers=(Mark(5.0, "d"), Mark(4.0, "c"))
        )
        happened, said = content.moments(shuffled)
        assert happened.rows == (("1", "1.0 s", "a"), ("2", "9.0 s", "b"))
        assert said.rows == (("3", "4.0 s", "c"), ("4", "5.0 s", "d"))
        assert content.moments(replace(perfect, marks=()))[0].sentences == ("Nothing was recorded.",)

    def test_every_report_states_how_fast_time_ran(self, samples: Mapping[str, DrillReport]) -> None:
        for how in (DrillFormat.TABLE, DrillFormat.MARKDOWN):
            real, scaled = written(samples["perfect"], how), written(samples["reversed"], how)
            assert "at its real speed" in real
            assert "10 times faster than real; every figure is in real seconds" in scaled


class TestMarkdown:
    """For a job's summary."""

    def test_nothing_in_a_text_is_markup_or_a_mention(self, perfect: DrillReport) -> None:
        text = written(evil(perfect), DrillFormat.MARKDOWN)
        outside = [line for line in text.splitlines() if not line.startswith("- ")]
        assert "<b>" not in "\n".join(outside)
        assert "@all" not in "\n".join(outside)

    def test_a_command_is_code_that_no_backtick_ends(self, perfect: DrillReport) -> None:
        text = written(replace(perfect, command="payinfra `x` @all <b>"), DrillFormat.MARKDOWN)
        assert "`payinfra x @all <b>`" in text

    def test_every_row_has_as_many_cells_as_its_heading(self, sample: DrillReport) -> None:
        width = 0
        for line in written(sample, DrillFormat.MARKDOWN).splitlines():
            if line.startswith("|"):
                width = width or line.count("|")
                assert line.replace("\\|", "").count("|") == width
            else:
                width = 0


def parsed_xml(text: str) -> Element:
    """The document's root."""
    parser: XMLPullParser[Element] = XMLPullParser(["end"])
    parser.feed(text)
    parser.close()
    roots = [one for event in parser.read_events() if isinstance(one := event[-1], Element)]
    return roots[-1]


class TestJunit:
    """What CI systems read."""

    def outcomes(self, report: DrillReport) -> dict[str, str]:
        """What became of each promise: `passed`, or the tag that says what else."""
        suite = parsed_xml(written(report, DrillFormat.JUNIT))[0]
        return {
            str(case.get("name")): case[0].tag if len(case) else "passed"
            for case in suite.iter("testcase")
            if "phases" not in str(case.get("classname"))
        }

    def test_a_perfect_drill_passes_every_case(self, perfect: DrillReport) -> None:
        assert set(self.outcomes(perfect).values()) == {"passed"}

    def test_each_broken_promise_fails_by_itself(self, failed: DrillReport) -> None:
        assert self.outcomes(failed) == {
            "resilience": "failure",
            "restoration": "failure",
            "the other region serves within 90.0 s": "failure",
            "no more acknowledged payments are lost than allowed": "failure",
            "no payment is there twice": "failure",
            "both regions have the same payments": "passed",
        }
        tolerant = self.outcomes(replace(failed, rpo=2))
        assert tolerant["no more acknowledged payments are lost than allowed"] == "passed"
        assert tolerant["no payment is there twice"] == "failure"

    def test_what_nobody_could_judge_is_an_error_and_what_was_not_asked_is_skipped(
        self, aborted: DrillReport, samples: Mapping[str, DrillReport]
    ) -> None:
        assert self.outcomes(aborted) == {
            "resilience": "failure",
            "restoration": "passed",
            "the other region serves within 97.0 s": "failure",
            "no more acknowledged payments are lost than allowed": "error",
            "no payment is there twice": "error",
            "both regions have the same payments": "error",
        }
        assert list(self.outcomes(samples["paused"]).values()).count("skipped") == 1

    def test_a_restoration_that_left_nothing_but_an_unsteady_state_says_why(
        self, perfect: DrillReport
    ) -> None:
        unsteady = replace(perfect, restored=Judgement.FAILED, reasons=("The alarm rings.",))
        assert 'message="The alarm rings."' in written(unsteady, DrillFormat.JUNIT)

    def test_its_counts_and_times_are_those_of_its_cases(self, failed: DrillReport) -> None:
        suite = parsed_xml(written(failed, DrillFormat.JUNIT))[0]
        assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
            "tests": str(6 + len(failed.phases)),
            "failures": "5",
            "errors": "0",
            "skipped": "0",
            "time": "262.400",
        }
        times = [case.get("time") for case in suite.iter("testcase") if case.get("name") == "hold"]
        assert times == ["30.000"]


class TestFiles:
    """What a drill leaves in its folder."""

    def test_three_files_for_their_owner_only(self, perfect: DrillReport, tmp_path: Path) -> None:
        written = rendering.write_reports(tmp_path / perfect.id, perfect)
        assert [file.name for file in written] == [FILE, "report.md", "report.html"]
        assert {file.stat().st_mode & 0o777 for file in written} == {0o600}
        assert written[2].read_text(encoding="utf-8").startswith("<!doctype html>")

    def test_a_drawing_that_fails_does_not_cost_the_json(self, perfect: DrillReport, tmp_path: Path) -> None:
        broken = replace(
            perfect, load=Load(0, 0.0, 0.0, 0.0, None, None, None, ticks=()), seconds=float("nan")
        )
        with pytest.raises(ValueError, match=r"."):
            rendering.write_reports(tmp_path, broken)
        assert json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["id"] == perfect.id

    def test_a_table_in_a_file_is_plain_text(self, failed: DrillReport, tmp_path: Path) -> None:
        rendering.write_file(tmp_path / "drill.txt", failed, DrillFormat.TABLE)
        text = (tmp_path / "drill.txt").read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert "resilience FAIL   restoration FAIL" in text
