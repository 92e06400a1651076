"""What a region's API calls: which version it is, whether it serves, and the way back to the one before."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import is_absent
from payinfra.clients.http import make_client
from payinfra.core.errors import EnvironmentUnusable, GateFailed, Interrupted
from payinfra.core.events import Emit, Notice
from payinfra.core.naming import FUNCTION_ALIAS
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.core.stop_signals import DeferredSignals, StopRequested
from payinfra.deployment.rollback_journal import AliasChange, RollbackJournal, now
from payinfra.deployment.smoke_test import payment_in_region

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

SERVES_WITHIN_S = 15.0
"""How long a new version may take to serve. Short: while it does not, the region's clients get its errors."""
RECOVERS_WITHIN_S = 45.0
"""The same where the region did not serve before: its health page believes in three good looks, 10 s apart
(`handlers/payments/recording.py`), and nobody is sent there meanwhile."""


def _client_of_the_apis() -> httpx.Client:
    return make_client(10.0)


@dataclass(frozen=True)
class LambdaAlias:
    """The functions of a deployment, as their APIs call them.

    Args:
        aws: where they are.
        http: makes a client of the APIs, which is closed after use.
        serves_within_s: how long `verify` waits.
        recovers_within_s: the same for a region that did not serve before.
    """

    aws: Aws
    http: Callable[[], httpx.Client] = _client_of_the_apis
    serves_within_s: float = SERVES_WITHIN_S
    recovers_within_s: float = RECOVERS_WITHIN_S

    def silent(self, outputs: Outputs) -> tuple[str, ...]:
        """The regions that do not serve payments, by the same proof that a new version has to give.

        What cannot be found out counts as not serving.
        """
        return tuple(region.region for region in outputs.regions if not self._serves(region, outputs))

    def verify(self, region: RegionOutputs, outputs: Outputs, *, recovers: bool = False) -> str:
        """Ask the region's health page, and send a canary payment through it; the payment's id.

        Args:
            region: one of the two.
            outputs: of the environment: they say what a payment looks like.
            recovers: the region did not serve before.

        Raises:
            GateFailed: it does not serve, or AWS does not let us find out.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with self.http() as http:
                return payment_in_region(
                    region,
                    self.aws,
                    env=outputs.environment_suffix,
                    http=http,
                    within_s=self.recovers_within_s if recovers else self.serves_within_s,
                    contract=outputs.canary,
                )
        except (BotoCoreError, ClientError) as error:
            raise GateFailed(
                f"Whether {region.region} serves payments cannot be found out: {error}",
                "Check the credentials, and whether the region answers.",
            ) from None

    @contextmanager
    def rollback_on_failure(
        self, region: RegionOutputs, emit: Emit, journal: RollbackJournal, *, serves: bool = True
    ) -> Iterator[Callable[[], None]]:
        """Let the region's API call the version from before the block again, if the block fails.

        A signal that asks payinfra to stop ends the block, and does not cut the rollback short. After a kill,
        the journal tells the next run what to roll back.

        Args:
            serves: the region serves, so that there must be a version to go back to. Where it does not, its
                function may be gone, and the block is there to make it anew.

        Yields:
            What to call when the alias has moved, so that the journal names the new version.

        Raises:
            EnvironmentUnusable: the version cannot be found out; the block has not run.
            GateFailed: the block was interrupted, and the rollback failed.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            change = AliasChange(
                region.region, region.lambda_function_name, FUNCTION_ALIAS, self._called(region), now()
            )
        except (BotoCoreError, ClientError) as error:
            if not serves and isinstance(error, ClientError) and is_absent(error):
                yield lambda: None
                return
            raise EnvironmentUnusable(
                f"{_alias(region)} cannot be read, so there would be no way back: {error}.",
                "Mend that, or update with --all-at-once.",
            ) from None

        failed = False

        def moved() -> None:
            nonlocal change
            with contextlib.suppress(BotoCoreError, ClientError):  # the journal names the former one at least
                change = journal.deployed(change, self._version(change))

        def told(_number: signal.Signals) -> None:
            if failed:
                emit(Notice("The update is being rolled back. That is not cut short: it ends by itself."))

        with DeferredSignals(told) as signals:
            try:
                with signals.interruptible():
                    journal.begin(change)
                    yield moved
            except BaseException as failure:
                failed = True
                if problem := self._undo(change, journal, emit):
                    if isinstance(failure, StopRequested | KeyboardInterrupt | Interrupted):
                        raise GateFailed(
                            "The update was interrupted, and not rolled back.", problem
                        ) from None
                    emit(Notice(problem))
                raise
            journal.end()

    def roll_back(self, change: AliasChange) -> str:
        """Let an alias call the version from before a step again.

        A version that the step did not deploy is another run's, and stays.

        Returns:
            What came of it, in a sentence; empty where the alias calls the version from before already.

        Raises:
            BotoCoreError, ClientError: AWS refuses, or does not answer.
        """
        called = self._version(change)
        if called == change.before:
            return ""
        if change.deployed not in ("", called):
            return f"{change} points to version {called}, which that update did not deploy. It stays."
        self._client(change.region).update_alias(
            FunctionName=change.function, Name=change.alias, FunctionVersion=change.before
        )
        return f"{change} points to version {self._version(change)} again."

    def roll_back_cut_off(self, change: AliasChange) -> str:
        """Roll back the step of an earlier run that was cut off; what came of it, in a sentence.

        Raises:
            EnvironmentUnusable: AWS refuses, or does not answer.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return (
                self.roll_back(change) or f"{change} points to version {change.before}, as before the update."
            )
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and is_absent(error):
                return f"{change} is gone."
            raise EnvironmentUnusable(
                f"{change} was changed by an update that was cut off, and could not be pointed back to "
                f"version {change.before}: {error}.",
                _by_hand(change),
            ) from None

    def _undo(self, change: AliasChange, journal: RollbackJournal, emit: Emit) -> str:
        """Roll back a step of this run; if that fails, what a person has to do, else nothing."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            said = self.roll_back(change)
        except (BotoCoreError, ClientError) as error:
            return (
                f"{change} could not be pointed back to version {change.before}: {error}. {_by_hand(change)}"
            )
        journal.end()
        if said:
            emit(Notice(said))
        return ""

    def _serves(self, region: RegionOutputs, outputs: Outputs) -> bool:
        try:
            self.verify(region, outputs)
        except GateFailed:
            return False
        return True

    def _client(self, region: str) -> "LambdaClient":
        client: LambdaClient = self.aws.client("lambda", region)
        return client

    def _called(self, region: RegionOutputs) -> str:
        answer = self._client(region.region).get_alias(
            FunctionName=region.lambda_function_name, Name=FUNCTION_ALIAS
        )
        return answer["FunctionVersion"]

    def _version(self, change: AliasChange) -> str:
        answer = self._client(change.region).get_alias(FunctionName=change.function, Name=change.alias)
        return answer["FunctionVersion"]


def _alias(region: RegionOutputs) -> str:
    return f"Alias {FUNCTION_ALIAS} of {region.lambda_function_name} in {region.region}"


def _by_hand(change: AliasChange) -> str:
    return (
        f"Run `aws lambda update-alias --region {change.region} --function-name {change.function} "
        f"--name {change.alias} --function-version {change.before}`, or deploy again: that rolls back first."
    )
