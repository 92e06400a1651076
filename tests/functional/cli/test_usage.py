"""What a person gets who types something wrong: one message, the next step, exit code 2, no traceback."""

import json
import subprocess
import sys

import pytest

from tests.functional.cli.conftest import Project
from tests.support.terminal import Terminal


def loaded(modules: tuple[str, ...], *words: str) -> list[str]:
    """Which of the modules a command line has loaded when it ends, with what it began in the background."""
    script = (
        "import sys\nfrom payinfra.cli import app\nfrom payinfra.core.errors import UsageProblem\n"
        f"try:\n    app({list(words)!r})\nexcept (SystemExit, UsageProblem):\n    pass\n"
        f"print(*[name for name in {modules!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1].split()


def test_help_loads_neither_cdktf_nor_boto3_nor_pydantic_models() -> None:
    heavy = (
        "cdktf",
        "jsii",
        "boto3",
        "botocore",
        "httpx",
        "payinfra.core.settings",
        "payinfra.deployment.pipeline",
    )
    assert loaded(heavy, "--help") == []
    assert loaded(heavy, "synth", "--help") == []


def test_version(project: Project) -> None:
    assert project.run("version").stdout.startswith("payinfra ")
    assert set(json.loads(project.run("version", "--format", "json").stdout)) == {"schema", "version"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("synth",), "No environment was named"),
        (("synth", "--env", ""), "lowercase letters"),
        (("synth", "--env", "Prod"), "lowercase letters"),
        (("synth", "--env", "x" * 64), "lowercase letters"),
        (("synth", "--env", "../x"), "lowercase letters"),
        (("synth", "--env", "naïve"), "lowercase letters"),
        (("synth", "--env", "1-a"), "lowercase letters"),
        (("deploy", "--env", "demo", "--local"), "no terminal"),
        (("destroy", "--env", "demo", "--local"), "no terminal"),
        (("destroy", "--env", "prod", "--yes"), "protected"),
        (("destroy", "--env", "prod", "--yes", "--yes-really", "other"), "--yes-really prod"),
        (("synth", "--env", "demo", "--primary-region", "us-west-2"), "must differ"),
        (("synth", "--env", "demo", "--primary-region", "us-moon-1"), "no such region"),
        (("synth", "--env", "demo", "--domain", "pay.example.com"), "go together"),
        (("local", "fault", "inject", "region-blackout"), "--region REGION"),
        (("local", "fault", "inject", "replication-delay"), "--seconds SECONDS"),
        (("local", "fault", "clear"), "No fault was named"),
    ],
)
def test_bad_usage(project: Project, arguments: tuple[str, ...], said: str) -> None:
    done = project.run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments", [("synth", "--nonsense"), ("nonsense",), ("local", "fault", "inject", "storm")]
)
def test_what_the_parser_refuses_has_the_same_exit_code(project: Project, arguments: tuple[str, ...]) -> None:
    done = project.run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    what, next_step = done.stderr.splitlines()
    assert what.startswith("error: ")
    assert next_step.startswith("next:  `payinfra")
    assert "--help` says what it takes." in next_step


def test_without_a_command_there_is_help(project: Project) -> None:
    done = project.run()
    assert done.returncode == 2
    assert "Usage: payinfra" in done.stdout + done.stderr


def test_a_broken_file_is_named_with_its_line(project: Project) -> None:
    (project.folder / "payinfra.toml").write_text('env = "demo"\nowner = \n')
    done = project.run("settings")
    assert done.returncode == 2
    assert "payinfra.toml is not TOML" in done.stderr
    assert "line 2" in done.stderr


def test_settings_say_where_each_came_from(project: Project) -> None:
    (project.folder / "payinfra.toml").write_text('env = "demo"\nowner = "payments"\n')
    project.environ["PAYINFRA_DNS_TTL"] = "30"
    done = project.run("settings", "--daily-quota", "7", "--local", "--format", "json")
    shown = json.loads(done.stdout)
    assert shown["owner"] == {"value": "payments", "from": "payinfra.toml"}
    assert shown["dns_ttl"] == {"value": 30, "from": "PAYINFRA_DNS_TTL"}
    assert shown["daily_quota"] == {"value": 7, "from": "flag"}
    assert shown["target"] == {"value": "local", "from": "flag"}
    assert project.run("settings", "--aws").returncode == 0


def test_a_work_folder_that_cannot_be_made_is_a_usage_error(project: Project) -> None:
    (project.folder / ".payinfra").write_text("")
    done = project.run("synth", "--env", "demo")
    assert done.returncode == 2
    assert "Cannot create the work folder" in done.stderr


def test_outputs_of_what_was_never_deployed(project: Project) -> None:
    done = project.run("outputs", "--env", "demo", "--local")
    assert done.returncode == 4
    assert "payinfra deploy --env demo --local" in done.stderr


@pytest.mark.parametrize("command", [("deploy", "--yes"), ("destroy", "--yes")])
def test_a_ci_job_keeps_no_state_of_its_own(project: Project, command: tuple[str, ...]) -> None:
    project.environ["CI"] = "true"
    done = project.run(*command, "--env", "pr1")
    assert done.returncode == 2
    assert "payinfra bootstrap --state-bucket NAME" in " ".join(done.stderr.split())
    assert not list(project.folder.iterdir())


def test_help_is_short_and_help_all_has_every_variable_whole(project: Project) -> None:
    project.environ["COLUMNS"] = "60"
    short, whole = (project.run("deploy", how).stdout for how in ("--help", "--help-all"))
    assert "--all-at-once" in short
    assert "--lambda-memory-mb" not in short
    assert "PAYINFRA_" not in short
    assert "[PAYINFRA_LAMBDA_MEMORY_MB]" in whole
    assert "[PAYINFRA_DEPLOY_ALLOW_SINGLE_REGION]" in whole
    assert "Commands:" in project.run("local", "--help-all").stdout
    assert "[PAYINFRA_QUIET]" in project.run("--help-all").stdout


def test_a_variable_sets_an_option_of_one_command(project: Project) -> None:
    project.environ = {"PAYINFRA_FORMAT": "json", "PAYINFRA_INIT_DRY_RUN": "1"}
    done = project.run("init")
    assert json.loads(done.stdout)["dry_run"] is True
    assert list(project.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("payinfra deploy --env st", ["staging"]),
        ("payinfra deploy --primary-region eu-n", ["eu-north-1"]),
        ("payinfra check --select PI-LOG-001", ["PI-LOG-001"]),
        ("payinfra rota", ["rotate-key"]),
    ],
)
def test_a_shell_completes_commands_environments_regions_and_ids(
    project: Project, line: str, offered: list[str]
) -> None:
    (project.folder / "payinfra.toml").write_text("[environments.staging]\n[environments.prod]\n")
    project.environ |= {
        "_PAYINFRA_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
    }
    assert project.run().stdout.split() == offered


def test_no_answer_to_a_question_does_nothing(project: Project) -> None:
    words = ("conflicts", "resolve", "pay_1", "--keep", "f", "--env", "demo", "--local")
    with Terminal(project, *words) as terminal:
        terminal.until("[y/N]")
        terminal.types("\x04")
        assert terminal.end() == 1
        assert "Nothing was done" in terminal.said


def test_the_version_is_an_option_too(project: Project) -> None:
    assert project.run("--version").stdout == project.run("version").stdout


@pytest.mark.parametrize(
    ("shell", "begins"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete")]
)
def test_a_shell_is_given_its_completion_wherever_it_is_asked_for(
    project: Project, shell: str, begins: str
) -> None:
    done = project.run("completion", shell)
    assert done.returncode == 0, done.stderr
    assert any(line.startswith(begins) for line in done.stdout.splitlines())
    assert "_PAYINFRA_COMPLETE" in done.stdout


def test_bash_completes_what_was_deployed_wherever_one_stands(project: Project) -> None:
    (project.folder / "payinfra.toml").touch()
    outputs = project.folder / ".payinfra" / "local" / "demo" / "outputs.json"
    outputs.parent.mkdir(parents=True)
    outputs.touch()
    inner = project.folder / "src"
    inner.mkdir()
    words = "payinfra verify --env d"
    script = (
        f'eval "$(payinfra completion bash)"; COMP_WORDS=({words}); COMP_CWORD=3; '
        '_payinfra_completion payinfra; echo "${COMPREPLY[@]}"'
    )
    environment = project.environment()
    environment["PATH"] = f"{project.program.parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=inner, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["demo"], done.stderr


@pytest.mark.parametrize("option", ["--only", "--skip"])
def test_an_unknown_probe_is_a_usage_error_before_anything_is_asked(project: Project, option: str) -> None:
    done = project.run("verify", "--env", "demo", "--local", option, "LIVE-S3-01")
    assert done.returncode == 2
    assert "There is no probe 'LIVE-S3-01'; did you mean 'LIVE-S3-001'?" in done.stderr


def test_a_mistyped_environment_is_answered_with_the_known_ones(project: Project) -> None:
    outputs = project.folder / ".payinfra" / "local" / "demo" / "outputs.json"
    outputs.parent.mkdir(parents=True)
    outputs.touch()
    for command in ("verify", "status", "outputs", "pay", "key", "logs", "failover-drill"):
        done = project.run(
            command, "--env", "demmo", "--local", *(("--yes",) * (command == "failover-drill"))
        )
        assert done.returncode == 4, command
        assert "next:  Did you mean 'demo'? Known here: demo on the embedded AWS." in done.stderr
        assert "deploy --env" not in done.stderr
