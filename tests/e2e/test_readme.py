"""The README's payment lines work as printed, but for the environment's name."""

import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import Deployment

README = Path(__file__).parents[2] / "README.md"


def lines() -> str:
    """The block that sends a payment twice, and reads what was logged of it."""
    blocks = re.findall(r"(?:^    .*\n|^\n)+", README.read_text(encoding="utf-8"), re.MULTILINE)
    return str(next(block for block in blocks if block.lstrip().startswith("payinfra pay")))


def test_the_payment_in_the_readme_is_recorded_once(deployment: Deployment) -> None:
    script = lines().replace("demo", deployment.env)
    environment = deployment.project.environment()
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=deployment.project.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "201 Created" in done.stdout
    assert "recorded by an earlier request" in done.stdout
    assert done.stdout.count('"customer_id": "cust-1"') == 4
    assert "REPORT RequestId" in done.stdout
    assert "API_KEY=$(payinfra key" in done.stdout
