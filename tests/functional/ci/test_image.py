"""The recipe of the image for CI: judged by hadolint, and in step with what payinfra reads and names."""

import re
from pathlib import Path

import pytest

from payinfra.stacks.cdktf_bindings import cache_root
from payinfra.stacks.function_requirements import REQUIREMENTS, FunctionPlatform, _command
from payinfra.terraform import lockfile, mirror
from tests.functional.ci.conftest import ACTION, IMAGE, ROOT, tool
from tests.support.commands import in_shell, unknown

TEXT = IMAGE.read_text()
RUN = re.sub(r"\\\n", " ", TEXT)


def environment() -> dict[str, str]:
    """The variables of the finished image."""
    last = RUN[RUN.rindex("\nFROM ") :]
    (line,) = re.findall(r"^ENV (.*)$", last, re.MULTILINE)
    return dict(word.split("=", 1) for word in line.split())


def test_hadolint_finds_nothing() -> None:
    done = tool("hadolint", "--no-color", IMAGE)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [("USER 1001", "USER root", "DL3002"), ("FROM python:3.12-slim-bookworm", "FROM python", "DL3006")],
)
def test_hadolint_would_find_something(tmp_path: Path, right: str, wrong: str, rule: str) -> None:
    (tmp_path / "Dockerfile").write_text(TEXT.replace(right, wrong))
    done = tool("hadolint", "--no-color", tmp_path / "Dockerfile")
    assert done.returncode == 1
    assert rule in done.stdout


def test_what_the_image_sets_is_what_payinfra_reads() -> None:
    environ = environment()
    assert Path(environ[mirror.VARIABLE]) == Path("/opt/terraform-providers")
    assert cache_root(environ) == Path("/opt/payinfra-jsii")
    for folder in (environ[mirror.VARIABLE], environ["JSII_RUNTIME_PACKAGE_CACHE_ROOT"]):
        assert f"COPY --from=build {folder} {folder}" in re.sub(r" --ch(own|mod)=\S+", "", TEXT)
    assert environ["PATH"] == "/opt/payinfra/bin:$PATH"


def test_a_folder_that_terraform_filled_as_its_cache_serves_as_a_mirror(tmp_path: Path) -> None:
    """Terraform keeps a cache as it reads an unpacked mirror: HOST/NAMESPACE/TYPE/VERSION/PLATFORM."""
    assert "TF_PLUGIN_CACHE_DIR=/opt/terraform-providers" in TEXT
    (tmp_path / lockfile.REGISTRY / lockfile.PROVIDER / lockfile.VERSION / "linux_amd64").mkdir(parents=True)
    assert mirror.serves(tmp_path, lockfile.REGISTRY, "linux_amd64")


def test_the_functions_wheels_are_those_that_a_synthesis_installs() -> None:
    words = _command(Path(REQUIREMENTS), Path("site"), FunctionPlatform(), None)
    for option in ("--platform", "--python-version", "--implementation", "--only-binary"):
        values = {words[place + 1] for place, word in enumerate(words) if word == option}
        assert values == set(re.findall(rf"{option} (\S+)", RUN)) - {"linux/amd64"}, option


def test_it_installs_by_what_the_action_installs_by() -> None:
    path = (ACTION / "install.sh").relative_to(ROOT).as_posix()
    assert f"bash payinfra/{path} /opt/payinfra project/requirements.txt" in RUN


def test_every_command_in_it_exists() -> None:
    calls = re.findall(r"/opt/payinfra/bin/payinfra [^&]*", RUN)
    asked = [words for call in calls for words in in_shell(call)]
    assert [words[1] for words in asked] == ["synth"]
    assert [unknown(words) for words in asked] == [set()]
