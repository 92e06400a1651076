"""Every command that the benchmarks run, in one place."""

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = "bench"
STOCK_CLI = "cdktf-cli@0.21.0"


@dataclass(frozen=True)
class Command:
    """A command, what it is called in the table, and where its output tree lands below the work folder."""

    name: str
    arguments: tuple[str, ...]
    tree: Path | None = None


def payinfra(name: str, *arguments: str, tree: Path | None = None) -> Command:
    """The console script beside this Python."""
    script = Path(sys.executable).with_name("payinfra")
    return Command(name, (str(script), *arguments), tree)


TARGET = ("--env", ENVIRONMENT, "--local")
SYNTHESIZED = Path(".payinfra", "local", ENVIRONMENT, "synth")

HELP = payinfra("payinfra --help", "--help")
LAZY = payinfra("payinfra synth --fresh", "synth", *TARGET, "--fresh", tree=SYNTHESIZED)
REUSED = payinfra("payinfra synth, nothing changed", "synth", *TARGET, tree=SYNTHESIZED)
EAGER = payinfra("payinfra synth --eager-bindings", "synth", *TARGET, "--eager-bindings", tree=SYNTHESIZED)
STOCK_APP = (sys.executable, "-m", "bench.stock_app")
"""What cdktf.json names as the app."""
ORDINARY = Command("the same stack, ordinary imports", STOCK_APP, Path("cdktf.out"))
PLAN = payinfra("payinfra plan, nothing to change", "plan", *TARGET)
TERRAFORM_PLAN = Command("terraform plan alone", ("terraform", "plan", "-input=false", "-out=alone.tfplan"))
DEPLOY = payinfra("payinfra deploy", "deploy", *TARGET, "--yes")
DESTROY = payinfra("payinfra destroy", "destroy", *TARGET, "--yes")
LOCAL_UP = payinfra("payinfra local up", "local", "up")
LOCAL_DOWN = payinfra("payinfra local down", "local", "down")


def stock_synth(cli: Path) -> Command:
    """cdktf's own CLI on the same stack, imported the ordinary way."""
    return Command("cdktf synth", (str(cli), "synth"), Path("cdktf.out"))


def stock_deploy(cli: Path) -> Command:
    """cdktf's own CLI, told to leave the provider lock alone: the registry may be out of reach."""
    return Command(
        "cdktf deploy", (str(cli), "deploy", "--auto-approve", "--skip-provider-lock"), Path("cdktf.out")
    )
