"""A console that writes into a string, and a deployment's outputs to draw."""

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from payinfra.core.outputs import Outputs
from tests.support.outputs import flat_outputs


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), width=120, force_terminal=False)


@pytest.fixture
def printed(console: Console) -> Callable[[], str]:
    def read() -> str:
        file = console.file
        assert isinstance(file, StringIO)
        return file.getvalue()

    return read


@pytest.fixture
def some_outputs() -> Outputs:
    return Outputs.from_flat(flat_outputs(primary_region="us-east-1", secondary_region="us-west-2"))
