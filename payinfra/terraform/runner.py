"""Runs Terraform for one environment: init, plan, apply of exactly that plan, and a few questions."""

import fcntl
import itertools
import json
import logging
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable, Interrupted
from payinfra.core.events import Emit, Notice, ignore
from payinfra.core.private_files import open_own
from payinfra.core.run_id import run_id, user_agent
from payinfra.core.user import home_folder
from payinfra.terraform import environment as surroundings
from payinfra.terraform import initialised, leftover_process, lockfile, mirror, process
from payinfra.terraform.binary import Binary
from payinfra.terraform.creations import Creation, creations
from payinfra.terraform.disk_reserve import SIZE, DiskReserve
from payinfra.terraform.events import (
    Collected,
    Diagnostic,
    EventReader,
    OutputValue,
    dumped_state,
    output_values,
    validation,
    without_quotes,
)
from payinfra.terraform.failures import BOX, UNLOCK, TerraformFailed, failure, locked_out
from payinfra.terraform.imports import Import, placed
from payinfra.terraform.jsonvalue import JsonValue, members, parse, parse_object
from payinfra.terraform.plan import Plan, lost_replicas, shown_plan, updates_a_table
from payinfra.terraform.planned import PlannedChange, planned_changes
from payinfra.terraform.state import DATA, MANAGED, Kept, kept, with_attributes

logger = logging.getLogger(__name__)

ERRORED_STATE = "errored.tfstate"
NO_COLOUR = "-no-color"
CHANGING = frozenset(("apply", "import"))
STREAMED = ("-json", "-input=false", NO_COLOUR)


class Terraform:
    """Terraform in one folder.

    Args:
        binary: what to run.
        folder: holds cdk.tf.json; Terraform works in it.
        data_dir: Terraform's own files (TF_DATA_DIR); the generated CLI configuration is there, too.
        log: all that Terraform prints is appended to this file; only its owner may read it.
        environment: the variables that Terraform and this class see, such as `os.environ`.
        emit: told of resources as they are worked on, and of notices.
        provider_cache: the folder that keeps one copy of each provider for all environments; none when None.
        home: the home folder, where Terraform looks for configuration and plugins.
        patience: how long an interrupted Terraform may take.
        add_on: the folder below which a provider mirror may lie.

    Attributes:
        orphan_wait_s: how long to wait for the Terraform of a run that was killed.
        question_timeout_s: how long a command that calls no provider may take.
    """

    def __init__(
        self,
        *,
        binary: Binary,
        folder: Path,
        data_dir: Path,
        log: Path,
        environment: Mapping[str, str],
        emit: Emit = ignore,
        provider_cache: Path | None = None,
        home: Path | None = None,
        patience: process.StopTimeouts | None = None,
        add_on: Path = mirror.FHS_ADD_ON,
        unlock: str = UNLOCK,
    ) -> None:
        self.binary = binary
        self.folder = folder.absolute()
        self.data_dir = data_dir.absolute()
        self.log = log.absolute()
        self._caller = dict(environment)
        self._emit = emit
        self._cache = provider_cache.absolute() if provider_cache else None
        self._home = home or Path(self._caller.get("HOME") or home_folder())
        self._patience = patience or process.StopTimeouts()
        self._add_on = add_on
        self._unlock = unlock
        self._secrets = surroundings.secrets(self._caller)
        self._interrupts = process.Interrupts()
        self._one_at_a_time = threading.Lock()
        self._last_shown: tuple[Path, int, JsonValue] | None = None
        self.orphan_wait_s = 300.0
        self.question_timeout_s = 300.0

    # -- commands ------------------------------------------------------------------------------------

    def init(self) -> None:
        """Prepare the folder: backend, provider, dependency lock. Does nothing where that was done before.

        Raises:
            UsageProblem: PAYINFRA_PROVIDER_MIRROR names no mirror.
            EnvironmentUnusable: neither the registry nor a mirror has the provider, or the state moved.
            TerraformFailed: anything else that Terraform says.
            Interrupted: a person interrupted.
        """
        for name in surroundings.ignored_arguments(self._caller):
            self._emit(Notice(f"{name} is set and not used: payinfra decides what Terraform is asked."))
        locked = lockfile.place(self.folder, self.binary.registry)
        if initialised.is_current(self.data_dir, self._fingerprint()):
            return
        initialised.forget_stale_note(self.data_dir, self.folder)
        with self._cache_to_itself():
            self._run("init", *STREAMED, *locked)
        initialised.remember(self.data_dir, self._fingerprint())

    def plan(
        self,
        out: Path,
        *,
        destroy: bool = False,
        refresh_only: bool = False,
        targets: Sequence[str] = (),
        replace: Sequence[str] = (),
        imports: Sequence[Import] = (),
        unchanged: Sequence[str] = (),
    ) -> Plan:
        """Plan, and keep the plan in `out`, which only its owner may read: plans contain secrets.

        Args:
            out: the file.
            destroy: plan to delete everything.
            refresh_only: plan to change nothing but the state.
            targets: addresses; nothing else is planned but what they need.
            replace: addresses of resources to make anew.
            imports: resources that exist and that applying the plan takes into the state. Those that the
                state has under the same id already are no change.
            unchanged: addresses of the stack's resources to leave as they are, whatever the stack says.

        Raises:
            EnvironmentUnusable: another run holds the state's lock; the message says who.
            TerraformFailed, Interrupted: as for `init`.
        """
        out = out.absolute()
        self._settle()
        with placed(self.folder, imports, unchanged):
            collected = self._run(
                "plan",
                *STREAMED,
                f"-out={out}",
                *(["-destroy"] if destroy else []),
                *(["-refresh-only"] if refresh_only else []),
                *(f"-target={address}" for address in targets),
                *(f"-replace={address}" for address in replace),
            )
        # The events tell all but one thing: a table that is changed in place may lose a replica. Only then is
        # the plan read again, which costs a start of the provider.
        losing = lost_replicas(self._show(out)) if updates_a_table(collected.changes) else ()
        return Plan(
            file=out,
            add=collected.counts.add,
            change=collected.counts.change,
            destroy=collected.counts.destroy,
            changes=tuple(collected.changes),
            outputs=tuple(collected.output_changes),
            drift=tuple(collected.drift),
            refresh_only=refresh_only,
            lost_replicas=losing,
        )

    def show(self, plan: Path) -> Plan:
        """A plan that was saved before.

        Raises:
            TerraformFailed: the file is no plan.
        """
        return shown_plan(plan.absolute(), self._show(plan.absolute()))

    def apply(self, plan: Path) -> Mapping[str, OutputValue]:
        """Apply exactly this plan; the outputs as they are then. Sensitive ones come without their value.

        Raises:
            EnvironmentUnusable: another run holds the state's lock; the message says who.
            TerraformFailed: some resource could not be made; what was made is in the state.
            Interrupted: a person interrupted, and Terraform has ended and released its lock.
        """
        self._settle()
        return self._run("apply", *STREAMED, str(plan.absolute())).outputs

    def adopt(self, imports: Sequence[Import]) -> None:
        """Take resources that exist into the state at once, one by one, without planning anything else.

        Raises:
            EnvironmentUnusable: another run holds the state's lock; the message says who.
            TerraformFailed: one does not exist, or its address is in the state or not in the stack.
            Interrupted: a person interrupted.
        """
        self._settle()
        for one in imports:
            self._run("import", "-input=false", NO_COLOUR, one.address, one.id)

    def untaint(self, addresses: Sequence[str]) -> None:
        """Keep what the state marks to be made anew. What it lacks, the next plan changes in place.

        Raises:
            EnvironmentUnusable: another run holds the state's lock; the message says who.
            TerraformFailed: the state does not have one of them, or it bears no such mark.
        """
        self._settle()
        for address in addresses:
            self._edit("untaint", address)

    def forget(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """Take resources out of the state; they go on existing. Returns the addresses that the state had.

        Raises:
            EnvironmentUnusable: another run holds the state's lock; the message says who.
            TerraformFailed: the state cannot be read or written.
        """
        self._settle()
        known = frozenset(self.state_list())
        had = tuple(address for address in addresses if address in known)
        if had:
            self._edit("state", "rm", *had)
        return had

    def force_unlock(self, lock: str) -> None:
        """Release the state's lock, also one of another user: a run that still goes on is then not alone.

        Raises:
            TerraformFailed: there is no lock, or it has another id.
        """
        done = self._question("force-unlock", "-force", lock)
        if done.returncode != 0:
            raise self._unanswered("force-unlock", done.stderr)

    def set_attributes(self, values: Mapping[str, Mapping[str, JsonValue]]) -> None:
        """Write attributes into the state: address to name to value. No resource is touched.

        For what an import cannot read, because AWS does not keep it.

        Raises:
            EnvironmentUnusable: another run holds the state's lock; the message says who.
            TerraformFailed: the state cannot be read or written, or has changed meanwhile.
        """
        self._settle()
        state = with_attributes(self._state(), values)
        file = self.data_dir / f"state.{os.getpid()}.json"
        with os.fdopen(open_own(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), "w") as written:
            json.dump(state, written)
        try:
            self._edit("state", "push", str(file))
        finally:
            file.unlink()

    # -- questions -----------------------------------------------------------------------------------

    def outputs(self) -> Mapping[str, OutputValue]:
        """The outputs in the state, sensitive ones with their value. They are not written to the log.

        Raises:
            TerraformFailed: the state cannot be read.
        """
        return output_values(members(self._ask("output", "-json")))

    def state_list(self) -> tuple[str, ...]:
        """The addresses of all resources in the state; none if there is no state.

        Raises:
            TerraformFailed: the state cannot be read.
        """
        done = self._question("state", "list")
        if done.returncode != 0:
            if "No state file was found" in done.stderr:
                return ()
            raise self._unanswered("state list", done.stderr)
        return tuple(done.stdout.splitlines())

    def resources(self) -> tuple[Kept, ...]:
        """What the state knows; empty where there is none. Waits for what a killed run left behind."""
        self._settle()
        return kept(self._state())

    def known(self) -> tuple[Kept, ...]:
        """What the state knows, data sources too. Waits as `resources` does."""
        self._settle()
        return kept(self._state(), (MANAGED, DATA))

    def creations(self, plan: Path) -> tuple[Creation, ...]:
        """What a saved plan would create, with the values that are known beforehand.

        Raises:
            TerraformFailed: the file is no plan.
        """
        return creations(self._show(plan.absolute()))

    def planned_changes(self, plan: Path) -> tuple[PlannedChange, ...]:
        """What a saved plan would do to resources that exist, value by value.

        Raises:
            TerraformFailed: the file is no plan.
        """
        return planned_changes(self._show(plan.absolute()))

    def shown(self, plan: Path) -> JsonValue:
        """A saved plan as a document. It holds secrets in clear text: keep it in memory.

        Raises:
            TerraformFailed: the file is no plan.
        """
        return self._show(plan.absolute())

    def providers_schema(self) -> Mapping[str, JsonValue]:
        """The schema of every provider that the stack uses, as Terraform prints it (megabytes).

        Raises:
            TerraformFailed: a provider cannot be started, or the folder is not initialised.
        """
        return members(self._ask("providers", "schema", "-json"))

    def validate(self) -> tuple[Diagnostic, ...]:
        """What Terraform finds wrong with the configuration by itself; empty when nothing.

        Raises:
            TerraformFailed: Terraform answers nothing that can be read.
        """
        done = self._question("validate", "-json")
        answer = parse_object(done.stdout.strip())
        if answer is None:
            raise self._unanswered("validate", done.stderr)
        return validation(answer)

    def wait_for_orphans(self) -> None:
        """Wait for the Terraform of a run that was killed: until it has ended, it may still change things.

        Raises:
            EnvironmentUnusable: it takes too long.
        """

        def tell(record: leftover_process.LeftoverProcess) -> None:
            self._emit(
                Notice(
                    "An earlier run was killed; waiting until its Terraform has saved its state "
                    f"(process {record.child.pid})."
                )
            )

        if not leftover_process.wait_for(self._records, seconds=self.orphan_wait_s, notice=tell):
            raise EnvironmentUnusable(
                "The Terraform of an earlier run that was killed is still at work.",
                "Wait until it has ended, then run the same command again.",
            )

    def interrupt(self) -> None:
        """Interrupt the command that runs, from any thread; that command then raises `Interrupted`."""
        self._interrupts.request()

    # -- the inside ----------------------------------------------------------------------------------

    def _fingerprint(self) -> str | None:
        return initialised.fingerprint(self.folder, self.binary, self._environment)

    @cached_property
    def _environment(self) -> Mapping[str, str]:
        found = mirror.find_mirror(
            self._caller,
            registry=self.binary.registry,
            platform=mirror.platform_name(),
            home=self._home,
            add_on=self._add_on,
        )
        variables = mirror.configure(
            self._caller,
            mirror=found,
            cache=self._cache,
            data_dir=self.data_dir,
            registry=self.binary.registry,
            home=self._home,
            emit=self._emit,
        )
        own = {**variables, **surroundings.with_user_agent(self._caller, user_agent())}
        return surroundings.scrubbed(self._caller, {**own, "TF_DATA_DIR": str(self.data_dir)})

    @contextmanager
    def _cache_to_itself(self) -> Iterator[None]:
        """Terraform does not guard its cache against two inits at once."""
        if self._cache is None:
            yield
            return
        self._cache.mkdir(parents=True, exist_ok=True)
        with os.fdopen(open_own(self._cache / ".lock", os.O_CREAT | os.O_WRONLY), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _settle(self) -> None:
        """Wait for what a killed run left behind, and bring in a state that it could not save."""
        self.wait_for_orphans()
        errored = self.folder / ERRORED_STATE
        if _has_content(errored):
            self._set_a_part_of_the_state_aside()
            done = self._question("state", "push", str(errored))
            if done.returncode != 0:
                raise EnvironmentUnusable(
                    f"An earlier run could not save its state and left it in {errored}, which cannot be "
                    f"brought in: {self._hidden(plain(done.stderr))}",
                    "Compare it with the present state, then `terraform state push` it or move it away.",
                )
            errored.rename(errored.with_name(f"{ERRORED_STATE}.pushed"))
            self._emit(Notice("The state that an earlier run could not save was brought in."))

    def _set_a_part_of_the_state_aside(self) -> None:
        """Rename a local state that a full disk has cut off. Terraform would not overwrite it."""
        state = initialised.local_state(self.folder)
        if state is not None and state.exists():
            try:
                parse(state.read_bytes())
            except ValueError:
                state.rename(state.with_name(f"{state.name}.damaged"))

    @property
    def _records(self) -> Path:
        return self.data_dir / "running"

    def _run(self, command: str, *arguments: str) -> Collected:
        with self._one_at_a_time:
            if self._interrupts.count:
                raise Interrupted(f"Interrupted before terraform {command}.")
            return self._run_alone(command, *arguments)

    def _run_alone(self, command: str, *arguments: str) -> Collected:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        reader = EventReader(self._emit)
        output = self.log.with_name(f"{self.log.name}.{command}.{os.getpid()}.{threading.get_ident()}")
        reserve = DiskReserve(
            self.data_dir / "reserve",
            lambda: self._emit(
                Notice("The disk is full. The space that was reserved for the state is used now.")
            ),
        )
        with ExitStack() as until_the_end:
            log = until_the_end.enter_context(os.fdopen(open_own(self.log, _APPEND), "ab", buffering=0))
            if command in CHANGING:
                until_the_end.enter_context(reserve.held())

            def said(line: str) -> None:
                if dump := dumped_state(line):
                    reserve.become(self.folder / ERRORED_STATE, dump)
                    return
                line = self._hidden(without_quotes(line))
                if command in CHANGING:
                    reserve.write(lambda: log.write(f"{line}\n".encode()))
                else:
                    log.write(f"{line}\n".encode())
                reader.feed(line)

            def asked(times: int) -> None:
                self._emit(Notice(_while_stopping(times, tuple(reader.collected.in_progress))))

            def forced() -> None:
                self._emit(Notice("Terraform did not end in time and is stopped by force."))

            def started(pid: int) -> None:
                record = leftover_process.LeftoverProcess(
                    leftover_process.identify(pid), leftover_process.identify(os.getpid()), output
                )
                until_the_end.enter_context(leftover_process.recorded(self._records, record))

            heading = f"# {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, run {run_id()}: terraform {command}\n"
            log.write(heading.encode())
            logger.debug("%s %s in %s, log %s", self.binary.kind, command, self.folder, self.log)
            until_the_end.callback(output.unlink, missing_ok=True)
            child = process.Child(
                argv=(*self.binary.argv, command, *arguments),
                folder=self.folder,
                environment=self._environment,
                output=output,
                said=said,
                asked=asked,
                forced=forced,
                started=started,
                watch=reserve.watch,
                room=SIZE if command in CHANGING else 0,
            )
            ending = process.run(child, self._interrupts, patience=self._patience)
            logger.debug("%s %s ended with %d", self.binary.kind, command, ending.code)
        if ending.interrupted:
            raise _interrupted(command, ending, self.log)
        if ending.code != 0:
            initialised.forget(self.data_dir)  # it may have failed for want of an init
            errored = self.folder / ERRORED_STATE
            raise failure(
                command,
                ending.code,
                reader.collected,
                self.log,
                unlock=self._unlock,
                unsaved=errored if _has_content(errored) else None,
                full_disk=reserve.was_needed,
            )
        return reader.collected

    def _edit(self, *arguments: str) -> None:
        """A command that writes the state and does nothing else."""
        done = self._question(*arguments)
        if done.returncode != 0:
            command = " ".join(itertools.takewhile(str.isalpha, arguments))
            raise locked_out(done.stderr, self._unlock) or self._unanswered(command, done.stderr)

    def _state(self) -> JsonValue:
        done = self._question("state", "pull")
        if done.returncode != 0:
            raise self._unanswered("state pull", done.stderr)
        return parse_object(done.stdout.strip())

    def _show(self, plan: Path) -> JsonValue:
        """A plan as a document. The one that was asked for last is remembered: each answer takes seconds."""
        written = plan.stat().st_mtime_ns if plan.exists() else 0
        if not written or self._last_shown is None or self._last_shown[:2] != (plan, written):
            self._last_shown = (plan, written, self._ask("show", "-json", str(plan)))
        return self._last_shown[2]

    def _ask(self, *arguments: str) -> JsonValue:
        done = self._question(*arguments)
        if done.returncode != 0:
            command = " ".join(word for word in arguments[:2] if not word.startswith("-"))
            raise self._unanswered(command, done.stderr)
        return parse(done.stdout)

    def _question(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that calls no provider. Its output may hold secrets and is not logged."""
        try:
            return subprocess.run(
                [*self.binary.argv, *_with_option(arguments, NO_COLOUR)],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self.question_timeout_s,
                check=False,
                umask=process.PRIVATE,  # `state rm` leaves a backup of the state beside the stack
            )
        except subprocess.TimeoutExpired:
            late = f"it did not answer within {self.question_timeout_s:g} s"
            raise self._unanswered(arguments[0], late) from None

    def _unanswered(self, command: str, said: str) -> TerraformFailed:
        words = self._hidden(plain(said)) or "it does not say why"
        return TerraformFailed(f"terraform {command} failed: {words}", "", ())

    def _hidden(self, text: str) -> str:
        return surroundings.hide(text, self._secrets)


_APPEND = os.O_CREAT | os.O_APPEND | os.O_WRONLY


def plain(said: str) -> str:
    """An error message on one line, without the box that Terraform draws around it, and without quotes."""
    lines = (without_quotes(line) for line in said.splitlines())
    return " ".join(" ".join(lines).translate(BOX).split())


def _with_option(arguments: Sequence[str], option: str) -> list[str]:
    """Options come after the words of the command and before what it is about."""
    words = list(itertools.takewhile(lambda word: word.replace("-", "x").isalpha(), arguments[:2]))
    words = [word for word in words if not word.startswith("-")]
    return [*words, option, *arguments[len(words) :]]


def _while_stopping(times: int, in_progress: tuple[str, ...]) -> str:
    working = f" It is still working on {', '.join(in_progress)}." if in_progress else ""
    if times == 1:
        return f"Interrupted: waiting for Terraform to end and release its lock.{working}"
    return (
        f"Terraform has been told and is ending; stopping it by force could lose track of resources.{working}"
    )


def _has_content(file: Path) -> bool:
    """Whether a file is there and not empty, as Terraform leaves one on a full disk."""
    return file.exists() and file.stat().st_size > 0


def _interrupted(command: str, ending: process.Ending, log: Path) -> Interrupted:
    if ending.forced:
        return Interrupted(
            f"Interrupted: terraform {command} had to be stopped by force.",
            f"Resources may exist that the state does not know, and the lock may still be held. Log: {log}",
        )
    return Interrupted(
        f"Interrupted: terraform {command} has ended and released its lock.",
        "Run the same command again to go on from there.",
    )
