"""What the stages work with."""

from pathlib import Path

from payinfra.core.settings import Settings
from payinfra.deployment import dependencies


def test_aws_itself_has_no_control(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "demo", "target": "aws"}, folder=tmp_path, environ={})
    assert dependencies.control(settings) is None
