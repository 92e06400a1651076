"""Finds the Terraform state of an environment that may have been deployed from elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import Names
from payinfra.core.settings import Settings
from payinfra.terraform import Kept
from payinfra.terraform.jsonvalue import at, parse, text
from payinfra.terraform.state import kept

STATE_FILE = "terraform.tfstate"
ROLES = ("primary", "secondary")

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
        where, said = self._read(plain)
        primary, secondary = _regions(where, said, plain)
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
        f"with. If its state is lost, run `payinfra adopt --env {env}` first: it takes what exists into a "
        "new one. What carries its tag, region by region, is listed by: "
        f"aws resourcegroupstaggingapi get-resources --tag-filters Key=Environment,Values={env} "
        "--query 'ResourceTagMappingList[].ResourceARN'"
    )


def _regions(where: str, said: str, plain: Settings) -> tuple[str, str]:
    """The primary and the secondary region that a state is about.

    Outputs name them. A destruction removes outputs first: after one that ended half-way, what is left names
    its own region. Where nothing is left of one of the two, any other than the first one will do.
    """
    try:
        state = parse(said)
    except ValueError:
        state = None
    if at(state, "resources") == []:
        raise EnvironmentUnusable(f"{where} is the state of nothing.", "It was destroyed from there before.")
    named = [text(state, "outputs", f"{role}_region", "value") for role in ROLES]
    if not all(named):
        left = tuple(kept(state))
        named = [_region_of(left, role) for role in ROLES]
    if any(named) and not all(named):
        other = next(region for region in plain.regions if region not in named)
        named = [region or other for region in named]
    if not all(named):
        raise EnvironmentUnusable(
            f"{where} does not say which regions it is about.",
            "Name them: payinfra destroy --env ENV --primary-region A --secondary-region B.",
        )
    primary, secondary = named
    return primary, secondary


def _region_of(left: Sequence[Kept], role: str) -> str:
    """The one region that the ARNs of a provider's resources name; empty where it is not one."""
    arns = (text(one.attributes, "arn").split(":", 5) for one in left if one.provider == f"aws.{role}")
    regions = {arn[3] for arn in arns if len(arn) == 6 and arn[3]}
    return regions.pop() if len(regions) == 1 else ""
