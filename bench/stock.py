"""cdktf's own CLI, fetched through npm into a folder that is kept between runs."""

import json
import shutil
import subprocess
from pathlib import Path

from bench.commands import ROOT, STOCK_APP, STOCK_CLI

KEPT = ROOT / ".payinfra" / "bench" / "npm"
INSTALL_SECONDS = 600


class NoStockCli(Exception):
    """The CLI cannot be had here; the message says why."""


def install(folder: Path = KEPT) -> Path:
    """The CLI's program, installed if need be.

    Raises:
        NoStockCli: there is no npm, or it failed.
    """
    program = folder / "node_modules" / ".bin" / "cdktf"
    if program.exists():
        return program
    npm = shutil.which("npm")
    if npm is None:
        raise NoStockCli("npm is not on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    try:
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", STOCK_CLI],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise NoStockCli(f"npm did not install {STOCK_CLI} within {INSTALL_SECONDS} s") from error
    if done.returncode != 0 or not program.exists():
        raise NoStockCli(f"npm could not install {STOCK_CLI}: {done.stderr.strip().splitlines()[-1:]}")
    return program


def write_project(folder: Path) -> None:
    """Make a folder one in which the CLI finds the app."""
    project = {
        "language": "python",
        "app": " ".join(STOCK_APP),
        "projectId": "5b2f8a0e-7c1d-4f0b-9a55-2d4b7a3c9e10",
        "sendCrashReports": "false",
    }
    (folder / "cdktf.json").write_text(json.dumps(project))
