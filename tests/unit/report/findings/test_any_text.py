"""Whatever is in a finding's texts, every format still parses and shows no control character."""

import io
import json
from xml.etree.ElementTree import Element, XMLPullParser

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from payinfra.checks.outcome import Finding, Outcome, Waived, summarize
from payinfra.checks.verdicts import Kind, Severity
from payinfra.report.findings import rendering
from payinfra.report.formats import FindingsFormat

# Surrogates and control characters too: what JSON text can hold, a manifest's names can.
TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["\x1b[2J", "]]>", "::error::", "%0A", "| a |", "<!--", "[link](x)", "\u2028", "[bold]", "\ud800"]
)


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT, TEXT, TEXT)
def test_any_text_is_only_text(address: str, message: str, file: str, reason: str) -> None:
    finding = Finding(
        "PI-A-001", Kind.FAIL, Severity.HIGH, "Title", address, message, "Fix", "Risk", (), message, file
    )
    outcome = Outcome(
        "check",
        (finding,),
        (Waived(finding, reason, reason, "2026-12-31"),),
        (),
        summarize(()),
        (reason,),
        (file,),
    )
    made = {}
    for how in FindingsFormat:
        out = io.StringIO()
        rendering.write(Console(file=out, width=100, color_system=None), outcome, how, Severity.HIGH)
        made[how] = out.getvalue()

    assert all(one.isprintable() or one == "\n" for text in made.values() for one in text)
    assert json.loads(made[FindingsFormat.JSON])["findings"][0]["address"] == address
    assert len(json.loads(made[FindingsFormat.SARIF])["runs"][0]["results"]) == 2
    parser: XMLPullParser[Element] = XMLPullParser()
    parser.feed(made[FindingsFormat.JUNIT])
    parser.close()
    lines = made[FindingsFormat.GITHUB].splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error"]
