"""The real stack, synthesized once a test run, as a user's environment would be."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import date
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
from payinfra.clients.aws import Endpoints
LOCAL = Endpoints(
    {"us-east-1": "http://127.0.0.1:4566", "us-west-2": "http://127.0.0.1:4567"}, "http://127.0.0.1:4560"
)
for env, flags in (
    ("demo", {}),
    ("prod", {"domain": "pay.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ", "owner": "payments",
              "cost_center": "cc-1"}),
    ("pr7", {}),
    ("stage", {"primary_region": "eu-west-1", "secondary_region": "us-west-2", "alarm_email": "a@example.com",
               "object_lock_days": 30, "cors_origins": "https://shop.example.com"}),
    ("qa", {"primary_region": "us-west-2", "secondary_region": "us-east-1", "health_check_interval": 30}),
    ("live", {"primary_region": "eu-west-1", "secondary_region": "us-west-2", "domain": "pay.example.com",
              "hosted_zone_id": "Z0123456789ABC", "reserved_concurrency": 50, "lambda_memory_mb": 1024,
              "lambda_timeout_s": 20, "log_retention_days": 731, "audit_retention_days": 400,
              "api_rate_limit": 10.5, "api_burst_limit": 20, "daily_quota": 5000, "dns_ttl": 30,
              "health_check_threshold": 2, "state_bucket": "our-states"}),
    ("team", {"role_arn": "arn:aws:iam::123456789012:role/payinfra-ci",
              "permissions_boundary": "arn:aws:iam::123456789012:policy/our-boundary",
              "cors_origins": "https://a.example.com,https://b.example.com", "state_bucket": "our-states",
              "state_region": "eu-west-1", "state_key": "team/x.tfstate"}),
    ("pr8", {"target": "local", "state_bucket": "our-states"}),
):
    settings = Settings.resolve({"env": env, **flags}, folder=Path(sys.argv[1]), environ={})
    endpoints = LOCAL if settings.is_local else None
    print(env, stacks.synthesize(settings, out=Path(sys.argv[1]) / env, endpoints=endpoints))
"""


DAY = date(2026, 11, 1)
"""On which runtimes are judged: whatever day the tests run on, nothing ends soon."""


class RealStack:
    """One synthesized stack, and what the catalogue says to it or to a copy."""

    def __init__(self, folder: Path, checks: Mapping[str, Check]) -> None:
        self.folder = folder
        self.body: dict[str, Any] = json.loads((folder / "cdk.tf.json").read_text())
        self._checks = checks

    def manifest(self, body: dict[str, Any] | None = None) -> Manifest:
        """The stack, or a copy of it, as the checks see it."""
        return Manifest.from_json(self.body if body is None else body, folder=self.folder, day=DAY)

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
    """The stacks of several environments, made in a process of their own: jsii keeps one kernel a process."""
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
