"""Runs every compatibility case in this process and prints the results as JSON: `run_cases.py lazy|eager`.

An eager import takes ten seconds, so the cases share a process.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from payinfra.stacks import cdktf_bindings


def outcome(case: Callable[[], object]) -> object:
    """What the case returned or, where it crashed, its traceback: one crash must not hide the others."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(case)
        error = future.exception()
        return future.result() if error is None else {"crashed": traceback.format_exception(error)}


def main(mode: str) -> None:
    before = dict(os.environ)
    cdktf_bindings.prepare(eager=mode == "eager")
    kept = dict(os.environ) == before
    modules = sum(name.startswith(f"{cdktf_bindings.AWS.package}.") for name in sys.modules)
    cdktf_bindings.prepare(eager=mode != "eager")
    cases: dict[str, Callable[[], object]] = importlib.import_module("compatibility_cases").CASES
    results = {name: outcome(case) for name, case in cases.items()}
    report = {
        "environment_kept": kept,
        "modules": modules,
        "settled": cdktf_bindings.settle(),
        "cases": results,
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
