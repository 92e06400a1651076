"""First deploy, re-deploy with nothing to change, and the provider's own waiting: `python -m bench.deploy`.

Everything happens on the embedded AWS, in a folder that is removed afterwards. `plan` is compared with
Terraform alone in the folder that payinfra synthesized. `verify` is measured too, and what a drill of an hour
keeps in memory. cdktf's own CLI then re-deploys the same stack from the same state. It ends with 1 if a goal
is missed, and with 2 if a command failed.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench import hour, stock, verify
from bench.commands import (
    DEPLOY,
    DESTROY,
    ENVIRONMENT,
    LOCAL_DOWN,
    LOCAL_UP,
    PLAN,
    SYNTHESIZED,
    TERRAFORM_PLAN,
    Command,
    stock_deploy,
)
from bench.goals import Goal, at_least, at_most, say, show, verdict
from bench.timing import CommandFailed, environment, measure, run
from bench.waiting import seconds_in_flight
from payinfra.deployment.dependencies import SERVER_FOLDER
from payinfra.local import lifecycle
from payinfra.terraform.environment import with_access_key

ANY_PORT = {"PAYINFRA_LOCAL_PORT": "0"}
"""An embedded AWS of its own, beside the one that a person may have running."""

WORK = Path(".payinfra", "local", ENVIRONMENT)
MOST_OF_PLAN = 1.5
"""How many times as long as Terraform alone: `payinfra plan` synthesizes first, and reads the plan after."""


def named(command: Command, name: str) -> Command:
    return Command(name, command.arguments)


def terraform_environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What payinfra's own Terraform runs with: the embedded AWS's credentials, and the mirror found."""
    key = lifecycle.access_key(folder / ".payinfra" / SERVER_FOLDER)
    configuration = next((folder / WORK / "terraform").glob("*.tfrc"), None)
    return {
        **with_access_key(environ, key.access_key_id, key.secret_access_key),
        **({} if configuration is None else {"TF_CLI_CONFIG_FILE": str(configuration)}),
    }


def planned(folder: Path, environ: Mapping[str, str], runs: int) -> list[Goal]:
    """`payinfra plan`, and `terraform plan` with the same stack, state, provider and credentials."""
    ours = show(measure(PLAN, folder, runs=runs, environ=environ))
    if shutil.which("terraform") is None:
        say("  without terraform plan alone: terraform is not on PATH")
        return []
    alone = {**terraform_environment(folder, environ), "TF_DATA_DIR": str(folder / WORK / "terraform")}
    (stack,) = (folder / SYNTHESIZED).glob("stacks/*")
    theirs = show(measure(TERRAFORM_PLAN, stack, runs=runs, environ=alone))
    ratio = ours.median / theirs.median
    return [
        Goal(
            f"plan: at most {MOST_OF_PLAN:g} times terraform plan alone",
            f"{ratio:.2f} times",
            ratio <= MOST_OF_PLAN,
        )
    ]


def goals_of(folder: Path, *, runs: int, with_stock: bool) -> list[Goal]:
    """Measure everything in one folder; say each time as it is known."""
    stock.write_project(folder)
    environ = environment(**ANY_PORT)
    run(LOCAL_UP, folder, environ)
    first = show(measure(named(DEPLOY, "first deploy"), folder, runs=1, environ=environ))
    waiting = seconds_in_flight(folder / WORK / "logs" / "terraform.log")
    say(f"  {'of it, the provider at work':<44} {waiting:7.2f} s   ({waiting / first.median:.0%})")
    again = show(measure(named(DEPLOY, "re-deploy, nothing to change"), folder, runs=runs, environ=environ))
    goals = [at_most("re-deploy with nothing to change", again, 12), *planned(folder, environ, runs)]
    goals += verify.goals(folder)
    goals += hour.goals(folder, environ)
    if with_stock:
        try:
            cli = stock_deploy(stock.install())
        except stock.NoStockCli as reason:
            say(f"  without cdktf's own CLI: {reason}")
        else:
            ordinary = show(
                measure(
                    named(cli, "cdktf deploy, nothing to change"),
                    folder,
                    runs=1,
                    environ=terraform_environment(folder, environ),
                )
            )
            goals.append(at_least("re-deploy against cdktf deploy", ordinary, again, 2))
    return goals


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.deploy", description="Time deploying.")
    parser.add_argument("--runs", type=int, default=3, help="runs of the re-deploy (default 3)")
    parser.add_argument("--no-stock", action="store_true", help="leave cdktf's own CLI out")
    options = parser.parse_args()
    say("Median wall time of whole processes, and each run:")
    with tempfile.TemporaryDirectory(prefix="payinfra-bench-") as name:
        folder = Path(name)
        try:
            goals = goals_of(folder, runs=options.runs, with_stock=not options.no_stock)
            run(DESTROY, folder, environment(**ANY_PORT))
        except CommandFailed as error:
            say(str(error))
            return 2
        finally:
            run(LOCAL_DOWN, folder, environment(**ANY_PORT))
    return verdict(goals)


if __name__ == "__main__":
    sys.exit(main())
