"""A machine for the worst day: payinfra, credentials, and the addresses of the embedded AWS; nothing else."""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dns.message
import dns.query
import httpx
import pytest

from payinfra.core.evacuation import EvacuationFlag
from payinfra.local.faults import RegionBlackout
from tests.e2e.conftest import Deployment, Done
from tests.support.project import Project

SCALE = 10.0
RECORDER = Path(__file__).parents[2] / "support" / "recorder.py"
FOUND = ("endpoints.json", "token", "credentials.json")


@dataclass
class Day:
    """The deployment on the day on which a region is lost.

    Attributes:
        machine: where the commands run.
        paid: the payments that were acknowledged, by id.
    """

    deployment: Deployment
    machine: Project
    records: Path
    paid: list[str] = field(default_factory=list)

    @property
    def primary(self) -> str:
        return self.deployment.region("primary")

    @property
    def secondary(self) -> str:
        return self.deployment.region("secondary")

    def port(self, region: str) -> int:
        return urlsplit(self.deployment.endpoints.regions[region]).port or 0

    @property
    def control_port(self) -> int:
        return urlsplit(self.deployment.endpoints.global_url).port or 0

    @property
    def dns_port(self) -> int:
        return int(self.deployment.endpoints.dns.rpartition(":")[2])

    # -- the commands -----------------------------------------------------------------------------

    def command(
        self, *words: str, refuses: tuple[int, ...] = (), controls: tuple[int, ...] = (), kills_at: int = -1
    ) -> Done:
        """Run payinfra on the bare machine, with everything that it sends written down.

        Args:
            refuses: ports that take no connection.
            controls: ports that serve no AWS service, and only tell where the embedded AWS is.
        """
        self.records.write_text("")
        self.machine.environ |= {
            "RECORDER_FILE": str(self.records),
            "RECORDER_REFUSES": ",".join(map(str, refuses)),
            "RECORDER_CONTROLS": ",".join(map(str, controls)),
            "RECORDER_KILLS_AT": str(kills_at),
        }
        return self.machine.run(*words, "--env", self.deployment.env, "--local", "--yes", "--format", "json")

    def sent(self) -> list[tuple[int, str]]:
        """What the last command sent: to which port, and how it began."""
        lines = map(json.loads, self.records.read_text().splitlines())
        return [(line["port"], line["said"]) for line in lines]

    # -- what clients see ---------------------------------------------------------------------------

    def leads_to(self) -> str:
        """The region that the failover name leads to now."""
        question = dns.message.make_query(self.deployment.outputs["failover_domain"], "CNAME")
        said = dns.query.udp(question, "127.0.0.1", 5, self.dns_port)
        return str(said.answer[0][0]).split(".")[2]

    def waits_for(self, holds: Callable[[], bool], within_s: float = 60.0) -> None:
        end = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < end, "not in time"
            time.sleep(0.1)

    def endpoint(self, region: str) -> str:
        role = "primary" if region == self.primary else "secondary"
        return self.deployment.output("api_endpoint", role)

    def pay(self, region: str, timeout: float = 30) -> httpx.Response:
        """A payment to the region that a client was led to."""
        key = f"evacuation-{uuid.uuid4()}"
        body = {
            "amount": 1,
            "currency": "USD",
            "customer_id": "evacuation",
            "payment_method": "wallet",
            "timestamp": int(time.time() * 1000),
        }
        headers = {"x-api-key": self.key, "Idempotency-Key": key}
        answer = httpx.post(self.endpoint(region), json=body, headers=headers, timeout=timeout)
        if answer.status_code == 201:
            self.paid.append(str(answer.json()["payment_id"]))
        return answer

    def missing(self, region: str) -> list[str]:
        """The acknowledged payments that a region answers with anything but themselves."""
        url = self.endpoint(region)
        return [
            one
            for one in self.paid
            if httpx.get(f"{url}/{one}", headers={"x-api-key": self.key}, timeout=30).status_code != 200
        ]

    @property
    def key(self) -> str:
        return self.deployment.api_key("secondary")

    def flag(self, role: str) -> EvacuationFlag | None:
        name = f"/payment-{self.deployment.env}/evacuated"
        value = self.deployment.client("ssm", role).get_parameter(Name=name)["Parameter"]["Value"]
        return EvacuationFlag.from_json(value)

    def blackout(self, region: str) -> Any:
        return self.deployment.control.inject(RegionBlackout(region))


@pytest.fixture
def day(deployment: Deployment, tmp_path: Path) -> Iterator[Day]:
    folder = tmp_path / "bare"
    machine = Project(folder, measured=False)
    machine.server.mkdir(parents=True, mode=0o700)
    for name in FOUND:
        shutil.copy2(deployment.project.server / name, machine.server / name)
    site = tmp_path / "site"
    site.mkdir()
    shutil.copy(RECORDER, site / "sitecustomize.py")
    machine.environ = {"PYTHONPATH": str(site), "PATH": "/nonexistent", "HOME": str(tmp_path)}
    found = Day(deployment, machine, tmp_path / "sent.jsonl")
    assert not os.access(folder / "payinfra.toml", os.F_OK)
    with deployment.in_a_hurry(SCALE):
        try:
            yield found
        finally:
            deployment.control.clear()
            for role in ("primary", "secondary"):
                deployment.client("ssm", role).put_parameter(
                    Name=f"/payment-{deployment.env}/evacuated", Value="{}", Type="String", Overwrite=True
                )
            found.waits_for(lambda: found.leads_to() == found.primary)
    deployment.calm()
