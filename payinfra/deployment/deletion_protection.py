"""The deletion protection of the table's replicas, which is each one's own.

Terraform's provider sets that of the region which the table is made from: in version 5.100 the `replica`
block of `aws_dynamodb_table` has no argument for it; a later version has (hashicorp/terraform-provider-aws,
issue 42846 and pull request 43240). So the others are set after an apply. The provider does not read them,
and the next plan stays empty.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import NotYet, is_absent
from payinfra.clients.retry import Deadline
from payinfra.core.errors import EnvironmentUnusable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ACTIVE_WITHIN_S = 120.0
"""How long a table may take to be active again; AWS takes seconds to change this setting."""


@dataclass(frozen=True)
class DeletionProtection:
    """Sets the protection in each region.

    Args:
        sleep: waits so many seconds.
    """

    aws: Aws
    table: str
    regions: Sequence[str]
    sleep: Callable[[float], None] = time.sleep

    def set(self, wanted: bool) -> tuple[str, ...]:
        """Make it so in each region that has the table; the regions where it was otherwise.

        Raises:
            EnvironmentUnusable: DynamoDB refuses, or a table does not become active again.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return tuple(region for region in self.regions if self._changed(region, wanted))
        except (BotoCoreError, ClientError, NotYet) as error:
            raise EnvironmentUnusable(
                f"The deletion protection of table {self.table} cannot be turned {'on' if wanted else 'off'} "
                f"in every region: {error}.",
                "Allow dynamodb:DescribeTable and dynamodb:UpdateTable in both regions, and run the same "
                "command again.",
            ) from None

    def _changed(self, region: str, wanted: bool) -> bool:
        from botocore.exceptions import ClientError

        client = self.aws.dynamodb(region)
        try:
            found = client.describe_table(TableName=self.table)["Table"]
        except ClientError as error:
            if is_absent(error):
                return False
            raise
        if found.get("DeletionProtectionEnabled", False) is wanted:
            return False
        deadline = Deadline.within(ACTIVE_WITHIN_S, sleep=self.sleep)
        deadline.poll(lambda: self._require_active(client))
        client.update_table(TableName=self.table, DeletionProtectionEnabled=wanted)
        deadline.poll(lambda: self._require_active(client))
        return True

    def _require_active(self, client: "DynamoDBClient") -> None:
        status = client.describe_table(TableName=self.table)["Table"].get("TableStatus")
        if status != "ACTIVE":
            raise NotYet(f"the table is {status}")
