"""API keys that a destruction would leave behind: those of a rotation that was under way are in no state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import is_absent
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import Names, tags
from payinfra.deployment.key_rotation.keys import api_keys, joined, usage_plans

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient


@dataclass(frozen=True)
class OrphanedKey:
    """An API key that opens nothing any more."""

    region: str
    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.id}) in {self.region}"


@dataclass(frozen=True)
class OrphanedKeys:
    """An environment's API keys that no API of its name lets in.

    Known as a rotation knows them, by their names, and besides by the environment's tags. A key that a usage
    plan of the environment joins to an API is none: it may be in use, with a state that is elsewhere.

    Attributes:
        named: the environment's names, where they are not the usual ones.
    """

    aws: Aws
    env: str
    regions: Sequence[str]
    named: Names | None = None

    def look(self) -> tuple[OrphanedKey, ...]:
        """Those of all regions.

        Raises:
            EnvironmentUnusable: API Gateway does not say.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return tuple(key for region in self.regions for key in self._of(region))
        except (BotoCoreError, ClientError) as error:
            raise _unusable("say which API keys there are", error) from None

    def remove(self) -> tuple[OrphanedKey, ...]:
        """Remove them, and say which they were.

        Raises:
            EnvironmentUnusable: API Gateway does not say, or does not remove one.
        """
        return tuple(key for key in self.look() if self._removed(key))

    def _of(self, region: str) -> Iterator[OrphanedKey]:
        client, names = self.aws.apigateway(region), self.named or Names(self.env)
        ours = {names.api_key, names.next_api_key, names.former_api_key}
        found = [one for one in api_keys(client, names.api_key) if one.get("name") in ours]
        if not found:
            return
        let_in = set(_let_in(client, names.usage_plan))
        for one in found:
            if one.get("id") not in let_in and tags(self.env).items() <= one.get("tags", {}).items():
                yield OrphanedKey(region, one.get("id", ""), one.get("name", ""))

    def _removed(self, key: OrphanedKey) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.aws.apigateway(key.region).delete_api_key(apiKey=key.id)
        except ClientError as error:
            # AWS may list for a while what Terraform has just deleted.
            if is_absent(error):
                return False
            raise _unusable(f"remove {key}", error) from None
        except BotoCoreError as error:
            raise _unusable(f"remove {key}", error) from None
        return True


def _let_in(client: "APIGatewayClient", name: str) -> Iterator[str]:
    """The keys that open an API by a plan of this name. A plan that is being deleted has no stage left."""
    for plan in usage_plans(client, name):
        if plan.get("apiStages"):
            yield from joined(client, plan.get("id", ""))


def _unusable(what: str, error: Exception) -> EnvironmentUnusable:
    return EnvironmentUnusable(
        f"API Gateway does not {what}: {error}.", "Mend the cause and run the same command again."
    )
