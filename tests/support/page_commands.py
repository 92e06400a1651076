"""What the pages tell a person to type into a shell, and what tests do with each line.

Every line belongs to one of three: a test types it in a folder with nothing but an embedded AWS, one of
tests/e2e_pages types it where an environment is deployed, or it is in `NOT_RUN` with the reason, and parsed
only. docs/cli.md is left out: it shows how commands are called, and is written from the commands.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name != "cli.md"),
)

PROGRAMS = (
    *("payinfra", "make", "git", "uv", "uvx", "pipx", "pip", "python", "python3", ".venv/bin/python"),
    *("pytest", "terraform", "tofu", "aws", "curl", "ssh", "export", "eval", "source", "cd", "npm", "docker"),
)
_PROMPT = "$ "
_ASSIGNS = re.compile(r"[A-Z_]+=\S*\$\(")
_STEP = re.compile(r"(?:- )?run: (?!\|)(.+)")
_PAYINFRA = re.compile(
    r"(?:^|[\s;&|(\"])payinfra((?: +(?:--log-format|--project) +\S+| +--\S+)*)(?: +([a-z][a-z-]*))?"
    r"(?: +([a-z][a-z-]*))?"
)

ON_A_DEPLOYMENT = frozenset(
    (
        *("adopt", "audit", "conflicts", "deploy", "destroy", "drills", "evacuate", "failover-drill", "key"),
        *("load-worker", "local fault", "logs", "open", "outputs", "pay", "plan", "return", "rotate-key"),
        *("status", "unlock", "verify"),
    )
)
"""The commands that have something to do only where an environment is deployed."""


@dataclass(frozen=True, order=True)
class PageLine:
    """A line of shell in a page, as it is printed, with the lines that continue it.

    Attributes:
        page: the page's path from the repository's root.
        text: what a person copies.
    """

    page: str
    text: str

    def needs_a_deployment(self) -> bool:
        """Whether one of its calls of payinfra has something to do only where an environment is deployed."""
        named = {
            name
            for _, command, more in _PAYINFRA.findall(self.text)
            for name in (command, f"{command} {more}".strip())
        }
        return bool(named & ON_A_DEPLOYMENT)

    def typed(self, env: str) -> str:
        """What a test types for it: an environment of the tests, and values for what a page leaves open."""
        typed = re.sub(r"\$\{\{[^}]*\}\}", "", self.text)
        typed = re.sub(r"(--env|--yes-really) [a-z][a-z0-9]*(?!\S)", rf"\1 {env}", typed)
        for left_open, value in LEFT_OPEN.items():
            typed = re.sub(rf"(?<![\w-]){re.escape(left_open)}(?![\w-])", value, typed)
        return typed


LEFT_OPEN = {
    "NAME": "our-states",
    "ORG/REPO": "our-org/our-repo",
    "ARN-OF-YOU": "arn:aws:iam::000000000000:root",
    "123456789012": "000000000000",
}
"""What a page leaves to the reader, and what the tests put there."""


def in_page(text: str) -> Iterator[str]:
    """Each line of shell in a page's blocks of code, indented or fenced, and in the steps of a workflow.

    Without the comment that may follow it.
    """
    return (re.sub(r" {2,}#.*", "", line) for line in _with_comments(text))


def _with_comments(text: str) -> Iterator[str]:
    for block in _blocks(text):
        lines = [line for line in block if line.strip() and not line.lstrip().startswith("#")]
        prompted = any(line.startswith(_PROMPT) for line in lines)
        is_shell = bool(lines) and _is_command(lines[0])
        for line in lines:
            step = _STEP.fullmatch(line.strip())
            if step:
                yield step[1]
            elif prompted:
                if line.startswith(_PROMPT):
                    yield line.removeprefix(_PROMPT)
            elif is_shell or line.strip().startswith("payinfra "):
                yield line.strip()


def _is_command(line: str) -> bool:
    return line.split()[0] in PROGRAMS or bool(_ASSIGNS.match(line))


def _blocks(text: str) -> Iterator[list[str]]:
    fence, block = "", list[str]()
    for line in (*re.sub(r"\\\n *", "", text).splitlines(), ""):
        found = re.match(r"\s*(```+|~~~+)", line)
        if found and fence in ("", found[1]):
            yield block
            fence, block = "" if fence else found[1], []
        elif fence:
            block.append(line)
        elif line.startswith("    "):
            block.append(line.strip())
        elif line.strip():
            yield block
            block = []
    yield block


def shown() -> tuple[PageLine, ...]:
    """Every line of shell of every page, in the order of the pages."""
    return tuple(
        PageLine(str(page.relative_to(ROOT)), text)
        for page in PAGES
        for text in in_page(page.read_text(encoding="utf-8"))
    )


@dataclass(frozen=True)
class NotRun:
    """Why a line is parsed only.

    Attributes:
        lines: the page and the text, each as it is printed.
        reason: what a test has not, or what it would cost.
        instead: the test or the workflow that runs the same with other words; empty where nothing does.
    """

    lines: tuple[PageLine, ...]
    reason: str
    instead: str = ""


def _in(page: str, *texts: str) -> tuple[PageLine, ...]:
    return tuple(PageLine(page, text) for text in texts)


_LOAD = "payinfra failover-drill --env staging --load locust --workers 4 --rate 2000"
_SOURCE = "'payinfra[local,terraform] @ git+https://github.com/OWNER/payinfra@COMMIT'"
_WHEEL = "'./payinfra-0.1.0-py3-none-any.whl[local,terraform]'"

NOT_RUN = (
    NotRun(
        (
            *_in(
                "README.md",
                "payinfra destroy --env demo --local",
                "payinfra destroy --env demo --local --yes",
                "payinfra local down",
            ),
            *_in("docs/tutorial.md", "payinfra destroy --env demo --local --yes", "payinfra local down"),
            *_in("docs/verify.md", "payinfra destroy --env pr${{ github.event.number }} --yes"),
            *_in(
                "docs/first-day.md",
                "payinfra deploy --env keep1 --protected --yes",
                "payinfra destroy --env keep1 --yes --yes-really keep1",
                "payinfra destroy --env day1 --yes",
                "payinfra deploy --env day1 --yes && payinfra destroy --env day1 --yes",
            ),
        ),
        "the deployment is shared; that test destroys its own, which is protected",
        "tests/e2e/test_destroy.py",
    ),
    NotRun(
        _in(
            "docs/adopt.md",
            "payinfra init --example",
            "payinfra deploy --env shop --local",
            "payinfra verify --env shop --local",
            "python -m pytest tests",
            "payinfra failover-drill --env shop --local",
            "payinfra destroy --env shop --local",
        ),
        "the example's deployment is another one, and has a test of its own",
        "tests/e2e/adopt/test_example_project.py",
    ),
    NotRun(
        (
            *_in(
                "docs/account.md",
                "payinfra deploy --env pr7 --state-bucket NAME"
                " --assume-role arn:aws:iam::123456789012:role/payinfra-ci",
            ),
            *_in(
                "docs/first-day.md",
                "payinfra deploy --env day1 --yes",
            ),
        ),
        "the state of the shared deployment is in a folder; that test deploys as CI's role",
        "tests/e2e_ci/test_pull_request.py",
    ),
    NotRun(
        _in(
            "docs/adopt.md",
            "payinfra deploy --env shop --local --assume-role"
            " arn:aws:iam::000000000000:role/payinfra-ci-shop",
        ),
        "the shared deployment's account has no such role; that test makes one and deploys as it",
        "tests/e2e/adopt/test_example_project.py",
    ),
    NotRun(
        _in("docs/tutorial.md", "payinfra deploy --env demo --local --lambda-memory-mb 1024"),
        "it and the way back are two rolling updates; that test makes such updates",
        "tests/e2e/test_destroy.py",
    ),
    NotRun(
        _in(
            "docs/environments.md",
            "payinfra adopt --env prod",
            "payinfra adopt --env prod --yes --format json",
        ),
        "the shared deployment's state is not lost; that test loses one",
        "tests/e2e/test_lost_state.py",
    ),
    NotRun(
        _in("README.md", "payinfra failover-drill --env demo --local --yes"),
        "six minutes in real time; the same drill runs ten times as fast, as the README shows further down",
        "tests/e2e/drill/test_scenarios.py",
    ),
    NotRun(
        (
            *_in("docs/drill.md", "payinfra failover-drill --env staging --yes --yes-really staging"),
            *_in("docs/tutorial.md", "payinfra failover-drill --env prod --yes-really prod"),
            *_in(
                "docs/first-day.md",
                "payinfra failover-drill --env day1 --scenario lambda-throttle --yes --report drill.md",
            ),
        ),
        "minutes in real time; those tests drill each scenario in hurried time",
        "tests/e2e/drill/test_scenarios.py",
    ),
    NotRun(
        _in(
            "docs/drill.md",
            _LOAD,
            f"{_LOAD} --listen 127.0.0.1:5557",
            "payinfra load-worker --master 127.0.0.1:5557",
        ),
        "2,000 payments a second need more processors than the tests have; those tests send fewer",
        "tests/functional/drill/test_load_workers.py",
    ),
    NotRun(
        _in(
            "docs/rotate-key.md",
            "payinfra rotate-key --env prod",
            "payinfra rotate-key --env prod --finish",
        ),
        "three deployments, one after the other; that test rotates the key",
        "tests/e2e/team/test_team.py",
    ),
    NotRun(
        _in(
            "docs/failover.md",
            "payinfra deploy --env prod --surviving us-west-2 --reserved-concurrency 400",
        ),
        "two deployments, there and back; that test changes the surviving region alone",
        "tests/e2e/dark/test_dark_region.py",
    ),
    NotRun(
        _in(
            "docs/drill.md",
            "ZONE=$(payinfra local zone pay.test)",
            'payinfra deploy --env own --local --domain pay.test --hosted-zone-id "$ZONE" --yes',
            "payinfra local trust",
            "payinfra verify --env own --local",
            "payinfra failover-drill --env own --local --yes --time-scale 10",
        ),
        "the shared deployment has no domain of its own; that test deploys, verifies and drills one that has",
        "tests/e2e/test_destroy.py",
    ),
    NotRun(
        _in("docs/drill.md", "ssh -L 5557:127.0.0.1:5557 DRILL-MACHINE -N &"), "it needs a second machine"
    ),
    NotRun(
        _in("docs/first-day.md", "payinfra deploy --env day1 --reserved-concurrency 950 --yes"),
        "it is to be refused; that test meets the refusal of a new account",
        "tests/e2e/test_slow_rules.py",
    ),
    NotRun(
        (
            *_in(
                "docs/break-glass.md",
                "aws ssm put-parameter --region us-west-2 --name /payment-prod/evacuated --type String"
                ' --overwrite --value \'{"region": "us-east-1", "since": "2026-03-01T03:12:45+00:00", '
                '"by": "alice"}\'',
                'curl -i "$(aws ssm get-parameter --region us-west-2 --name /payment-prod/endpoint'
                " --query Parameter.Value --output text | sed 's/payments$/evacuation/')\"",
            ),
            *_in(
                "docs/first-day.md",
                "aws dynamodb describe-table --table-name payment-keep1-payments --region us-west-2"
                " --query Table.DeletionProtectionEnabled",
                "aws logs describe-log-groups --region us-east-1 --query 'logGroups[].logGroupName'",
            ),
        ),
        "the AWS CLI is none of payinfra's dependencies",
    ),
    NotRun(
        _in("docs/tutorial.md", "payinfra doctor --aws"),
        "it asks amazonaws.com, which the tests never call",
    ),
    NotRun(
        _in(
            "docs/install.md",
            f"uv tool install {_SOURCE}",
            f"uvx --from {_SOURCE} payinfra doctor --local",
            f"pipx install {_SOURCE}",
            f"python3 -m pip install {_SOURCE}",
            "git clone https://github.com/OWNER/payinfra && cd payinfra",
        ),
        "OWNER and COMMIT are the reader's, and the tests use no network",
    ),
    NotRun(
        _in(
            "docs/install.md",
            f"pip install {_WHEEL}",
            f"pipx install {_WHEEL}",
            f"uvx --from {_WHEEL} payinfra --version",
        ),
        "pip would download every dependency; that test installs the wheel beside those that are there",
        "tests/functional/packaging/test_wheel.py",
    ),
    NotRun(
        (
            *_in("README.md", "make demo", "make test"),
            *_in("docs/install.md", "make demo"),
            *_in("CONTRIBUTING.md", "make setup", "make quick"),
        ),
        "the set-up downloads every dependency, and tests are not run by a test; CI runs these targets",
        ".github/workflows/ci.yml",
    ),
    NotRun(
        _in(
            "CONTRIBUTING.md",
            "git clone <your fork> payinfra && cd payinfra",
            "source .venv/bin/activate",
        ),
        "the fork is the reader's, and the tests run in their own virtual environment",
    ),
    NotRun(
        _in("docs/verify.md", "pytest integration/"),
        "the folder is the reader's; that test runs the page's code with payinfra's plugin",
        "tests/unit/pytest_plugin",
    ),
)
"""Each line that no test types, reviewed by hand: an entry that no page shows any more fails a test."""

ENDS_WITH = {
    # The tests' plan there has nothing that payinfra knows: the checks are a gate, and it fails.
    PageLine("docs/check.md", "payinfra check --plan plan.json"): 1,
}
"""The exit codes of the lines that do not end with 0."""


def runnable(*, on_a_deployment: bool) -> dict[str, tuple[PageLine, ...]]:
    """The lines that a test types, by page, in their order.

    One that comes again in a page is there once, where it comes last.
    """
    left_out = {line for entry in NOT_RUN for line in entry.lines}
    found = dict[str, tuple[PageLine, ...]]()
    for line in shown():
        if line not in left_out and line.needs_a_deployment() is on_a_deployment:
            before = tuple(one for one in found.get(line.page, ()) if one != line)
            found[line.page] = (*before, line)
    return found
