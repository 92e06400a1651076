"""Whose a state or a file of outputs is, by the names and ARNs in it: a folder may have been copied."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import Names
from payinfra.core.outputs import Outputs
from payinfra.terraform import Kept
from payinfra.terraform.jsonvalue import text

ACCOUNT = re.compile(r"[0-9]{12}")
TABLE = re.compile(r"payment-(?P<env>[a-z0-9-]+)-payments")


@dataclass(frozen=True)
class Identity:
    """The environments and the accounts that something names; none where it does not say."""

    envs: frozenset[str]
    accounts: frozenset[str]

    @classmethod
    def of_state(cls, kept: Iterable[Kept]) -> Self:
        """By the resources' tags and ARNs."""
        there = tuple(kept)
        envs = {text(one.attributes, "tags_all", "Environment") for one in there}
        return cls(frozenset(envs - {""}), _accounts(text(one.attributes, "arn") for one in there))

    @classmethod
    def of_outputs(cls, outputs: Outputs) -> Self:
        """By the table's name and ARN."""
        table, env = outputs.primary.dynamodb_table_name, outputs.environment_suffix
        usual = TABLE.fullmatch(table)
        # With a prefix of the project's own, the name tells the environment only to who knows it.
        named = {env} if table.endswith(Names(env, "").table) else {usual["env"]} if usual else set()
        return cls(frozenset(named), _accounts((outputs.primary.dynamodb_table_arn,)))

    def require(self, env: str, account: str, where: str) -> None:
        """Refuse what is another environment's, or another account's.

        Args:
            where: the file that says so.

        Raises:
            EnvironmentUnusable: it is.
        """
        if self.envs - {env}:
            raise EnvironmentUnusable(
                f"{where} is not of environment {env} but of {', '.join(sorted(self.envs))}.", _COPIED
            )
        if self.accounts - {account}:
            raise EnvironmentUnusable(
                f"{where} is of account {', '.join(sorted(self.accounts))}, and the credentials are of "
                f"account {account}.",
                f"Use credentials of that account. {_COPIED}",
            )


_COPIED = (
    "If the folder was copied from elsewhere, move that file away; `payinfra adopt` then takes in what "
    "exists of the environment."
)


def _accounts(arns: Iterable[str]) -> frozenset[str]:
    """The accounts that ARNs name; those of S3, API Gateway and Route 53 name none."""
    named = (arn.split(":")[4] for arn in arns if arn.count(":") >= 5)
    return frozenset(one for one in named if ACCOUNT.fullmatch(one))
