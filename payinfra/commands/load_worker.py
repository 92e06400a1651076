"""A load worker of a drill that runs on another machine, as a command."""

import os
from pathlib import Path
from typing import Annotated

import typer

from payinfra.core.errors import EnvironmentUnusable, UsageProblem

app = typer.Typer()


@app.command("load-worker")
def load_worker(
    *,
    master: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where the drill listens: a loopback address, this machine's end of a tunnel.",
        ),
    ],
    locustfile: Annotated[
        Path | None, typer.Option(help="Users of your own, which subclass payinfra's PaymentUser.")
    ] = None,
) -> None:
    """Send payments for a drill on another machine, until that ends.

    The token of `failover-drill --listen` is in PAYINFRA_LOAD_TOKEN on both machines.
    """
    import importlib.util

    from payinfra.core.extras import Extra, install_command
    from payinfra.drill.load import worker_master
    from payinfra.drill.load.worker_order import TOKEN_VARIABLE

    address = worker_master.address_of(master)
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        raise UsageProblem(
            f"{TOKEN_VARIABLE} is not set: the drill would not know this worker.",
            "Set it to what it is where the drill runs.",
        )
    if locustfile is not None and not locustfile.is_file():
        raise UsageProblem(f"{locustfile} is no file.", "Give the path of a locustfile.")
    if importlib.util.find_spec("locust") is None:
        raise EnvironmentUnusable("Locust is not installed.", f"Run `{install_command(Extra.LOCUST)}`.")
    why = worker_master.work(address, token, locustfile)
    if why:
        raise EnvironmentUnusable(why, "Start the worker again once the drill waits for it.")
