"""What a region's API calls: which version it is, whether it serves, and the way back to the one before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from payinfra.clients.aws import Aws
from payinfra.clients.payments_api import health_url
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import Emit, Notice
from payinfra.core.naming import FUNCTION_ALIAS
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.core.run_id import user_agent
from payinfra.deployment.smoke_test import payment_in_region

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

ANSWERS_WITHIN_S = 5.0
SERVES_WITHIN_S = 15.0
"""How long a new version may take to serve. Short: while it does not, the region's clients get its errors."""


def _client_of_the_apis() -> httpx.Client:
    return httpx.Client(timeout=10.0, headers={"User-Agent": user_agent()})


@dataclass(frozen=True)
class LambdaAlias:
    """The functions of a deployment, as their APIs call them.

    Args:
        aws: where they are.
        http: makes a client of the APIs, which is closed after use.
        serves_within_s: how long `verify` waits.
    """

    aws: Aws
    http: Callable[[], httpx.Client] = _client_of_the_apis
    serves_within_s: float = SERVES_WITHIN_S

    def silent(self, outputs: Outputs) -> tuple[str, ...]:
        """The regions whose health page does not answer 200 at the first try."""
        with self.http() as http:
            return tuple(region.region for region in outputs.regions if not _answers(http, region))

    def verify(self, region: RegionOutputs, env: str) -> str:
        """Ask the region's health page, and send a canary payment through it; the payment's id.

        Raises:
            GateFailed: it does not serve.
        """
        with self.http() as http:
            return payment_in_region(region, self.aws, env=env, http=http, within_s=self.serves_within_s)

    @contextmanager
    def rollback_on_failure(self, region: RegionOutputs, emit: Emit) -> Iterator[None]:
        """Note the version that the region's API calls; if the block fails, let it call that one again.

        Raises:
            EnvironmentUnusable: that version cannot be told; the block has not run.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            before = self._version(region)
        except (BotoCoreError, ClientError) as error:
            raise EnvironmentUnusable(
                f"{_alias(region)} cannot be read, so there would be no way back: {error}.",
                "Mend that, or update with --all-at-once.",
            ) from None
        try:
            yield
        except BaseException:
            try:
                if self._version(region) != before:
                    self._point(region, before)
                    emit(Notice(f"{_alias(region)} points to version {before} again."))
            except (BotoCoreError, ClientError) as error:
                emit(
                    Notice(
                        f"{_alias(region)} could not be pointed back to version {before}: {error}. Do it "
                        f"with: aws lambda update-alias --region {region.region} --function-name "
                        f"{region.lambda_function_name} --name {FUNCTION_ALIAS} --function-version {before}"
                    )
                )
            raise

    def _client(self, region: RegionOutputs) -> "LambdaClient":
        client: LambdaClient = self.aws.client("lambda", region.region)
        return client

    def _version(self, region: RegionOutputs) -> str:
        answer = self._client(region).get_alias(FunctionName=region.lambda_function_name, Name=FUNCTION_ALIAS)
        return answer["FunctionVersion"]

    def _point(self, region: RegionOutputs, version: str) -> None:
        self._client(region).update_alias(
            FunctionName=region.lambda_function_name, Name=FUNCTION_ALIAS, FunctionVersion=version
        )


def _alias(region: RegionOutputs) -> str:
    return f"Alias {FUNCTION_ALIAS} of {region.lambda_function_name} in {region.region}"


def _answers(http: httpx.Client, region: RegionOutputs) -> bool:
    try:
        return (
            http.get(health_url(region.api_endpoint), timeout=ANSWERS_WITHIN_S).status_code == httpx.codes.OK
        )
    except httpx.TransportError:
        return False
