"""First deploy, re-deploy with nothing to change, and the provider's own waiting: `python -m bench.deploy`.

Everything happens on the embedded AWS, in a folder that is removed afterwards. `verify` is measured there
too, and what a drill of an hour keeps in memory. cdktf's own CLI then re-deploys the same stack from the same
state. It ends with 1 if a goal is missed, and with 2 if a command failed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import hour, stock, verify
from bench.commands import DEPLOY, DESTROY, ENVIRONMENT, LOCAL_DOWN, LOCAL_UP, Command, stock_deploy
from bench.goals import Goal, at_least, at_most, say, show, verdict
from bench.timing import CommandFailed, environment, measure, run
from bench.waiting import seconds_in_flight

ANY_PORT = {"PAYINFRA_LOCAL_PORT": "0"}
"""An embedded AWS of its own, beside the one that a person may have running."""

WORK = Path(".payinfra", "local", ENVIRONMENT)


def named(command: Command, name: str) -> Command:
    return Command(name, command.arguments)


def terraform_environment(folder: Path) -> dict[str, str]:
    """For cdktf's CLI: the provider mirror that payinfra found and wrote down for its own Terraform."""
    configuration = next((folder / WORK / "terraform").glob("*.tfrc"), None)
    return {} if configuration is None else {"TF_CLI_CONFIG_FILE": str(configuration)}


def goals_of(folder: Path, *, runs: int, with_stock: bool) -> list[Goal]:
    """Measure everything in one folder; say each time as it is known."""
    stock.write_project(folder)
    environ = environment(**ANY_PORT)
    run(LOCAL_UP, folder, environ)
    first = show(measure(named(DEPLOY, "first deploy"), folder, runs=1, environ=environ))
    waiting = seconds_in_flight(folder / WORK / "logs" / "terraform.log")
    say(f"  {'of it, the provider at work':<44} {waiting:7.2f} s   ({waiting / first.median:.0%})")
    again = show(measure(named(DEPLOY, "re-deploy, nothing to change"), folder, runs=runs, environ=environ))
    goals = [at_most("re-deploy with nothing to change", again, 12), *verify.goals(folder)]
    goals += hour.goals(folder, environ)
    if with_stock:
        try:
            cli = stock_deploy(stock.install())
        except stock.NoStockCli as reason:
            say(f"  without cdktf's own CLI: {reason}")
        else:
            environ = {**environ, **terraform_environment(folder)}
            ordinary = show(
                measure(named(cli, "cdktf deploy, nothing to change"), folder, runs=1, environ=environ)
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
