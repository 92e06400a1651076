"""Reads what a deployment published in a region, with nothing but credentials for that region."""

from typing import TYPE_CHECKING

from payinfra.clients.aws_errors import is_absent, message_of
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import Names, Parameter
from payinfra.core.published import PublishedDeployment

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws


def read(aws: "Aws", env: str, region: str, names: Names | None = None) -> PublishedDeployment:
    """The deployment of an environment, as a region tells of it. Asks Parameter Store of that region only.

    Args:
        names: the environment's, where the project has a prefix of its own.

    Raises:
        EnvironmentUnusable: nothing is published there, it cannot be read, or the region does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    name = (names or Names(env)).parameter(Parameter.DEPLOYMENT)
    try:
        found = aws.ssm(region).get_parameter(Name=name)["Parameter"]["Value"]
    except ClientError as error:
        if is_absent(error):
            raise EnvironmentUnusable(
                f"{region} has no parameter {name}: no deployment of {env} has published itself there.",
                "Look at the environment's name, the region and the account; an environment of an earlier "
                "version of payinfra must be deployed once more.",
            ) from None
        raise EnvironmentUnusable(
            f"The parameter {name} in {region} cannot be read: {message_of(error)}.",
            f"Use credentials that may call ssm:GetParameter in {region}; docs/break-glass.md names some.",
        ) from None
    except BotoCoreError as error:
        raise EnvironmentUnusable(
            f"Parameter Store in {region} cannot be asked: {error}.",
            "Look at the network and at the credentials of this machine.",
        ) from None
    return PublishedDeployment.from_json(found)
