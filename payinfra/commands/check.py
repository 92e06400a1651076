"""Commands for policy checks."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from payinfra.checks.verdicts import Severity
from payinfra.commands import completion
from payinfra.commands.options import settings_from
from payinfra.commands.session import FailOnOption, FormatOption, session, stdout
from payinfra.core.errors import UsageProblem
from payinfra.core.project_folder import project_folder
from payinfra.core.setting_declarations import TOML_NAME, variable
from payinfra.report.formats import FORMAT_VARIABLE, FindingsFormat, Format

app = typer.Typer()
checks_app = typer.Typer(no_args_is_help=True, help="List and explain policy checks.")
app.add_typer(checks_app, name="checks")


@app.command()
def check(
    *,
    env: Annotated[
        str | None,
        typer.Option(help="Environment to synthesize and check, or to which the manifests belong."),
    ] = None,
    manifest: Annotated[
        list[Path] | None,
        typer.Option(help="Judge this file or folder of Terraform JSON; may be repeated."),
    ] = None,
    plan: Annotated[
        list[Path] | None,
        typer.Option(help="Judge this plan, as `terraform show -json` prints it; may be repeated."),
    ] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option(
            "--var", metavar="NAME=VALUE", help="Give a variable of the manifests; may be repeated."
        ),
    ] = None,
    variable_files: Annotated[
        list[Path] | None,
        typer.Option("--var-file", help="Take variables of the manifests from a file; may be repeated."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="Judge the Python files below this folder as well, and point findings into it."),
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Judge the stack for the embedded AWS.")] = False,
    protected: Annotated[
        bool | None,
        typer.Option(
            "--protected/--ephemeral",
            help="Whether the manifests are of a protected environment.",
            show_default=False,
        ),
    ] = None,
    ephemeral_patterns: Annotated[
        str | None,
        typer.Option(help="Names of throwaway environments, as patterns. Default: the project's setting."),
    ] = None,
    fail_on: FailOnOption = Severity.HIGH,
    select: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only these ids or globs; may be repeated.", autocompletion=completion.check_ids
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            help="Skip these ids or globs (reported as skipped); may be repeated.",
            autocompletion=completion.check_ids,
        ),
    ] = None,
    waivers: Annotated[
        Path | None, typer.Option(help="Waivers file. Default: payinfra-waivers.toml, if it exists.")
    ] = None,
    with_checkov: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Run this checkov too, and report its findings as advice."),
    ] = None,
    fmt: Annotated[
        FindingsFormat,
        typer.Option("--format", envvar=FORMAT_VARIABLE, help="Format of the findings on stdout."),
    ] = FindingsFormat.TABLE,
) -> None:
    """Check the synthesized Terraform against the payment policy."""
    from payinfra.checks.api import CheckRequest, run_checks
    from payinfra.report.findings import rendering

    manifests, plans = tuple(manifest or ()), tuple(plan or ())
    flags = {"env": env, "protected": protected, "ephemeral_patterns": ephemeral_patterns}
    if not manifests and not plans and source is None:
        settings = settings_from({**flags, "target": local or None})
        with session(settings) as view:
            manifests = (view.pipeline.synth().folder / "cdk.tf.json",)
        env, protected = settings.env, settings.protected
    outcome = run_checks(
        CheckRequest(
            manifests=manifests,
            plans=plans,
            variables=_given(variables or ()),
            variable_files=tuple(variable_files or ()),
            source=source,
            env=env,
            protected=protected,
            ephemeral=_throwaway(flags),
            select=tuple(select or ()),
            ignore=tuple(ignore or ()),
            waivers=waivers,
            project=project_folder(),
            checkov=with_checkov,
        )
    )
    if fmt is FindingsFormat.TABLE:
        rendering.write(stdout(), outcome, fmt, fail_on)
    else:  # Importing rich takes as long as checking a stack, and text for scripts does not need it.
        rendering.write_text(sys.stdout, outcome, fmt, fail_on)
    raise typer.Exit(outcome.exit_code(fail_on))


def _given(texts: Iterable[str]) -> dict[str, str]:
    """The variables of a command line. A value is never repeated in a message: it may be a secret.

    Raises:
        UsageProblem: one has no equals sign.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise UsageProblem("A --var has no name, or no equals sign.", "Write it as --var NAME=VALUE.")
        found[name.strip()] = value
    return found


def _throwaway(flags: Mapping[str, object]) -> tuple[str, ...]:
    """The names of throwaway environments, as the project sets them.

    Loading settings takes longer than checking a manifest: it is done only where the names may be set.
    """
    from payinfra.checks.manifest import EPHEMERAL

    name = "ephemeral_patterns"
    if (
        flags[name] is None
        and variable(name) not in os.environ
        and not (project_folder() / TOML_NAME).exists()
    ):
        return EPHEMERAL
    # Settings need an environment; a manifest without one is checked with those that all environments share.
    return settings_from({"env": flags["env"] or "unnamed", name: flags[name]}).ephemeral_patterns


@checks_app.command("list")
def checks_list(*, fmt: FormatOption = Format.TABLE) -> None:
    """List all checks."""
    from payinfra.checks import catalogue
    from payinfra.report import results
    from payinfra.report.findings import rules

    known = catalogue.load(project_folder())
    if fmt is Format.JSON:
        typer.echo(rules.render_json([rules.as_json(rule, known.types_of(rule.id)) for rule in known.rules]))
    else:
        results.write(stdout(), rules.listed(known.rules))


@checks_app.command("explain")
def checks_explain(
    check_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a check, such as PI-S3-001.")],
    *,
    fmt: FormatOption = Format.TABLE,
) -> None:
    """Explain a check: what it requires, why, and how to fix a finding."""
    from payinfra.checks import catalogue
    from payinfra.report.findings import rules

    known = catalogue.load(project_folder())
    rule = known.rule(check_id)
    types = known.types_of(rule.id)
    typer.echo(
        rules.render_json([rules.as_json(rule, types)])
        if fmt is Format.JSON
        else rules.explained(rule, types)
    )
