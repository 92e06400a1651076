"""The embedded AWS from the command line: up, status, faults, logs, down."""

import json
import socket

from tests.functional.cli.conftest import Project


def test_up_status_faults_logs_down(project: Project) -> None:
    up = json.loads(project.run("local", "up", "--format", "json").stdout)
    again = json.loads(project.run("local", "up", "--format", "json").stdout)
    assert up["endpoints"] == again["endpoints"]
    assert up["pid"] == again["pid"]

    status = project.run("local", "status")
    assert status.returncode == 0
    assert up["endpoints"]["us-west-2"] in status.stdout
    assert "No fault is in place." in status.stdout

    injected = project.run(
        "local", "fault", "inject", "region-blackout", "--region", "us-east-1", "--format", "json"
    )
    fault = json.loads(injected.stdout)[0]
    assert (fault["kind"], fault["region"]) == ("region-blackout", "us-east-1")
    delay = ("local", "fault", "inject", "replication-delay", "--seconds", "3", "--jitter", "1")
    assert "3 s, give or take 1 s" in project.run(*delay).stdout
    assert "paused" in project.run("local", "fault", "inject", "replication-pause").stdout
    assert len(json.loads(project.run("local", "fault", "list", "--format", "json").stdout)) == 3
    project.run("local", "fault", "clear", fault["id"])
    assert len(json.loads(project.run("local", "fault", "list", "--format", "json").stdout)) == 2
    project.run("local", "fault", "clear", "--all")
    assert project.run("local", "fault", "list").stdout == "No fault is in place.\n"

    assert project.run("local", "logs", "-n", "5").returncode == 0
    assert "Stopped" in project.run("local", "down").stderr
    assert "not running" in project.run("local", "down").stderr
    assert project.run("local", "status").returncode == 4
    assert json.loads(project.run("local", "status", "--format", "json").stdout)["running"] is False


def test_faults_need_a_running_server(project: Project) -> None:
    done = project.run("local", "fault", "list")
    assert done.returncode == 4
    assert "payinfra local up" in done.stderr


def test_a_port_in_use_is_said_with_the_next_step(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        base = taken.getsockname()[1]
        project.environ["PAYINFRA_LOCAL_PORT"] = str(base)
        done = project.run("local", "up")
    assert done.returncode == 4
    assert str(base) in done.stderr
    assert "PAYINFRA_LOCAL_PORT" in done.stderr
