"""The embedded AWS from the command line: up, status, faults, logs, down."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from tests.functional.cli.conftest import Project
from tests.support import embedded

SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


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
    disturbed = ("--region", "us-west-2", "--service", "s3")
    throttled = project.run("local", "fault", "inject", "service-throttling", *disturbed)
    assert "s3 in us-west-2 throttles every call" in throttled.stdout
    late = project.run(
        "local", "fault", "inject", "service-delay", *disturbed, "--seconds", "2", "--format", "json"
    )
    assert json.loads(late.stdout)[0]["seconds"] == 2
    project.run("local", "fault", "clear", json.loads(late.stdout)[0]["id"])
    unknown = project.run(
        "local", "fault", "inject", "service-throttling", "--region", "us-west-2", "--service", "x"
    )
    assert unknown.returncode == 2, unknown.stderr
    assert "Known: dynamodb, kms, lambda, s3, sns, ssm" in unknown.stderr
    assert len(json.loads(project.run("local", "fault", "list", "--format", "json").stdout)) == 4
    project.run("local", "fault", "clear", "fault-4")
    project.run("local", "fault", "clear", fault["id"])
    assert len(json.loads(project.run("local", "fault", "list", "--format", "json").stdout)) == 2
    project.run("local", "fault", "clear", "--all")
    assert project.run("local", "fault", "list").stdout == "No fault is in place.\n"

    assert project.run("local", "logs", "-n", "5").returncode == 0
    assert "Stopped" in project.run("local", "down").stderr
    assert "not running" in project.run("local", "down").stderr
    assert project.run("local", "status").returncode == 4
    assert json.loads(project.run("local", "status", "--format", "json").stdout)["running"] is False


def test_the_variables_let_aws_tools_in_and_another_folders_do_not(project: Project, tmp_path: Path) -> None:
    project.run("local", "up")
    project.environ["PAYINFRA_FORMAT"] = "json"
    printed = project.run("local", "env")
    assert printed.returncode == 0, printed.stderr
    values = json.loads(project.run("local", "env", "--format", "json").stdout)
    assert printed.stdout.splitlines() == [
        "unset AWS_PROFILE AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_REGION",
        *(f"export {name}={value}" for name, value in values.items()),
    ]
    west = json.loads(project.run("local", "env", "--region", "us-west-2", "--format", "json").stdout)
    assert west["AWS_DEFAULT_REGION"] == "us-west-2"
    assert west["AWS_ENDPOINT_URL"] != values["AWS_ENDPOINT_URL"]
    absent = project.run("local", "env", "--region", "eu-west-3")
    assert (absent.returncode, absent.stdout, "eu-west-3" in absent.stderr) == (2, "", True)

    script = "import boto3; print(*(boto3.client(one).meta.endpoint_url for one in ('s3', 'iam'))); " + (
        "boto3.client('dynamodb').list_tables(); print(boto3.client('sts').get_caller_identity()['Arn'])"
    )
    shell = f'export AWS_SESSION_TOKEN=old AWS_PROFILE=none; eval "$1"; exec {sys.executable} -c "$2"'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", printed.stdout, script], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        f"{values['AWS_ENDPOINT_URL']} {values['AWS_ENDPOINT_URL_IAM']}",
        "arn:aws:iam::000000000000:root",
    ], done.stderr

    other = Project(tmp_path / "other")
    other.folder.mkdir()
    other.run("local", "up")
    try:
        mine = json.loads(other.run("local", "env", "--format", "json").stdout)
    finally:
        other.run("local", "down")
    assert {mine[name] for name in SECRETS}.isdisjoint(values[name] for name in SECRETS)
    assert oct((project.server / "credentials.json").stat().st_mode & 0o777) == "0o600"


def test_a_shell_with_the_variables_does_not_deploy_to_aws(project: Project) -> None:
    project.run("local", "up")
    project.environ |= json.loads(project.run("local", "env", "--format", "json").stdout)
    done = project.run("plan", "--env", "prod")
    assert done.returncode == 4
    assert "Add --local" in done.stderr


def test_the_variables_need_a_running_server(project: Project) -> None:
    done = project.run("local", "env")
    assert (done.returncode, done.stdout) == (4, "")
    assert "payinfra local up" in done.stderr


def test_a_server_of_an_earlier_version_is_started_anew_with_what_it_holds(project: Project) -> None:
    up = json.loads(project.run("local", "up", "--format", "json").stdout)
    made = {"BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
    attributes = [{"AttributeName": "id", "AttributeType": "S"}]
    embedded.client(project.server, "dynamodb").create_table(
        TableName="kept", AttributeDefinitions=attributes, **made
    )
    (project.server / "credentials.json").unlink()
    told = project.run("local", "env")
    assert (told.returncode, told.stdout) == (4, "")
    assert "payinfra local down" in told.stderr
    again = project.run("local", "up", "--format", "json")
    assert "anew" in again.stderr
    assert json.loads(again.stdout)["pid"] != up["pid"]
    assert embedded.client(project.server, "dynamodb").list_tables()["TableNames"] == ["kept"]


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
