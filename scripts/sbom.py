"""Writes what an installed payinfra is made of, with licences: `python -m scripts.sbom FILE`.

CycloneDX's own tool describes the environment, whose versions are those of requirements.lock. What is there
for developers only is left out: a component stays if payinfra, or an extra that users install, needs it.
"""

import importlib.metadata
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
NAME = "payinfra"
FOR_DEVELOPERS = frozenset(("build", "dev"))
"""The extras for those who work on payinfra. Users may install any of the others."""


def needed(name: str, extras: Iterable[str]) -> frozenset[str]:
    """The distributions that an installed one needs here, itself among them, by their canonical names."""
    found: set[tuple[str, str]] = set()
    ahead = [(name, extra) for extra in ("", *extras)]
    while ahead:
        one, extra = ahead.pop()
        if (one, extra) in found:
            continue
        found.add((one, extra))
        for text in importlib.metadata.requires(one) or ():
            asked = Requirement(text)
            if asked.marker is None or asked.marker.evaluate({"extra": extra}):
                ahead += [(canonicalize_name(asked.name), more) for more in ("", *asked.extras)]
    return frozenset(one for one, _ in found)


def for_users(name: str) -> tuple[str, ...]:
    """The extras of an installed distribution that its users may want."""
    extras = importlib.metadata.metadata(name).get_all("Provides-Extra") or ()
    return tuple(extra for extra in extras if extra not in FOR_DEVELOPERS)


def environment() -> dict[str, Any]:
    """The whole environment of this Python as CycloneDX, without times and serial numbers.

    It is not validated: that takes many times as long as the rest, and most of it is left out afterwards.

    Raises:
        CalledProcessError: CycloneDX's tool failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "environment.json"
        tool = [sys.executable, "-m", "cyclonedx_py", "environment", sys.executable]
        how = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--no-validate"]
        subprocess.run([*tool, *how, "--of", "JSON", "-o", str(file)], check=True)
        made: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return made


def restricted(bom: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """The same with these components only, and with what they depend on among them."""
    kept = [one for one in bom["components"] if canonicalize_name(one["name"]) in names]
    references = {one["bom-ref"] for one in kept} | {bom["metadata"]["component"]["bom-ref"]}
    graph = [
        {"ref": one["ref"], "dependsOn": sorted(references & {*one.get("dependsOn", ())})}
        for one in bom["dependencies"]
        if one["ref"] in references
    ]
    return {**bom, "components": kept, "dependencies": graph}


def without_licence(bom: Mapping[str, Any]) -> tuple[str, ...]:
    """The components that do not say under which licence they are."""
    return tuple(one["name"] for one in bom["components"] if not one.get("licenses"))


def invalid(text: str) -> str:
    """Why a document is not valid CycloneDX, by the schema of its own version; empty if it is."""
    version = SchemaVersion.from_version(json.loads(text)["specVersion"])
    problem = JsonStrictValidator(version).validate_str(text)
    return "" if problem is None else str(problem)


def main(argv: Sequence[str]) -> int:
    """Write the file and name the components without a licence; 1, and no file, if it would not be valid."""
    file = Path(argv[0])
    bom = restricted(environment(), needed(NAME, for_users(NAME)))
    text = json.dumps(bom, indent=2, sort_keys=True) + "\n"
    if problem := invalid(text):
        sys.stderr.write(f"{file} was not written, because it would not be valid CycloneDX: {problem}\n")
        return 1
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(bom['components'])} components in {file}\n")
    if silent := without_licence(bom):
        sys.stdout.write(f"Without a licence: {', '.join(silent)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
