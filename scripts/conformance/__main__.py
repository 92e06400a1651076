"""`python -m scripts.conformance RECORDS` prints what it judged and how long that took; exit 1 for faults."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.conformance.permissions import refused
from scripts.conformance.requests import RecordedRequest, UnreadableRequest, lines, read
from scripts.conformance.shapes import faults
from scripts.conformance.stacks import Judged, judge
from scripts.conformance.variants import stacks

SHOWN = 20


def judge_requests(requests: list[RecordedRequest]) -> tuple[str, list[str]]:
    """Hold each request against botocore's model of its operation."""
    found: Counter[str] = Counter()
    operations: set[str] = set()
    services: set[str] = set()
    for request in requests:
        services.add(request.service)
        try:
            call = read(request)
        except UnreadableRequest as error:
            found[str(error)] += 1
            continue
        name = f"{request.service}:{call.operation.name}"
        operations.add(name)
        for fault in faults(call.operation.input_shape, call.parameters):
            found[f"{name}{fault}"] += 1
    said = f"{len(requests)} requests of {len(operations)} operations of {len(services)} services"
    return said, [
        f"{fault} ({times} times)" if times > 1 else fault for fault, times in sorted(found.items())
    ]


def judge_permissions(requests: list[RecordedRequest]) -> tuple[str, list[str]]:
    """Put what IAM was asked to the policies of the role for CI."""
    judged, found = refused(requests)
    return f"{judged} actions on resources, as the role for CI", [f"{one}: the role may not" for one in found]


def judge_stacks() -> tuple[str, list[str]]:
    """Hold five variants of the stack against CloudFormation's schemas."""
    judged = Judged()
    with TemporaryDirectory() as folder:
        made = stacks(Path(folder))
    for name, stack in made.items():
        judge(stack, name, judged)
    said = f"{len(made)} stacks, {judged.resources} resources, {judged.properties} properties"
    return f"{said} ({judged.left_out} are known later or are Terraform's own)", judged.faults


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(arguments: list[str]) -> int:
    """Judge the records of a folder."""
    parser = argparse.ArgumentParser(prog="python -m scripts.conformance", description=__doc__)
    parser.add_argument("records", type=Path, help="folder of the records of the embedded AWS")
    parser.add_argument("--without-stacks", action="store_true", help="judge the records only")
    read = parser.parse_args(arguments)
    folder = read.records
    requests = [RecordedRequest.of_line(line) for line in lines(folder)]
    if not requests:
        _say(f"{folder} holds no request: nothing was judged.")
        return 1
    failed = False
    judges: dict[str, Callable[[], tuple[str, list[str]]]] = {
        "requests": partial(judge_requests, requests),
        "stacks": judge_stacks,
        "permissions": partial(judge_permissions, requests),
    }
    if read.without_stacks:
        del judges["stacks"]
    for title, made in judges.items():
        began = time.monotonic()
        said, found = made()
        _say(f"{title}: {said}, {len(found)} faults, {time.monotonic() - began:.1f} s")
        for fault in found[:SHOWN]:
            _say(f"  {fault}")
        if len(found) > SHOWN:
            _say(f"  and {len(found) - SHOWN} more")
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
