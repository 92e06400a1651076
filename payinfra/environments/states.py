"""Finds the Terraform state of an environment that may have been deployed from elsewhere."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from payinfra.aws import Aws
from payinfra.errors import EnvironmentUnusable
from payinfra.naming import Names
from payinfra.settings import Settings

STATE_FILE = "terraform.tfstate"

Resolve = Callable[[Mapping[str, object]], Settings]


@dataclass(frozen=True)
class States:
    """Where states are kept: in the work folder, or in a bucket.

    Args:
        aws: reads the bucket.
        resolve: settings from flags, by field name.
    """

    aws: Aws
    resolve: Resolve

    def settings(self, env: str) -> Settings:
        """The settings with which an environment can be destroyed: its regions are those of its state.

        Terraform looks for what it made in the regions of the configuration. With others it would find
        nothing, and forget everything.

        Raises:
            UsageProblem: payinfra would not give an environment that name, or those settings.
            EnvironmentUnusable: it has no state here, the state is of nothing, or does not name its regions.
        """
        plain = self.resolve({"env": env})
        where, text = self._read(plain)
        primary, secondary = _regions(where, text)
        bucket = (
            {} if plain.state_bucket is None else {"state_region": plain.state_region or plain.primary_region}
        )
        return self.resolve({"env": env, "primary_region": primary, "secondary_region": secondary, **bucket})

    def _read(self, settings: Settings) -> tuple[str, str]:
        """Where the state is, and its text."""
        if settings.state_bucket is None:
            path = settings.work_dir / STATE_FILE
            try:
                return str(path), path.read_text(encoding="utf-8")
            except FileNotFoundError:
                raise EnvironmentUnusable(
                    f"There is no state of it in {path}.", without(settings.env)
                ) from None
            except (OSError, UnicodeDecodeError) as error:
                raise EnvironmentUnusable(f"{path} cannot be read: {error}.", without(settings.env)) from None
        from botocore.exceptions import BotoCoreError, ClientError

        key = settings.state_key or Names(settings.env).state_key
        where = f"s3://{settings.state_bucket}/{key}"
        client = self.aws.s3(settings.state_region or settings.primary_region)
        try:
            body = client.get_object(Bucket=settings.state_bucket, Key=key)["Body"]
            return where, body.read().decode(errors="replace")
        except (BotoCoreError, ClientError) as error:
            raise EnvironmentUnusable(f"{where} cannot be read: {error}.", without(settings.env)) from None


def without(env: str) -> str:
    """What to do about an environment whose state is not at hand."""
    return (
        "Run this in the folder that it was deployed from, or with the --state-bucket that it was deployed "
        "with. Where its state is lost, delete by hand what carries its tag, in each region: "
        f"aws resourcegroupstaggingapi get-resources --tag-filters Key=Environment,Values={env} "
        "--query 'ResourceTagMappingList[].ResourceARN'"
    )


def _regions(where: str, text: str) -> tuple[str, str]:
    """The primary and the secondary region that a state names. Nothing else of it is looked at."""
    try:
        state = json.loads(text)
        if not state["resources"]:
            raise EnvironmentUnusable(
                f"{where} is the state of nothing.", "It was destroyed from there before."
            )
        outputs = state["outputs"]
        return str(outputs["primary_region"]["value"]), str(outputs["secondary_region"]["value"])
    except (ValueError, KeyError, TypeError):
        raise EnvironmentUnusable(
            f"{where} does not say which regions it is about.",
            "Name them: payinfra destroy --env ENV --primary-region A --secondary-region B.",
        ) from None
