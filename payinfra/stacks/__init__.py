"""The stack in CDKTF. Importing this package loads neither cdktf nor its bindings; `synthesize` does."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.naming import regions_used

if TYPE_CHECKING:
    from payinfra.clients.aws import Endpoints
    from payinfra.core.canary_contract import CanaryContract
    from payinfra.core.settings import Settings
    from payinfra.stacks.extension import Extend

ZIP_NAME = "payments.zip"
"""Beside the synthesized file, which names it by this relative path."""


def stack_folder(out: Path, settings: "Settings") -> Path:
    """Where a synthesis into `out` puts the stack's cdk.tf.json and the function's zip."""
    return out / "stacks" / settings.names.stack


def synthesize(
    settings: "Settings",
    *,
    out: Path,
    endpoints: "Endpoints | None" = None,
    handlers: Path | None = None,
    bindings: Callable[[], object] = lambda: None,
    record: Path | None = None,
    fresh: bool = False,
    files: Sequence[Path] = (),
    extend: "Extend | str | None" = None,
) -> Path:
    """Build the stack into `out`, as cdktf lays it out.

    With a record, what is there already is left as it is while nothing that it was made of has changed.

    Without `payinfra.stacks.cdktf_bindings.prepare`, before or as `bindings`, the bindings load the slow way.

    Args:
        settings: the environment.
        out: a folder; what it holds of an earlier synthesis is replaced.
        endpoints: where the embedded AWS answers; needed for, and only for, a local environment. It must
            know each of `naming.regions_used`.
        handlers: the folder of the functions' packages; by default the one that payinfra comes with.
        bindings: loads cdktf's bindings. Called after what needs none of them, and not where the last output
            is reused.
        record: a file outside `out` that says what the output was made of; None to reuse and remember
            nothing. With code of the project's nothing is reused: what it depends on is not known.
        fresh: build anew, whatever the record says.
        files: what else the stack is made of, such as a user's own modules: a change of one is a change of
            the stack. A folder stands for all that is in it.
        extend: what adds the project's own resources, or `MODULE:FUNCTION`; None for the settings' own.

    Returns:
        The folder that holds cdk.tf.json and, beside it, the function's zip.

    Raises:
        EnvironmentUnusable: a local environment without endpoints.
        ToolFailed: the function's zip cannot be built.
        UsageProblem: the function lacks its entry point or its health page, or its requirements have no
            hashes; the canary payment does not fit the handler's schema, or the function that makes it, or
            the one that extends the stack, is not there, raised, or made what cannot be taken.
    """
    if settings.is_local and endpoints is None:
        raise EnvironmentUnusable(
            "The embedded AWS is not running, so its addresses are not known.",
            "Start it with `payinfra local up`.",
        )
    from payinfra.stacks.canary_loading import canary_of
    from payinfra.stacks.embedded_endpoints import write_config_files
    from payinfra.stacks.function_requirements import FunctionPlatform, check_handler, installed
    from payinfra.stacks.lambda_zip import HANDLER_PACKAGE, build_zip, handlers_folder
    from payinfra.stacks.reuse import fingerprint, remember, reusable

    code = handlers or handlers_folder()
    if handlers is not None and (handlers / HANDLER_PACKAGE).is_dir():
        check_handler(handlers / HANDLER_PACKAGE)
    canary = canary_of(settings)
    _canary_fits(canary, code)
    requirements = installed(
        code, settings.work_root / "cache" / "requirements", FunctionPlatform.of(settings)
    )
    folder = stack_folder(out, settings)
    sha256 = build_zip(folder / ZIP_NAME, code, requirements=requirements)
    made_of = ""
    wanted = extend or settings.extend
    if record is not None and not wanted and settings.canary_function is None:
        made_of = fingerprint(settings, endpoints=endpoints, code_sha256=sha256, files=files)
        if not fresh and reusable(record, made_of, out):
            return folder
    if record is not None:
        record.unlink(missing_ok=True)
    bindings()
    from cdktf import App

    from payinfra.stacks.extension_loading import ExtensionSource
    from payinfra.stacks.payment_stack import PaymentStack, StackProps
    from payinfra.stacks.payments_function import CodeProps

    app = App(outdir=str(out))
    local = endpoints if settings.is_local else None
    if local is not None:
        write_config_files(folder, local, regions_used(settings.regions))
    props = StackProps(settings, CodeProps(ZIP_NAME, sha256), local, canary)
    source = ExtensionSource(wanted, settings.project) if wanted else None
    with source.loaded() if source else nullcontext() as own:
        PaymentStack(app, settings.names.stack, props=replace(props, extend=own))
    app.synth()
    if record is not None and made_of:
        remember(record, made_of, out)
    return folder


def _canary_fits(canary: "CanaryContract", handlers: Path) -> None:
    """Hold the canary payment against the function's schema, where it has one.

    Raises:
        UsageProblem: it does not fit.
    """
    from payinfra.core.canary_contract import fits
    from payinfra.core.json_text import parse_json
    from payinfra.stacks.lambda_zip import HANDLER_PACKAGE

    file = handlers / HANDLER_PACKAGE / "schemas" / "payment.json"
    if not file.is_file():
        return
    try:
        schema = parse_json(file.read_bytes())
    except ValueError as error:
        raise UsageProblem(f"{file} is not JSON: {error}.", "Correct the file.") from None
    fits(canary, schema, str(file))
