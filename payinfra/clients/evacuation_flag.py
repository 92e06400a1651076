"""The flag of an evacuation in a region's Parameter Store: read, set and lifted with three calls there."""

from typing import TYPE_CHECKING, TypeVar

from payinfra.clients.aws_errors import is_absent, message_of
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.evacuation import NOT_EVACUATED, EvacuationFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from payinfra.clients.aws import Aws

Answer = TypeVar("Answer")


def read(aws: "Aws", region: str, parameter: str) -> EvacuationFlag | None:
    """The flag that a region keeps; None where it says of no region that it is evacuated.

    Raises:
        EnvironmentUnusable: the region does not answer, or refuses.
    """
    return _asked("read", region, parameter, lambda: look(aws, region, parameter))


def look(aws: "Aws", region: str, parameter: str) -> EvacuationFlag | None:
    """As `read`, for callers that try again by themselves.

    Raises:
        ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    from botocore.exceptions import ClientError

    try:
        value = aws.ssm(region).get_parameter(Name=parameter)["Parameter"]["Value"]
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return EvacuationFlag.from_json(value)


def write(aws: "Aws", region: str, parameter: str, flag: EvacuationFlag) -> None:
    """Set the flag that a region keeps. To set it again changes nothing.

    Raises:
        EnvironmentUnusable: the region does not answer, or refuses.
    """
    _put(aws, region, parameter, flag.to_json(), "set")


def lift(aws: "Aws", region: str, parameter: str) -> None:
    """Lift the flag that a region keeps. To lift it again changes nothing.

    Raises:
        EnvironmentUnusable: the region does not answer, or refuses.
    """
    _put(aws, region, parameter, NOT_EVACUATED, "lifted")


def _put(aws: "Aws", region: str, parameter: str, value: str, done: str) -> None:
    _asked(done, region, parameter, lambda: put(aws, region, parameter, value))


def put(aws: "Aws", region: str, parameter: str, value: str) -> None:
    """Write the parameter, for callers that try again by themselves.

    Raises:
        ClientError, BotoCoreError: the region does not answer, or refuses.
    """
    aws.ssm(region).put_parameter(Name=parameter, Value=value, Type="String", Overwrite=True)


def _asked(done: str, region: str, parameter: str, ask: "Callable[[], Answer]") -> Answer:
    from botocore.exceptions import BotoCoreError, ClientError

    action = "ssm:GetParameter" if done == "read" else "ssm:PutParameter"
    try:
        return ask()
    except ClientError as error:
        raise EnvironmentUnusable(
            f"The flag of an evacuation, {parameter} in {region}, cannot be {done}: {message_of(error)}.",
            f"Use credentials that may call {action} in {region}; docs/break-glass.md names some.",
        ) from None
    except BotoCoreError as error:
        raise EnvironmentUnusable(
            f"The flag of an evacuation, {parameter} in {region}, cannot be {done}: {error}.",
            "Run the command again: it goes on where it was.",
        ) from None
