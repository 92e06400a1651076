"""A pytest fixture for integration tests: a deployment's outputs, and clients that reach it.

Installing payinfra registers it. Nothing is imported until the fixture is used.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import Outputs

FILE_VARIABLE = "PAYINFRA_OUTPUTS"
FILE = Path("cfn-outputs") / "flat-outputs.json"
SERVER = Path(".payinfra") / "local" / ".server"
_LOOPBACK = "http://127.0.0.1:"


@dataclass(frozen=True)
class PayinfraOutputs:
    """A deployment, for tests.

    Attributes:
        values: its typed outputs; `values.primary.api_endpoint` is the URL that payments are POSTed to.
        aws: makes clients of AWS or of the embedded AWS, wherever it is deployed.
    """

    values: "Outputs"
    aws: "Aws"

    def client(self, service: str, role: str = "primary") -> Any:
        """A boto3 client of a service in the region that is `primary` or `secondary`."""
        region = {"primary": self.values.primary_region, "secondary": self.values.secondary_region}[role]
        return self.aws.client(service, region)


def load(file: Path, work_root: Path = Path()) -> PayinfraOutputs:
    """The deployment whose flat outputs a file has.

    Args:
        work_root: the folder in which `payinfra deploy` ran.

    Raises:
        EnvironmentUnusable: the file cannot be read, or the embedded AWS of its deployment is not running.
    """
    from payinfra.clients.aws import Aws, Endpoints
    from payinfra.core.errors import EnvironmentUnusable
    from payinfra.core.outputs import Outputs

    outputs = Outputs.read(file)
    if not outputs.primary.api_endpoint.startswith(_LOOPBACK):
        return PayinfraOutputs(outputs, Aws())
    from payinfra.local import lifecycle

    folder = work_root / SERVER
    running = lifecycle.status(folder)
    if running is None:
        raise EnvironmentUnusable("The embedded AWS is not running.", "Run `payinfra local up`.")
    found = running.endpoints
    key = lifecycle.access_key(folder)
    endpoints = Endpoints(found.regions, found.global_url, found.dns, key, found.https, found.authority)
    return PayinfraOutputs(outputs, Aws(endpoints))


@pytest.fixture(scope="session")
def payinfra_outputs(request: pytest.FixtureRequest) -> PayinfraOutputs:
    """The deployment that PAYINFRA_OUTPUTS names, or cfn-outputs/flat-outputs.json in pytest's root."""
    root = request.config.rootpath
    given = os.environ.get(FILE_VARIABLE)
    return load(Path(given) if given else root / FILE, root)
