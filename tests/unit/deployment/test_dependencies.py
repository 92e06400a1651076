"""What the stages work with."""

from pathlib import Path

import pytest

from payinfra.clients.aws import Endpoints
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies


def test_aws_itself_has_no_control(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "demo", "target": "aws"}, folder=tmp_path, environ={})
    assert dependencies.control(settings) is None


def test_a_scripted_account_has_nothing_unless_it_says_so(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "demo", "target": "aws"}, folder=tmp_path, environ={})
    assert dependencies.nothing(settings, None) == ()
    assert dependencies.AWS_DEPENDENCIES.existing is dependencies.existing
    assert dependencies.AWS_DEPENDENCIES.remaining is dependencies.remaining


@pytest.mark.parametrize("target", ["aws", "local"])
def test_what_exists_is_looked_for_where_the_settings_say(tmp_path: Path, target: str) -> None:
    """Nothing answers there, so that who is asked is all that can be told."""
    settings = Settings.resolve({"env": "demo", "target": target}, folder=tmp_path, environ={})
    nowhere = Endpoints({"us-east-1": "http://127.0.0.1:1"}, "http://127.0.0.1:1")
    for look in (dependencies.existing, dependencies.remaining):
        with pytest.raises(EnvironmentUnusable, match=r"Could not connect .*http://127\.0\.0\.1:1/"):
            look(settings, nowhere)
