"""Wherever one types, it is the project that one stands in."""

import json
from pathlib import Path

from tests.functional.cli.conftest import Project
from tests.support.outputs import flat_outputs


def deployed(project: Project, env: str, target: str = "local") -> None:
    folder = project.folder / ".payinfra" / target / env
    folder.mkdir(parents=True)
    names = {"primary_region": "us-east-1", "secondary_region": "us-west-2", "environment_suffix": env}
    (folder / "outputs.json").write_text(json.dumps(flat_outputs(**names)))


def below(project: Project) -> Project:
    folder = project.folder / "src" / "deep"
    folder.mkdir(parents=True, exist_ok=True)
    return Project(folder)


def test_state_is_beside_the_file_wherever_one_types(project: Project) -> None:
    (project.folder / "payinfra.toml").write_text('owner = "payments"\n')
    deployed(project, "demo")
    inner = below(project)
    done = inner.run("outputs", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["environment_suffix"] == "demo"
    assert "Environment demo on the embedded AWS: the only one that was deployed from here." in done.stderr
    synth = inner.run("synth", "--env", "pr1", "--local", "--format", "json")
    assert Path(json.loads(synth.stdout)["folder"]).is_relative_to(project.folder / ".payinfra")
    assert not (inner.folder / ".payinfra").exists()


def test_the_folder_can_be_named(project: Project) -> None:
    deployed(project, "demo")
    other = Project(project.folder / "elsewhere")
    other.folder.mkdir()
    done = other.run("--project", str(project.folder), "outputs", "--format", "json")
    assert json.loads(done.stdout)["environment_suffix"] == "demo"
    assert other.run("--project", "..", "outputs").returncode == 0
    other.environ["PAYINFRA_PROJECT"] = str(project.folder)
    assert other.run("outputs").returncode == 0


def test_a_folder_that_does_not_exist_is_a_usage_error(project: Project) -> None:
    done = project.run("--project", "no-such", "outputs")
    assert done.returncode == 2
    assert "There is no folder" in done.stderr


def test_init_writes_where_one_stands_or_where_it_is_told(project: Project) -> None:
    (project.folder / "payinfra.toml").touch()
    inner = below(project)
    inner.run("init", "--ci", "none")
    assert (inner.folder / "payinfra-waivers.toml").exists()
    (project.folder / "third").mkdir()
    inner.run("--project", "../../third", "init", "--ci", "none")
    assert (project.folder / "third" / "payinfra-waivers.toml").exists()


def test_the_waivers_beside_the_file_count(project: Project) -> None:
    (project.folder / "payinfra.toml").touch()
    (project.folder / "payinfra-waivers.toml").write_text("not toml")
    done = below(project).run("check", "--env", "pr1")
    assert done.returncode != 0
    assert f"{project.folder}/payinfra-waivers.toml" in done.stderr


def test_the_embedded_aws_is_that_of_the_project(project: Project) -> None:
    (project.folder / "payinfra.toml").write_text('work_root = "state"\n')
    inner = below(project)
    try:
        up = inner.run("local", "up")
        assert up.returncode == 0, up.stderr
        assert (project.folder / "state" / "local" / ".server" / "credentials.json").exists()
        assert project.run("local", "status").stdout == inner.run("local", "status").stdout
    finally:
        assert "Stopped" in inner.run("local", "down").stderr


def test_what_destroys_takes_nothing_that_was_not_named(project: Project) -> None:
    deployed(project, "demo")
    for command in ("destroy", "deploy", "rotate-key", "adopt", "plan"):
        done = project.run(command, *(() if command == "plan" else ("--yes",)))
        assert done.returncode == 2, command
        assert "No environment was named." in done.stderr
