"""The real stack, synthesized once a test run, as a user's environment would be."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from payinfra.checks import policy
from payinfra.checks.manifest import Manifest
from payinfra.checks.model import Check, ResourceCheck, gather
from payinfra.checks.verdicts import Kind, Verdict

SYNTHESIZE = """
import sys
from pathlib import Path
from payinfra.stacks import cdktf_bindings
from payinfra.core.settings import Settings
cdktf_bindings.prepare(eager=False)
from payinfra import stacks
for env, flags in (
    ("demo", {}),
    ("prod", {"domain": "pay.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ", "owner": "payments",
              "cost_center": "cc-1"}),
    ("pr7", {}),
    ("stage", {"primary_region": "eu-west-1", "secondary_region": "us-west-2", "alarm_email": "a@example.com",
               "object_lock_days": 30, "cors_origins": "https://shop.example.com"}),
    ("qa", {"primary_region": "us-west-2", "secondary_region": "us-east-1", "health_check_interval": 30}),
):
    settings = Settings.resolve({"env": env, **flags}, folder=Path(sys.argv[1]), environ={})
    print(env, stacks.synthesize(settings, out=Path(sys.argv[1]) / env))
"""


class RealStack:
    """One synthesized stack, and what the catalogue says to it or to a copy."""

    def __init__(self, folder: Path, checks: Mapping[str, Check]) -> None:
        self.folder = folder
        self.body: dict[str, Any] = json.loads((folder / "cdk.tf.json").read_text())
        self._checks = checks

    def manifest(self, body: dict[str, Any] | None = None) -> Manifest:
        """The stack, or a copy of it, as the checks see it."""
        return Manifest.from_json(self.body if body is None else body, folder=self.folder)

    def copy(self) -> dict[str, Any]:
        """A copy to spoil."""
        return copy.deepcopy(self.body)

    def ask(self, check_id: str, manifest: Manifest) -> list[Verdict]:
        """Every verdict of one check, with addresses."""
        check = self._checks[check_id]
        if not isinstance(check, ResourceCheck):
            return _list(check(manifest))
        return [
            Verdict(one.kind, one.message, one.address or resource.address)
            for resource in manifest.all(*check.on)
            for one in _list(check(resource, manifest))
        ]

    def findings(self) -> list[tuple[str, Verdict]]:
        """What would be shown of the stack as it is."""
        manifest = self.manifest()
        return [
            (id_, verdict)
            for id_ in self._checks
            for verdict in self.ask(id_, manifest)
            if verdict.kind not in (Kind.PASS, Kind.NOT_APPLICABLE)
        ]


def _list(said: Verdict | Iterable[Verdict]) -> list[Verdict]:
    return [said] if isinstance(said, Verdict) else list(said)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RealStack]:
    """The stacks of three environments, made in a process of their own: jsii keeps one kernel a process."""
    out = tmp_path_factory.mktemp("synth")
    done = subprocess.run(
        [sys.executable, "-c", SYNTHESIZE, str(out)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    checks = {
        one.rule.id: one
        for one in gather(import_module(f"payinfra.checks.policy.{name}") for name in policy.MODULES)
    }
    folders = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line)
    return {env: RealStack(Path(folder), checks) for env, folder in folders.items()}
