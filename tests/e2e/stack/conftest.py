"""A region of the deployment, known by the outputs alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from payinfra.core.outputs import Declared, DeclaredRegion
from tests.e2e.conftest import Deployment

ROLES = ("primary", "secondary")


@dataclass(frozen=True)
class Seen:
    """One region as the flat outputs tell of it.

    Attributes:
        role: primary or secondary.
        declared: what the output `declared` says of both regions.
    """

    deployment: Deployment
    role: str
    declared: Declared

    @property
    def here(self) -> DeclaredRegion:
        """What is declared of this region."""
        return self.declared.regions[ROLES.index(self.role)]

    @property
    def there(self) -> DeclaredRegion:
        """What is declared of the other region."""
        return self.declared.regions[1 - ROLES.index(self.role)]

    @property
    def region(self) -> str:
        """The region's name."""
        return self.deployment.region(self.role)

    def output(self, name: str) -> str:
        """One of the region's outputs."""
        return self.deployment.output(name, self.role)

    def client(self, service: str) -> Any:
        """A boto3 client in the region."""
        return self.deployment.client(service, self.role)

    def tagged(self, tags: Mapping[str, str]) -> bool:
        """Whether all declared tags are among `tags`."""
        return self.declared.tags.items() <= tags.items()


@pytest.fixture
def declared(deployment: Deployment) -> Declared:
    return Declared.from_json(deployment.outputs["declared"])


@pytest.fixture(params=ROLES)
def seen(request: pytest.FixtureRequest, deployment: Deployment, declared: Declared) -> Seen:
    """Each region in turn."""
    return Seen(deployment, str(request.param), declared)
