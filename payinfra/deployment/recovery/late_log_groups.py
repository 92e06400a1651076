"""Log groups that came back after they were deleted: a line that API Gateway wrote late made them again.

API Gateway writes its log lines some time after the requests, and makes a log group that is not there (its
role has logs:CreateLogGroup, AWS's AmazonAPIGatewayPushToCloudWatchLogs). Such a group has no tags, no
retention and no key. It is nobody's: nothing is in it but lines of an API that is gone.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import is_absent
from payinfra.core.errors import EnvironmentUnusable

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

COME_WITHIN_S = 20.0
"""How long after a destruction the last lines of its API are waited for on AWS, which promises no time: they
are seen within seconds as a rule, and the API is one of the first things that a destruction deletes."""
PAUSE_S = 2.0


def groups_called(client: "CloudWatchLogsClient", name: str) -> Iterator[Mapping[str, Any]]:
    """The log group of this name, if there is one. The list is of all names that begin so."""
    for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
        yield from (one for one in page["logGroups"] if one.get("logGroupName") == name)


def came_back(client: "CloudWatchLogsClient", group: Mapping[str, Any]) -> bool:
    """Whether a group is one that a late line made: it has nothing that the environment's own have."""
    if group.get("retentionInDays") or group.get("kmsKeyId"):
        return False
    arn = str(group["arn"]).removesuffix(":*")
    return not client.list_tags_for_resource(resourceArn=arn).get("tags")


@dataclass(frozen=True)
class LateLogGroups:
    """The groups of an environment that may have come back.

    Args:
        names: of its log groups, by region.
        sleep: waits so many seconds.
        clock: a clock that never goes back, in seconds.
    """

    aws: Aws
    names: Mapping[str, Iterable[str]]
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def remove(self, within_s: float = 0.0) -> tuple[str, ...]:
        """Delete those that have come back, looking for so many seconds; say which they were.

        Raises:
            EnvironmentUnusable: AWS does not say which there are, or does not delete one.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        ends, removed = self.clock() + within_s, dict[str, None]()
        try:
            while True:
                removed |= dict.fromkeys(self._removed())
                if self.clock() + PAUSE_S > ends:
                    return tuple(removed)
                self.sleep(PAUSE_S)
        except (BotoCoreError, ClientError) as error:
            raise EnvironmentUnusable(
                f"Log groups that late lines may have made again cannot be looked for and deleted: {error}.",
                "Allow logs:DescribeLogGroups, logs:ListTagsForResource and logs:DeleteLogGroup, and run the "
                "same command again.",
            ) from None

    def _removed(self) -> Iterator[str]:
        from botocore.exceptions import ClientError

        for region, names in self.names.items():
            client = self.aws.logs(region)
            for name in names:
                for group in groups_called(client, name):
                    if not came_back(client, group):
                        continue
                    try:
                        client.delete_log_group(logGroupName=name)
                    except ClientError as error:
                        if not is_absent(error):
                            raise
                    yield f"{name} in {region}"
