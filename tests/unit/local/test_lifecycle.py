"""What must be installed before the embedded AWS is started."""

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.extras import Extra, install_command
from payinfra.local import lifecycle


def test_what_is_missing_is_named_with_the_extra_that_brings_it() -> None:
    with pytest.raises(EnvironmentUnusable, match="not installed: nonsense") as caught:
        lifecycle.need(("json", "nonsense"))
    assert install_command(Extra.LOCAL) in caught.value.hint


def test_here_nothing_is_missing() -> None:
    assert lifecycle.PACKAGES
    lifecycle.need(lifecycle.PACKAGES)
