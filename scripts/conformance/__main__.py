"""`python -m scripts.conformance [RECORDS]` says what it judged and how long that took; exit 1 for faults."""

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from payinfra.local.server.recording import WHO
from payinfra.local.server.validation.requests import UnreadableRequest
from payinfra.local.server.validation.shapes import faults
from scripts.conformance.permissions import PermissionQuestions
from scripts.conformance.requests import (
    RecordedRequest,
    RequestRecord,
    UnreadableLine,
    read,
)
from scripts.conformance.stacks import JudgedStacks, judge
from scripts.conformance.variants import stacks

SHOWN = 20


@dataclass
class RequestFaults:
    """Holds each request against botocore's model of its operation.

    Attributes:
        count: how many there were.
        agents: those of `WHO` that had made one.
    """

    count: int = 0
    agents: set[str] = field(default_factory=set)
    _found: Counter[str] = field(default_factory=Counter)
    _operations: set[str] = field(default_factory=set)
    _services: set[str] = field(default_factory=set)

    def take(self, request: RecordedRequest) -> None:
        """Judge one more."""
        self.count += 1
        agent = request.headers.get("user-agent", "")
        self.agents |= {who for who in WHO if who in agent}
        self._services.add(request.service)
        try:
            call = read(request)
        except UnreadableRequest as error:
            self._found[str(error)] += 1
            return
        name = f"{request.service}:{call.operation.name}"
        self._operations.add(name)
        for fault in faults(call.operation.input_shape, call.parameters):
            self._found[f"{name}{fault}"] += 1

    def unreadable(self, error: UnreadableLine) -> None:
        """Note a line that is no request."""
        self._found[str(error)] += 1

    @property
    def said(self) -> str:
        """What was judged."""
        kinds = f"{len(self._operations)} operations of {len(self._services)} services"
        return f"{self.count} requests of {kinds}"

    @property
    def faults(self) -> list[str]:
        """What broke a model, in the order of the operations."""
        return [
            f"{fault} ({times} times)" if times > 1 else fault for fault, times in sorted(self._found.items())
        ]


def judge_record(folder: Path) -> bool:
    """Judge a record and say what came of it; whether nothing was wrong.

    A record is read once, and a line at a time: that of all end-to-end tests is long.
    """
    began = time.monotonic()
    record, shapes, questions = RequestRecord(folder), RequestFaults(), PermissionQuestions()
    for line in record:
        try:
            request = RecordedRequest.of_line(line)
        except UnreadableLine as error:
            shapes.unreadable(error)
            continue
        shapes.take(request)
        questions.take(request)
    if not shapes.count:
        _say(f"{folder} holds no request: nothing was recorded, and nothing could be judged.")
        _say("Run `make e2e`, which records what the end-to-end tests ask AWS for.")
        return False
    cut = f" ({record.cut} more were cut off with their server)" if record.cut else ""
    silent = [f"{folder} holds no request of {who.rstrip('/')}'s" for who in WHO if who not in shapes.agents]
    good = _tell("requests", f"{shapes.said}{cut}", [*silent, *shapes.faults], began)
    began = time.monotonic()
    refused = questions.refused()
    said = f"{len(questions.of_root)} actions on resources, as the role for CI"
    said += f", {len(questions.of_operators)} as an operator's" if questions.of_operators else ""
    own = f" (and {questions.of_roles} that were done as other roles)" if questions.of_roles else ""
    return _tell("permissions", said + own, refused, began) and good


def judge_stacks() -> tuple[str, list[str]]:
    """Hold five variants of the stack against CloudFormation's schemas."""
    judged = JudgedStacks()
    with TemporaryDirectory() as folder:
        made = stacks(Path(folder))
    for name, stack in made.items():
        judge(stack, name, judged)
    said = f"{len(made)} stacks, {judged.resources} resources, {judged.properties} properties"
    return f"{said} ({judged.left_out} are known later or are Terraform's own)", judged.faults


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _tell(title: str, said: str, found: list[str], began: float) -> bool:
    """Say what a judge has judged and found; whether it found nothing."""
    _say(f"{title}: {said}, {len(found)} faults, {time.monotonic() - began:.1f} s")
    for fault in found[:SHOWN]:
        _say(f"  {fault}")
    if len(found) > SHOWN:
        _say(f"  and {len(found) - SHOWN} more")
    return not found


def main(arguments: list[str]) -> int:
    """Judge the record of a folder, and the stacks."""
    parser = argparse.ArgumentParser(prog="python -m scripts.conformance", description=__doc__)
    parser.add_argument("records", type=Path, nargs="?", help="folder of the embedded AWS's records")
    parser.add_argument("--without-stacks", action="store_true", help="judge the records only")
    given = parser.parse_args(arguments)
    good = given.records is None or judge_record(given.records)
    if not given.without_stacks:
        began = time.monotonic()
        said, found = judge_stacks()
        good = _tell("stacks", said, found, began) and good
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
