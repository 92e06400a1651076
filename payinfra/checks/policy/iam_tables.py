"""What AWS publishes about IAM, as tables: services' actions, forms of ARNs, managed policies.

`python -m scripts.iam_tables` writes them. Each line of the two text tables is one service, and only the
lines of the services that a stack names are taken apart.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).with_name("data")
ACTIONS = "iam_actions.txt"
ARNS = "iam_arns.txt"
MANAGED = "aws_managed_policies.json"


@dataclass(frozen=True)
class ServiceActions:
    """A service's actions in lower case, without its prefix.

    Attributes:
        every_resource: those that take no resource but `*`.
        narrow: those that take an ARN.
    """

    every_resource: frozenset[str] = frozenset()
    narrow: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ManagedPolicy:
    """What one of AWS's own policies allows.

    Attributes:
        whole_service: an action such as `s3:*` that it allows, or `*`; empty where it allows no whole
        service.
        every_resource: an action with a narrower form that it allows on every resource, beyond writing logs,
            traces and metrics, network interfaces in a VPC and reading images; empty where there is none.
        uses_keys: whether it allows any use of KMS.
    """

    whole_service: str = ""
    every_resource: str = ""
    uses_keys: bool = False


@lru_cache(maxsize=8)
def _lines(name: str) -> Mapping[str, str]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return dict(line.split("\t", 1) for line in text.splitlines() if line and not line.startswith("#"))


@lru_cache(maxsize=64)
def actions_of(service: str) -> ServiceActions | None:
    """A service's actions by its prefix, such as `dynamodb`; None where there is no such service."""
    line = _lines(ACTIONS).get(service.lower())
    if line is None:
        return None
    every, _, narrow = line.partition("\t")
    return ServiceActions(frozenset(every.split()), frozenset(narrow.split()))


@lru_cache(maxsize=64)
def arn_forms(service: str) -> tuple[str, ...]:
    """The forms of a service's ARNs after `arn:aws:<service>:`, with `$` for each part that is free."""
    return tuple(_lines(ARNS).get(service.lower(), "").split())


@lru_cache(maxsize=1)
def managed_policies() -> Mapping[str, ManagedPolicy]:
    """AWS's own policies by name."""
    document = json.loads((FOLDER / MANAGED).read_text(encoding="utf-8"))
    return {name: ManagedPolicy(*entry) for name, entry in document["policies"].items()}
