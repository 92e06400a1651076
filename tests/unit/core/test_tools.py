"""What the stages work with."""

from pathlib import Path

from payinfra import tools
from payinfra.settings import Settings


def test_aws_itself_has_no_control(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "demo", "target": "aws"}, folder=tmp_path, environ={})
    assert tools.control(settings) is None
