"""Commands for policy checks."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from payinfra.checks.verdicts import Severity
from payinfra.commands import completion
from payinfra.commands.options import STACK, settings_from, with_flags
from payinfra.commands.session import FailOnOption, FormatOption, session, stdout
from payinfra.core.errors import UsageProblem
from payinfra.core.project_folder import project_folder
from payinfra.core.setting_declarations import TOML_NAME, variable
from payinfra.report.formats import FORMAT_VARIABLE, CatalogueFormat, FindingsFormat, Format

app = typer.Typer()
checks_app = typer.Typer(no_args_is_help=True, help="List and explain policy checks.")
app.add_typer(checks_app, name="checks")


ABOUT_FILES = frozenset(("env", "target", "protected", "ephemeral_patterns", "work_root"))
"""Settings that say what files are of, which were not made from settings."""


@app.command()
@with_flags(STACK)
def check(
    flags: Mapping[str, object],
    *,
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
    """Check the stack that the flags and settings describe, or Terraform files, against the payment policy.

    With --manifest, --plan or --source the stack is not synthesized. Then --env, --protected and --ephemeral
    say what the files are of.
    """
    from payinfra.checks.api import CheckRequest, run_checks
    from payinfra.report.findings import rendering

    manifests, plans = tuple(manifest or ()), tuple(plan or ())
    env, protected = flags["env"], flags["protected"]
    if not manifests and not plans and source is None:
        settings = settings_from(flags)
        with session(settings) as view:
            manifests = (view.pipeline.synth().manifest,)
        env, protected = settings.env, settings.protected
    elif idle := sorted({name for name in flags if flags[name] is not None} - ABOUT_FILES):
        raise UsageProblem(
            f"--{idle[0].replace('_', '-')} is about the stack, and files were given to be judged.",
            "Leave it out, or leave out --manifest, --plan and --source.",
        )
    outcome = run_checks(
        CheckRequest(
            manifests=manifests,
            plans=plans,
            variables=_given(variables or ()),
            variable_files=tuple(variable_files or ()),
            source=source,
            env=None if env is None else str(env),
            protected=None if protected is None else bool(protected),
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
def checks_list(
    *,
    own: Annotated[
        bool,
        typer.Option(
            "--own", help="Only those of the project and of installed packages, their probes included."
        ),
    ] = False,
    fmt: Annotated[
        CatalogueFormat,
        typer.Option("--format", envvar=FORMAT_VARIABLE, help="Format of the result on stdout."),
    ] = CatalogueFormat.TABLE,
) -> None:
    """List all checks, or with --own the checks and probes that were added to payinfra's."""
    from payinfra.checks import catalogue, docs, plugins
    from payinfra.report import results
    from payinfra.report.findings import rules

    project = project_folder()
    if own:
        added = plugins.found_in(project)
        listed = [(one.rule, getattr(one, "on", ())) for one in added]
    else:
        known = catalogue.load(project)
        listed = [(rule, known.types_of(rule.id)) for rule in known.rules]
    match fmt:
        case CatalogueFormat.JSON:
            typer.echo(rules.render_json([rules.as_json(rule, types) for rule, types in listed]))
        case CatalogueFormat.MARKDOWN:
            typer.echo(docs.own_page(added, project) if own else docs.page(known), nl=False)
        case CatalogueFormat.TABLE:
            results.write(stdout(), rules.listed([rule for rule, _ in listed]))


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
    if fmt is Format.JSON:
        typer.echo(rules.render_json([rules.as_json(rule, types)]))
    else:
        rules.write_lines(stdout(), rules.explained(rule, types))
