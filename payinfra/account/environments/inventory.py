"""Lists the environments of an account: reads all regions at once, then describes their resources."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from payinfra.account.environments import tagged_resources
from payinfra.account.environments.classify import environment_of, judge, region_of_health_check
from payinfra.account.environments.model import EnvironmentInventory, Facts, ResourceKind, TaggedResource
from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import is_absent
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import regions_used

AT_ONCE = 16

Read = Callable[[Aws, TaggedResource], Facts]

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class AccountReader:
    """The functions that read an account; tests pass their own."""

    tagged: Callable[[Aws, str], tuple[TaggedResource, ...]]
    facts: Mapping[ResourceKind, Callable[[Aws, TaggedResource], Facts]]


ACCOUNT = AccountReader(
    tagged_resources.tagged,
    {
        ResourceKind.KEY: tagged_resources.key,
        ResourceKind.TABLE: tagged_resources.table,
        ResourceKind.API: tagged_resources.api,
    },
)


def list_environments(
    aws: Aws,
    *,
    account: str,
    target: str,
    regions: Sequence[str],
    protected_by_settings: Callable[[str], bool],
    reader: AccountReader = ACCOUNT,
) -> EnvironmentInventory:
    """List all environments with a resource in these regions, or in one that their health checks name.

    What does not answer is reported as unknown and hides nothing else.

    Args:
        regions: where to look first; us-east-1, which lists global resources, is always included.
        protected_by_settings: whether the settings protect an environment of this name.

    Raises:
        EnvironmentUnusable: no region answered.
    """
    asked: tuple[str, ...] = ()
    resources: list[TaggedResource] = []
    silent: dict[str, str] = {}
    further = regions_used(regions)
    while further:
        for region, answer in _each(further, lambda region: reader.tagged(aws, region)):
            if isinstance(answer, str):
                silent[region] = answer
            else:
                resources.extend(answer)
        asked += further
        named = {region_of_health_check(each) for each in resources} - {"", *asked}
        further = tuple(sorted(named))
    if len(silent) == len(asked):
        raise EnvironmentUnusable(
            f"No region can be listed: {silent[asked[0]]}", "Allow tag:GetResources, in all regions."
        )
    facts, unknown = _facts(aws, resources, reader)
    told = [(each, facts.get(each.arn, Facts())) for each in resources]
    there = [each for each, fact in told if not fact.departing and not fact.gone]
    by_name: dict[str, list[TaggedResource]] = {}
    for each in there:
        by_name.setdefault(environment_of(each), []).append(each)
    return EnvironmentInventory(
        account=account,
        target=target,
        asked=asked,
        environments=tuple(
            judge(
                name,
                mine,
                facts,
                unknown=[unknown[each.arn] for each in mine if each.arn in unknown],
                blind=bool(silent),
                protected_by_settings=protected_by_settings,
            )
            for name, mine in sorted(by_name.items())
            if name
        ),
        departing=sum(fact.departing for _, fact in told),
        unknown=tuple(f"{region}: {why}" for region, why in silent.items()),
    )


def _facts(
    aws: Aws, resources: Iterable[TaggedResource], reader: AccountReader
) -> tuple[Mapping[str, Facts], Mapping[str, str]]:
    """The facts of resources, and the reasons why others could not be described; both by ARN."""
    telling = [each for each in resources if each.kind in reader.facts]
    answers = list(_each(telling, lambda each: _if_there(aws, each, reader.facts[each.kind])))
    return (
        {each.arn: answer for each, answer in answers if not isinstance(answer, str)},
        {each.arn: f"{each.arn}: {answer}" for each, answer in answers if isinstance(answer, str)},
    )


def _if_there(aws: Aws, found: TaggedResource, read: Callable[[Aws, TaggedResource], Facts]) -> Facts:
    """Describe a resource. AWS lists deleted resources for a while."""
    from botocore.exceptions import ClientError

    try:
        return read(aws, found)
    except ClientError as error:
        if is_absent(error):
            return Facts(gone=True)
        raise


def _each(asked: Sequence[Asked], ask: Callable[[Asked], Answer]) -> Iterable[tuple[Asked, Answer | str]]:
    """Call for all at once; each with its answer, or with the reason why there is none."""
    from botocore.exceptions import BotoCoreError, ClientError

    def answer(one: Asked) -> Answer | str:
        try:
            return ask(one)
        except (BotoCoreError, ClientError, EnvironmentUnusable) as error:
            return str(error)

    with ThreadPoolExecutor(AT_ONCE) as asking:
        return list(zip(asked, asking.map(answer, asked), strict=True))
