"""Synthesize with the newest AWS bindings, installed beside the pinned ones, and compare: `make compat`.

The stack must need no change for AWS provider 6; what differs is the provider's version and nothing else.
"""

import argparse
import difflib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

BINDINGS = "cdktf-cdktf-provider-aws"
NEWER = "21.22.1"

SYNTHESIZE = """
import sys
from pathlib import Path
if sys.argv[2]:
    sys.path.insert(0, sys.argv[2])
from payinfra import bindings, stacks
from payinfra.settings import Settings
bindings.prepare()
out = Path(sys.argv[1])
settings = Settings.resolve({"work_root": Path(".payinfra")}, folder=out)
print(stacks.synthesize(settings, out=out) / "cdk.tf.json")
"""

VARIANTS = {
    "own zone": {"PAYINFRA_ENV": "pr123"},
    "domain": {
        "PAYINFRA_ENV": "prod",
        "PAYINFRA_PRIMARY_REGION": "eu-west-1",
        "PAYINFRA_DOMAIN": "pay.example.com",
        "PAYINFRA_HOSTED_ZONE_ID": "Z0123456789ABC",
        "PAYINFRA_ALARM_EMAIL": "oncall@example.com",
        "PAYINFRA_OBJECT_LOCK_DAYS": "30",
        "PAYINFRA_RESERVED_CONCURRENCY": "50",
        "PAYINFRA_CORS_ORIGINS": "https://shop.example.com",
    },
}


def differences(before: str, after: str) -> Iterator[str]:
    """The lines that differ, apart from the provider's version."""
    changed = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return (line for line in list(changed)[2:] if not line.startswith("@@") and '"version": "' not in line)


def synthesize(folder: Path, variables: dict[str, str], beside: Path | None) -> str:
    """The text of a variant's cdk.tf.json, with the bindings in `beside` where it is given."""
    # A cache of its own: jsii's index remembers one version of a package.
    environment = {**os.environ, **variables, "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(folder / "jsii")}
    command = [sys.executable, "-c", SYNTHESIZE, str(folder / "out"), str(beside or "")]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Path(run.stdout.splitlines()[-1]).read_text(encoding="utf-8")


def main() -> int:
    """Compare each variant, and give the exit code: 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default=NEWER, help=f"of {BINDINGS} (default {NEWER})")
    version = parser.parse_args().version
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        beside = folder / "bindings"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile"]
        subprocess.run([*pip, "--target", str(beside), f"{BINDINGS}=={version}"], check=True)
        found = 0
        for variant, variables in VARIANTS.items():
            ours = synthesize(folder / "pinned", variables, None)
            theirs = synthesize(folder / "newer", variables, beside)
            lines = list(differences(ours, theirs))
            found += len(lines)
            outcome = "\n".join(lines) or "no difference but the provider's version"
            sys.stdout.write(f"{variant}: {outcome}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
