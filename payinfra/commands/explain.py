"""The command that explains an id: of a policy check, of a check of source files, or of a live probe."""

from typing import TYPE_CHECKING, Annotated

import typer

from payinfra.commands import completion
from payinfra.commands.session import FormatOption, stdout
from payinfra.core.errors import UsageProblem, did_you_mean
from payinfra.core.project_folder import project_folder
from payinfra.report.formats import Format

if TYPE_CHECKING:
    from payinfra.report.findings.rules import Explanation

app = typer.Typer()


@app.command()
def explain(
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Id of a check or a probe, such as PI-S3-001 or LIVE-DDB-002.",
            autocompletion=completion.all_ids,
        ),
    ],
    *,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Explain a policy check or a live probe: what it requires, why, and how to fix a finding."""
    from payinfra.report.findings import rules

    found = {one.rule.id: one for one in explanations()}
    wanted = id.strip().upper()
    if wanted not in found:
        raise UsageProblem(
            f"There is no check or probe {id!r}{did_you_mean(wanted, found) or '.'}",
            "`payinfra checks list` lists the checks, with --own those that were added, and their probes; "
            "docs/verify.md lists payinfra's probes.",
        )
    one = found[wanted]
    if fmt is Format.JSON:
        typer.echo(rules.render_explanation(one))
    else:
        rules.write_lines(stdout(), rules.explanation(one))


def explanations() -> "tuple[Explanation, ...]":
    """All checks, then all probes."""
    from payinfra.checks import catalogue, plugins
    from payinfra.checks.probes import verify
    from payinfra.checks.probes.drift import DRIFT
    from payinfra.checks.probes.drill_faults import DRILL_FAULTS
    from payinfra.checks.probes.outage import ANSWERS
    from payinfra.report.findings.rules import Explanation, Subject

    project = project_folder()
    known = catalogue.load(project)
    return (
        *(
            Explanation(
                one.rule,
                Subject.MANIFEST,
                types=known.types_of(one.rule.id),
                defined_at=plugins.defined_at(one, project),
            )
            for one in known.policy
        ),
        *(Explanation(one.rule, Subject.SOURCE) for one in known.source),
        *(
            Explanation(
                one.rule,
                Subject.LIVE,
                within_s=one.within_s,
                defined_at=plugins.defined_at(one, project),
            )
            for one in verify.load(project)
        ),
        Explanation(ANSWERS, Subject.LIVE),
        Explanation(DRIFT, Subject.LIVE),
        Explanation(DRILL_FAULTS, Subject.LIVE),
    )
