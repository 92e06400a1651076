"""Each variant of the stack is synthesized once a test run; tests read what came out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from payinfra.clients.aws import Endpoints
from payinfra.core.access_key import AccessKey
from payinfra.core.outputs import Declared
from payinfra.core.settings import Settings
from payinfra.stacks import cdktf_bindings

Block = Mapping[str, Any]

ENDPOINTS = Endpoints(
    {
        "us-east-1": "http://127.0.0.1:4566",
        "us-west-2": "http://127.0.0.1:4567",
        "eu-west-1": "http://127.0.0.1:4568",
    },
    "http://127.0.0.1:4560",
    access_key=AccessKey("AKIAOFTHETESTS", "secret-of-the-tests"),
)

VARIANTS: Mapping[str, Mapping[str, object]] = {
    # What a pull request gets on one laptop.
    "local": {"env": "pr123", "target": "local"},
    # The same on AWS.
    "lean": {"env": "pr124"},
    # All switches, a domain, and neither region us-east-1.
    "protected": {
        "env": "prod",
        "primary_region": "eu-west-1",
        "secondary_region": "us-west-2",
        "domain": "pay.example.com",
        "hosted_zone_id": "Z0123456789ABC",
        "owner": "payments",
        "cost_center": "42",
        "alarm_email": "oncall@example.com",
        "object_lock_days": 30,
        "reserved_concurrency": 50,
        "lambda_runtime": "python3.13",
        "lambda_architecture": "arm64",
        "lambda_memory_mb": 1024,
        "lambda_timeout_s": 20,
        "log_retention_days": 731,
        "audit_retention_days": 400,
        "api_rate_limit": 10.5,
        "api_burst_limit": 20,
        "daily_quota": 5000,
        "health_check_interval": 30,
        "health_check_threshold": 2,
        "dns_ttl": 30,
        "cors_origins": "https://shop.example.com",
        "keep_source_ip": True,
        "spread_statuses": False,
        "state_bucket": "our-states",
    },
    # us-east-1 second: its topic is the one that hears of health. Deployed as a role.
    "reversed": {
        "env": "dev-x",
        "role_arn": "arn:aws:iam::123456789012:role/payinfra-ci",
        "permissions_boundary": "arn:aws:iam::123456789012:policy/our-boundary",
        "primary_region": "us-west-2",
        "secondary_region": "us-east-1",
        "cors_origins": "https://a.example.com,https://b.example.com",
        "state_bucket": "our-states",
        "state_region": "eu-west-1",
        "state_key": "team/x.tfstate",
        "failback": "manual",
    },
}


@dataclass(frozen=True)
class Synthesized:
    """A synthesized stack.

    Attributes:
        content: what cdk.tf.json holds.
        endpoints: where the embedded AWS was said to answer, if that was the target.
    """

    settings: Settings
    folder: Path
    content: Mapping[str, Any]
    endpoints: Endpoints | None

    @property
    def declared(self) -> Declared:
        """The output `declared`, as it stands before Terraform fills in what it learns."""
        return Declared.from_json(self.content["output"]["declared"]["value"])

    def all(self) -> Mapping[str, Block]:
        """Every resource by its address."""
        return {
            f"{type_}.{name}": block
            for type_, named in self.content["resource"].items()
            for name, block in named.items()
        }

    def of(self, type_: str) -> Mapping[str, Block]:
        """The resources of one type, by name; without the prefix `aws_`."""
        found: Mapping[str, Block] = self.content["resource"].get(f"aws_{type_}", {})
        return found

    def pair(self, type_: str, name: str) -> tuple[Block, Block]:
        """The resource of the primary and of the secondary region."""
        named = self.of(type_)
        return named[f"primary_{name}"], named[f"secondary_{name}"]


Synthesize = Callable[[str], Synthesized]


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Gives a variant by name, made when it is first asked for."""
    cdktf_bindings.prepare()
    from payinfra import stacks

    made: dict[str, Synthesized] = {}

    def give(variant: str) -> Synthesized:
        if variant not in made:
            folder = tmp_path_factory.mktemp(variant)
            settings = Settings.resolve(
                {**VARIANTS[variant], "work_root": Path("work")}, folder=folder, environ={}
            )
            endpoints = ENDPOINTS if settings.is_local else None
            stack = stacks.synthesize(settings, out=folder / "out", endpoints=endpoints)
            content = json.loads((stack / "cdk.tf.json").read_text(encoding="utf-8"))
            made[variant] = Synthesized(settings, stack, content, endpoints)
        return made[variant]

    return give


@pytest.fixture(scope="session")
def local(synthesized: Synthesize) -> Synthesized:
    """The stack of a pull request."""
    return synthesized("local")


@pytest.fixture(scope="session")
def lean(synthesized: Synthesize) -> Synthesized:
    """The stack of a pull request on AWS."""
    return synthesized("lean")


@pytest.fixture(scope="session")
def protected(synthesized: Synthesize) -> Synthesized:
    """The stack with every switch."""
    return synthesized("protected")


@pytest.fixture(scope="session")
def backwards(synthesized: Synthesize) -> Synthesized:
    """The stack with us-east-1 as the secondary."""
    return synthesized("reversed")


@pytest.fixture(scope="session", params=sorted(VARIANTS))
def every(request: pytest.FixtureRequest, synthesized: Synthesize) -> Synthesized:
    """Each variant in turn."""
    return synthesized(str(request.param))
