"""Whatever the pages tell a person to type is taken as it is printed."""

import importlib.util
import os
import re
from pathlib import Path

import pytest

from tests.support.commands import ShownCall, in_markdown, refusal

ROOT = Path(__file__).parents[3]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SHOWN = [
    pytest.param(page, call, id=f"{page.name}: {call.text}")
    for page in PAGES
    # That page shows how commands are called, not calls; it is written from the commands themselves.
    if page.name != "cli.md"
    for call in in_markdown(page.read_text(encoding="utf-8"))
]
CODE = re.compile(r"`[^`\n]+`|^(?: {4}|\$ ).*$", re.MULTILINE)


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable gives what a page has left out."""
    for name in [name for name in os.environ if name.startswith("PAYINFRA_")]:
        monkeypatch.delenv(name)


def test_pages_show_commands() -> None:
    assert len(SHOWN) > 200


@pytest.mark.parametrize(("page", "call"), SHOWN)
def test_the_command_line_takes_every_command_that_is_shown(page: Path, call: ShownCall) -> None:
    """Its options, arguments and their values: parsed by the real parser, and not run."""
    assert refusal(call) == "", page


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("    payinfra deploi --env demo\n", "No such command"),
        ("    payinfra deploy --environment demo\n", "No such option"),
        ("    payinfra deploy --env\n", "requires an argument"),
        ("    payinfra failover-drill --load siege\n", "'--load'"),
        ("    payinfra failover-drill --rate many\n", "'--rate'"),
        ("    payinfra evacuate --env prod\n", "Missing argument"),
        ("    payinfra status demo\n", "extra argument"),
        ("1. x\n\n       payinfra plan --fail-on sometimes\n", "sometimes"),
        ("```yaml\n- run: payinfra verify --format ${{ x }}\n```\n", "--format"),
        ("```\nx && payinfra pay --times never | cat\n```\n", "'--times'"),
        ("    API_KEY=$(payinfra key --hide) curl\n", "--hide"),
        ("Run `payinfra unlock --environment x`.\n", "No such option"),
        ("Run `payinfra evacuate --env prod`.\n", "Missing argument"),
        ("Then `payinfra drills\nshow --everything`, and no more.\n\nEnd.\n", "No such option"),
        ("| x | run `payinfra status --everything` |\n", "No such option"),
    ],
)
def test_what_the_command_line_refuses_is_noticed(page: str, said: str) -> None:
    (call,) = in_markdown(page)
    assert said in refusal(call)


@pytest.mark.parametrize(
    "page",
    [
        "`payinfra evacuate` moves clients, `payinfra local …` has more.\n",
        "    payinfra --quiet pay --times 2 2> said.txt\n",
        "```yaml\n- run: payinfra verify --env pr${{ github.event.number }} | true\n```\n",
    ],
)
def test_what_the_command_line_takes_is_taken(page: str) -> None:
    assert {refusal(call) for call in in_markdown(page)} == {""}


def test_every_target_of_make_that_is_named_exists() -> None:
    heads = re.findall(r"^([a-z0-9 -]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    targets = {target for head in heads for target in head.split()}
    for page in PAGES:
        for code in CODE.findall(page.read_text(encoding="utf-8")):
            assert set(re.findall(r"(?:^[ `$]*|&& )make ([a-z0-9-]+)", code)) <= targets, page


def test_every_module_that_is_run_by_name_exists() -> None:
    for page in PAGES:
        for code in CODE.findall(page.read_text(encoding="utf-8")):
            for name in re.findall(r"python -m ([\w.]+)", code):
                assert importlib.util.find_spec(name), (page, name)


def test_every_page_that_the_code_names_exists() -> None:
    code = [
        file for room in ("payinfra", "handlers", "scripts", "bench") for file in (ROOT / room).rglob("*.py")
    ]
    named = {
        (page, file)
        for file in code
        for page in re.findall(r"docs/[\w/.-]+\.md", file.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert {(page, file) for page, file in named if not (ROOT / page).is_file()} == set()
