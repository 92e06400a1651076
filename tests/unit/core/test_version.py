"""The version is written in one module, and the package's metadata agrees."""

import tomllib
from pathlib import Path

import payinfra
from payinfra.core.version import __version__

PROJECT = Path(payinfra.__file__).parents[1] / "pyproject.toml"


def test_the_package_and_its_metadata_have_the_same_version() -> None:
    assert payinfra.__version__ == __version__ == tomllib.loads(PROJECT.read_text())["project"]["version"]
