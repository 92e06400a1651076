"""Judges whether the role that makes a call on AWS would have been allowed what was recorded.

Most end-to-end tests work as the account's root, which may do everything. Every action that IAM was asked
about then, with its resource, its context and the tags that the resource had, is put to the policies of the
role that `payinfra ci-role` prints, by the evaluator that the embedded AWS enforces policies with. What was
done under another role, with `--assume-role`, that evaluator has allowed already when it was done.
"""

import importlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from payinfra.account.permissions import permissions
from payinfra.account.policies import policies
from payinfra.account.scope import PermissionScope
from payinfra.clients.aws import FOR_PAYMENTS, PREPARES_ACCOUNT
from payinfra.core.naming import regions_used
from payinfra.local.emulator_environment import ACCOUNT
from scripts.conformance import documented
from scripts.conformance.requests import RecordedRequest

ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
"""What AWS asks no policy about (STS API reference, GetCallerIdentity)."""
ASKED_IN_VAIN = frozenset({"iam:GetUser"})
"""What Terraform's provider asks to find the account out, and does without where it is refused."""
_ZONE = re.compile(r"arn:aws:route53:::hostedzone/([^/]+)")
_DOMAIN = re.compile(r"arn:aws:apigateway:[^:]*::/domainnames/([^/]+)")
_BUCKET = re.compile(r"arn:aws:s3:::([^/]+)/payinfra/payment-")


@dataclass
class PermissionQuestions:
    """What IAM was asked about the requests that were served, each distinct question once.

    Attributes:
        of_root: the questions about the account's root, which the role for CI is to be allowed.
        of_operators: those about the root when it decided about payments; docs/account.md has what they need.
        of_roles: how many more there were about roles, which were held to their policies when they asked.
    """

    of_root: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    of_operators: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _of_roles: set[str] = field(default_factory=set)

    @property
    def of_roles(self) -> int:
        return len(self._of_roles)

    def take(self, request: RecordedRequest) -> None:
        """Add what was asked about a request.

        Left out is what the embedded AWS refused, as AWS would have, and what `bootstrap` and `ci-role` do
        once for an account, as somebody who may do more (docs/account.md).
        """
        agent = request.headers.get("user-agent", "")
        if request.status >= 400 or PREPARES_ACCOUNT in agent:
            return
        of_root = self.of_operators if FOR_PAYMENTS in agent else self.of_root
        for asked in request.asked:
            named = f"{asked['action']} on {asked['resource']}"
            if asked["action"] in ALWAYS_ALLOWED | ASKED_IN_VAIN:
                continue
            question = repr((named, asked["region"], asked["context"], asked["tags"]))
            if asked["caller"].endswith(":root"):
                of_root[question] = asked
            else:
                self._of_roles.add(question)

    def refused(self) -> list[str]:
        """What was done as the root that the role for CI, or an operator's, would have been refused."""
        judged = (
            (self.of_root, RoleForCi(tuple(self.of_root.values())), "the role for CI may not"),
            (self.of_operators, RoleOfOperators(), "an operator's role may not, as docs/account.md has it"),
        )
        return sorted(
            {
                f"{asked['action']} on {asked['resource']}: {said}"
                for questions, role, said in judged
                for asked in questions.values()
                if not role.allows(asked)
            }
        )


class JudgedRole:
    """A role with policies in layers: it may do what all the policies of one layer together allow."""

    def __init__(self, layers: Iterable[Iterable[str]]) -> None:
        self.evaluator: Any = importlib.import_module("ministack.core.iam_evaluator")
        self.layers = [[self.evaluator.parse_policy_document(one) for one in layer] for layer in layers]

    def allows(self, asked: Mapping[str, Any]) -> bool:
        """Whether it may."""
        context = {key.lower(): value for key, value in asked["context"].items()}
        context.setdefault("aws:tagkeys", None)
        for name, value in asked["tags"].items():
            context.setdefault(f"aws:resourcetag/{name}".lower(), value)
        question = self.evaluator.EvalContext(
            principal_arn=f"arn:aws:iam::{ACCOUNT}:role/judged",
            principal_type="AssumedRole",
            principal_account=ACCOUNT,
            action=asked["action"],
            resource_arn=asked["resource"],
            region=asked["region"],
            source_ip="127.0.0.1",
            secure_transport=True,
            service_context=context,
        )
        return any(self.evaluator.evaluate(question, layer).decision == "Allow" for layer in self.layers)


class RoleOfOperators(JudgedRole):
    """Who decides about payments in any environment."""

    def __init__(self) -> None:
        super().__init__([[json.dumps(documented.of_operators("*", ACCOUNT))]])


class RoleForCi(JudgedRole):
    """The policies of the role, for every place that the record shows a deployment of.

    A region pair, a domain with its zone, and a bucket of states are a place each: they are what the role is
    printed for, and are read from the record.
    """

    def __init__(self, questions: tuple[Mapping[str, Any], ...]) -> None:
        named = [str(one["resource"]) for one in questions]
        regions = sorted({str(one["region"]) for one in questions if one["region"]})
        # The widest come first, which allow most of it.
        domains = (None, *sorted(_found(_DOMAIN, named)))
        zones = sorted(_found(_ZONE, named))
        buckets = (None, *sorted(_found(_BUCKET, named)))
        super().__init__(
            _documents(PermissionScope(ACCOUNT, pair, None, domain, zone, bucket))
            for pair in _pairs(regions)
            for domain in domains
            for zone in (zones if domain else (None,))
            for bucket in buckets
        )


def _documents(reach: PermissionScope) -> list[str]:
    return [one.document for one in policies("judged", _with_parent(reach), permissions())]


def _with_parent(reach: PermissionScope) -> PermissionScope:
    """The domain of a custom name: the names are `failover.…` and `latency.…` below it."""
    if reach.domain is None:
        return reach
    labels = reach.domain.split(".")
    parent = ".".join(labels[1:])
    return PermissionScope(
        reach.account, reach.regions, None, parent, reach.hosted_zone_id, reach.state_bucket
    )


def _found(pattern: "re.Pattern[str]", named: Iterable[str]) -> set[str]:
    return {found[1] for one in named if (found := pattern.match(one))}


def _pairs(regions: list[str]) -> list[tuple[str, str]]:
    """Pairs that together hold every region of the record."""
    if len(regions) < 2:
        return (
            [(regions[0], next(one for one in ("us-west-2", "us-east-1") if one != regions[0]))]
            if regions
            else []
        )
    return [
        (one, other)
        for one in regions
        for other in regions
        if one < other and one in regions_used((one, other))
    ]
