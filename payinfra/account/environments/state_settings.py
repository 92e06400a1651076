"""Finds the Terraform state of an environment, and the settings to destroy it with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.settings import Settings
from payinfra.terraform import Kept
from payinfra.terraform.jsonvalue import at, parse, text
from payinfra.terraform.state import kept

STATE_FILE = "terraform.tfstate"
ROLES = ("primary", "secondary")

Resolve = Callable[[Mapping[str, object]], Settings]


@dataclass(frozen=True)
class States:
    """The Terraform states, in the work folder or in a bucket.

    Args:
        aws: reads the bucket.
        resolve: settings from flags, by field name.
    """

    aws: Aws
    resolve: Resolve

    def settings(self, env: str) -> Settings:
        """The settings to destroy an environment with: its regions are those in its state.

        Terraform looks for resources in the regions of the configuration. With other regions it would find
        nothing and drop everything from the state.

        Raises:
            UsageProblem: its name or its settings are not allowed.
            EnvironmentUnusable: it has no state here, or the state is empty or does not name its regions.
        """
        plain = self.resolve({"env": env})
        where, said = self._read(plain)
        primary, secondary = _regions(where, said, plain)
        bucket = (
            {} if plain.state_bucket is None else {"state_region": plain.state_region or plain.primary_region}
        )
        return self.resolve({"env": env, "primary_region": primary, "secondary_region": secondary, **bucket})

    def _read(self, settings: Settings) -> tuple[str, str]:
        """The location of the state, and its text."""
        if settings.state_bucket is None:
            path = settings.work_dir / STATE_FILE
            try:
                return str(path), path.read_text(encoding="utf-8")
            except FileNotFoundError:
                raise EnvironmentUnusable(f"It has no state in {path}.", without(settings.env)) from None
            except (OSError, UnicodeDecodeError) as error:
                raise EnvironmentUnusable(f"{path} cannot be read: {error}.", without(settings.env)) from None
        from botocore.exceptions import BotoCoreError, ClientError

        key = settings.state_key or settings.names.state_key
        where = f"s3://{settings.state_bucket}/{key}"
        client = self.aws.s3(settings.state_region or settings.primary_region)
        try:
            body = client.get_object(Bucket=settings.state_bucket, Key=key)["Body"]
            return where, body.read().decode(errors="replace")
        except (BotoCoreError, ClientError) as error:
            raise EnvironmentUnusable(f"{where} cannot be read: {error}.", without(settings.env)) from None


def without(env: str) -> str:
    """The next step for an environment whose state is not here."""
    return (
        "Run this in the folder that it was deployed from, or with the --state-bucket that it was deployed "
        f"with. If its state is lost, run `payinfra adopt --env {env}` first: it takes what exists into a "
        "new one. What carries its tag, region by region, is listed by: "
        f"aws resourcegroupstaggingapi get-resources --tag-filters Key=Environment,Values={env} "
        "--query 'ResourceTagMappingList[].ResourceARN'"
    )


def _regions(where: str, said: str, plain: Settings) -> tuple[str, str]:
    """The primary and secondary region of a state.

    Outputs name them. A destruction removes outputs first; after one that was interrupted, the remaining
    resources name their region. Where none is left in one of the two, any other region will do.
    """
    try:
        state = parse(said)
    except ValueError:
        state = None
    if at(state, "resources") == []:
        raise EnvironmentUnusable(
            f"{where} is empty.", "The environment was destroyed with this state before."
        )
    named = [text(state, "outputs", f"{role}_region", "value") for role in ROLES]
    if not all(named):
        left = tuple(kept(state))
        named = [_region_of(left, role) for role in ROLES]
    if any(named) and not all(named):
        other = next(region for region in plain.regions if region not in named)
        named = [region or other for region in named]
    if not all(named):
        raise EnvironmentUnusable(
            f"{where} does not name the regions of the environment.",
            "Name them: payinfra destroy --env ENV --primary-region A --secondary-region B.",
        )
    primary, secondary = named
    return primary, secondary


def _region_of(left: Sequence[Kept], role: str) -> str:
    """The region in the ARNs of a provider's resources; empty unless there is exactly one."""
    arns = (text(one.attributes, "arn").split(":", 5) for one in left if one.provider == f"aws.{role}")
    regions = {arn[3] for arn in arns if len(arn) == 6 and arn[3]}
    return regions.pop() if len(regions) == 1 else ""
