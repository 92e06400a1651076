"""The workflow files as text and as YAML, and the tools that judge them without network."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TOOLS = Path(sys.executable).parent
TEMPLATE = ROOT / "payinfra" / "core" / "templates" / "github" / "payinfra.yml"
GITLAB = ROOT / "payinfra" / "core" / "templates" / "gitlab" / "gitlab-ci.yml"
IMAGE = ROOT / "payinfra" / "core" / "templates" / "image" / "Dockerfile"
ACTION = ROOT / ".github" / "actions" / "payinfra"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


class _Yaml(yaml.SafeLoader):
    """YAML as both systems read it: words like `on` stay words, and GitLab's `!reference` is a list."""


_Yaml.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_constructor("!reference", lambda loader, node: [each.value for each in node.value])


def read(path: Path) -> Any:
    """A workflow file's content."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Yaml)  # noqa: S506 - a SafeLoader


@dataclass(frozen=True)
class Script:
    """A piece of shell that some file runs."""

    where: str
    text: str


def scripts() -> Iterator[Script]:
    """All shell in the workflows, the action and the GitLab template."""
    for path in (*WORKFLOWS, TEMPLATE):
        for name, job in read(path)["jobs"].items():
            for step in job.get("steps", ()):
                if "run" in step:
                    yield Script(f"{path.name}:{name}", step["run"])
    for step in read(ACTION / "action.yml")["runs"]["steps"]:
        if "run" in step:
            yield Script("action.yml", step["run"])
    for name, job in read(GITLAB).items():
        if isinstance(job, dict):
            for part in ("before_script", "script", "after_script"):
                lines = (line for line in job.get(part, ()) if isinstance(line, str))
                if text := "\n".join(lines):
                    yield Script(f"gitlab:{name}", text)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The template as somebody has filled it in."""
    text = (
        TEMPLATE.read_text().replace("OWNER/", "example/").replace("@COMMIT", f"@{'0123456789' * 4} # v0.1.0")
    )
    path = tmp_path / ".github" / "workflows" / "payinfra.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def tool_path(name: str) -> Path:
    """One of the virtual environment's tools, else the one on PATH: not all have wheels for every machine."""
    found = shutil.which(name, path=f"{TOOLS}:{os.environ['PATH']}")
    assert found, f"{name} is neither in {TOOLS} nor on PATH"
    return Path(found)


def tool(name: str, *arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run one of the tools."""
    return subprocess.run(
        [tool_path(name), *arguments], input=text, capture_output=True, text=True, check=False, timeout=60
    )
