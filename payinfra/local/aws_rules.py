"""Rules of AWS's that take time or differ between accounts, whose values can be set.

Everything else that AWS refuses is refused here always. Most of these would make every deployment on one
machine as slow as its slowest on AWS, so they are 0 until somebody rehearses them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from payinfra.core.errors import UsageProblem


@dataclass(frozen=True)
class AwsRule:
    """One rule.

    Attributes:
        name: as `payinfra local rules` has it.
        what: what it makes the embedded AWS do.
        unit: of its value.
        usual: the value that it has unless it was set.
        on_aws: what AWS does, in words.
        least: the smallest value.
        most: the greatest value.
    """

    name: str
    what: str
    unit: str
    usual: float
    on_aws: str
    least: float = 0.0
    most: float = 3600.0


API_KEYS = AwsRule(
    "api-key-delay",
    "A new API key, or a usage plan's change, is known at the stage so much later",
    "s",
    0,
    "up to 40 s",
)
KEY_TAGS = AwsRule(
    "key-tag-delay", "Policies see the tags of a KMS key so much later", "s", 0, "up to 5 minutes"
)
ACCESS_LOGS = AwsRule(
    "access-log-delay", "API Gateway writes a request's access log line so much later", "s", 0, "some seconds"
)
CONCURRENCY = AwsRule(
    "account-concurrency",
    "Executions of Lambda functions at once, in a region",
    "",
    1000,
    "1000, and 10 in a new account",
    least=1,
    most=100_000,
)
DOMAIN_NAMES = AwsRule(
    "domain-name-interval",
    "API Gateway makes one custom domain name in so much time, in a region",
    "s",
    30,
    "30 s; Terraform's provider tries again for longer than that",
)
RULES = (API_KEYS, KEY_TAGS, ACCESS_LOGS, CONCURRENCY, DOMAIN_NAMES)


def checked(wanted: Mapping[str, object]) -> dict[str, float]:
    """The rules' values that somebody asks for.

    Raises:
        UsageProblem: there is no such rule, or its value is not usable.
    """
    known = {rule.name: rule for rule in RULES}
    found: dict[str, float] = {}
    for name, value in wanted.items():
        rule = known.get(name)
        if rule is None:
            raise UsageProblem(
                f"The embedded AWS has no rule {name!r} that can be set.", f"There are {', '.join(known)}."
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not _within(rule, value):
            raise UsageProblem(
                f"{name} cannot be {value}.", f"Give a number from {rule.least:g} to {rule.most:g}."
            )
        found[name] = float(value)
    return found


def parse_rules(words: list[str]) -> dict[str, float]:
    """What `name=value` words ask for.

    Raises:
        UsageProblem: a word is none, there is no such rule, or its value is not usable.
    """
    wanted: dict[str, object] = {}
    for word in words:
        name, given, value = word.partition("=")
        if not given:
            raise UsageProblem(f"{word!r} sets no rule.", f"Write {RULES[0].name}=40, for example.")
        try:
            wanted[name] = float(value)
        except ValueError:
            wanted[name] = value
    return checked(wanted)


def _within(rule: AwsRule, value: float) -> bool:
    return rule.least <= value <= rule.most
