"""Synthesizes the stack, unchanged, with the newest bindings of the AWS provider, and says what differs.

python -m scripts.compat [--folder FOLDER]

The bindings are installed beside, into a folder that is put before the others on the path of a process of its
own, so that nothing of the environment changes. Exits with 0 where both syntheses succeed, whatever differs:
another version of the provider is another schema.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

REQUIREMENT = "cdktf-cdktf-provider-aws>=21,<22"
SETTINGS = {
    "PAYINFRA_ENV": "compat",
    "PAYINFRA_PRIMARY_REGION": "eu-west-1",
    "PAYINFRA_PROTECTED": "true",
    "PAYINFRA_DOMAIN": "pay.example.com",
    "PAYINFRA_HOSTED_ZONE_ID": "Z0123456789ABC",
    "PAYINFRA_ALARM_EMAIL": "oncall@example.com",
    "PAYINFRA_OBJECT_LOCK_DAYS": "30",
    "PAYINFRA_RESERVED_CONCURRENCY": "50",
}
"""Every switch, so that every construct is synthesized."""
VERSION = "import importlib.metadata as m; print(m.version('cdktf-cdktf-provider-aws'))"
Leaves = dict[str, object]


def install(folder: Path) -> Path:
    """Install the newest bindings of the next major version below `folder`, unless they are there."""
    target = folder / "bindings"
    if not (target / "cdktf_cdktf_provider_aws").is_dir():
        # Without their dependencies: those of the environment are what they must work with.
        command = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", str(target)]
        subprocess.run([*command, REQUIREMENT], check=True)
    return target


def environment(bindings: Path | None, out: Path) -> dict[str, str]:
    """The variables of a synthesis: ours alone, and the other bindings before those that are installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYINFRA_", "CDKTF_"))}
    path = [str(bindings)] if bindings else []
    return (
        kept
        | SETTINGS
        | {
            "CDKTF_OUTDIR": str(out),
            "PAYINFRA_WORK_ROOT": str(out.parent / "work"),
            "PYTHONPATH": os.pathsep.join([*path, *filter(None, [kept.get("PYTHONPATH")])]),
        }
    )


def synthesize(bindings: Path | None, out: Path) -> tuple[str, Mapping[str, object]]:
    """The version of the bindings, and what cdk.tf.json holds."""
    variables = environment(bindings, out)
    version = subprocess.run(
        [sys.executable, "-c", VERSION], env=variables, check=True, capture_output=True, text=True
    )
    subprocess.run([sys.executable, "-m", "payinfra.stacks"], env=variables, check=True)
    (manifest,) = out.glob("stacks/*/cdk.tf.json")
    content: Mapping[str, object] = json.loads(manifest.read_bytes())
    return version.stdout.strip(), content


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every single value, by its path. What cdktf notes about itself is no part of the stack."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name != "//":
                yield from leaves(part, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from leaves(part, f"{path}[{number}]")
    else:
        yield path, value


def differences(ours: Mapping[str, object], newest: Mapping[str, object]) -> tuple[str, ...]:
    """A line for each value that only one synthesis has, or that differs."""
    old, new = Leaves(leaves(ours)), Leaves(leaves(newest))
    return tuple(
        f"{path}: {old[path]!r} -> {new[path]!r}"
        if path in old and path in new
        else f"{path}: only in {'the present one' if path in old else 'the newest one'}: "
        f"{old.get(path, new.get(path))!r}"
        for path in sorted(old.keys() | new.keys())
        if path not in old or path not in new or old[path] != new[path]
    )


def main() -> int:
    """Install, synthesize twice, compare."""
    parser = argparse.ArgumentParser(description="Synthesize with the newest bindings of the AWS provider.")
    parser.add_argument("--folder", type=Path, default=Path("build/compat"))
    folder: Path = parser.parse_args().folder.absolute()
    bindings = install(folder)
    our_version, ours = synthesize(None, folder / "present")
    version, newest = synthesize(bindings, folder / "newest")
    found = differences(ours, newest)
    sys.stdout.write(f"cdktf-cdktf-provider-aws {our_version} and {version}: {len(found)} differences\n")
    sys.stdout.writelines(f"  {line}\n" for line in found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
