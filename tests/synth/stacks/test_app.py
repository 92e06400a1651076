"""The app that cdktf's own CLI runs gives what `payinfra synth` gives."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from payinfra.stacks.__main__ import main

if TYPE_CHECKING:
    from tests.synth.stacks.conftest import Synthesize

ROOT = Path(__file__).parents[3]


def test_the_same_file_as_payinfra_synth(synthesized: "Synthesize", tmp_path: Path) -> None:
    ours = synthesized("protected")
    given = {
        f"PAYINFRA_{name.upper()}": ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in ours.settings.model_dump(exclude_defaults=True, mode="json").items()
        if value is not None and name not in ("cors_origins", "ephemeral_patterns")
    }
    environ = given | {
        "PAYINFRA_CORS_ORIGINS": ",".join(ours.settings.cors_origins),
        "CDKTF_OUTDIR": str(tmp_path / "cdktf.out"),
    }
    assert main(environ, tmp_path) == 0
    theirs = tmp_path / "cdktf.out" / "stacks" / "payment-prod"
    assert (theirs / "cdk.tf.json").read_bytes() == (ours.folder / "cdk.tf.json").read_bytes()
    manifest = json.loads((tmp_path / "cdktf.out" / "manifest.json").read_text(encoding="utf-8"))
    assert list(manifest["stacks"]) == ["payment-prod"]


def test_a_bad_setting_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main({"PAYINFRA_ENV": "UPPER"}, tmp_path) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "lowercase" in captured.err
    assert "Traceback" not in captured.err


def test_cdktf_json_names_the_app_and_where_it_writes() -> None:
    config = json.loads((ROOT / "cdktf.json").read_text(encoding="utf-8"))
    assert config["language"] == "python"
    assert shlex.split(config["app"])[1:] == ["-m", "payinfra.stacks"]
    assert config["output"] == "cdktf.out"
