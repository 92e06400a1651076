"""What is made in an account, and the role that CI deploys with, as text and as JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.core.json_text import parse_json
from payinfra.report.documents import document
from payinfra.report.formats import Format
from payinfra.report.results import write, write_json

if TYPE_CHECKING:
    from payinfra.account.changes import Changes
    from payinfra.account.ci_role import CiRole


def role(console: Console, found: "CiRole", fmt: Format) -> None:
    """A role's trust policy and what it may do, as they are given to IAM."""
    trust = parse_json(found.trust)
    policies = {policy.name: parse_json(policy.document) for policy in found.policies}
    if fmt is Format.JSON:
        write_json(
            console,
            document(
                "role",
                {"role_name": found.name, "role_arn": found.arn, "trust_policy": trust, "policies": policies},
            ),
        )
        return
    write(console, Text(f"Role {found.name} may be assumed as this trust policy says:"))
    write_json(console, trust)
    for name, policy_document in policies.items():
        write(console, Text(f"\nPolicy {name}:"))
        write_json(console, policy_document)
    write(console, Text("\nMake it with --deploy; --dry-run --deploy says what that would change."))


def changes(console: Console, made: "Changes", more: Mapping[str, str], fmt: Format) -> None:
    """What was changed in the account, or would be."""
    if fmt is Format.JSON:
        fields = {"dry_run": made.dry_run, "changes": list(made.said), **more}
        write_json(console, document("account-changes", fields))
        return
    verb = "Would" if made.dry_run else "Did"
    lines = [f"{verb}: {what}" for what in made.said] or ["Nothing to change: all is as it should be."]
    write(console, *(Text(line) for line in (*lines, *(f"{name}: {value}" for name, value in more.items()))))
