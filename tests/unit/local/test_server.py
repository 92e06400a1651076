"""What must be installed before the embedded AWS is started."""

import pytest

from payinfra.errors import EnvironmentUnusable
from payinfra.local import server


def test_what_is_missing_is_named_with_the_extra_that_brings_it() -> None:
    with pytest.raises(EnvironmentUnusable, match="not installed: nonsense") as caught:
        server.need(("json", "nonsense"))
    assert "payinfra[local]" in caught.value.hint


def test_here_nothing_is_missing() -> None:
    assert server.PACKAGES
    server.need(server.PACKAGES)
