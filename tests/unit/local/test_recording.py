"""The record of requests: what Terraform and payinfra asked, and what IAM was asked about it."""

import json
import shutil
from pathlib import Path

from payinfra.local.endpoints import StateFolder
from payinfra.local.lifecycle import command
from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from payinfra.local.server.process import parse
from payinfra.local.server.recording import BODY_MOST, RequestRecorder
from tests.unit.local.conftest import Ministack, Role

AGENT = ("user-agent", "APN/1.0 HashiCorp/1.0 Terraform/1.11.4")
ANSWER = AsgiResponse(200, (), b"{}")


def request(*headers: tuple[str, str], body: bytes = b"{}") -> HttpRequest:
    return HttpRequest("POST", "/a/b%2Fc", "x=1", headers, body)


def recorded(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_text().splitlines()]


def test_a_request_of_terraform_or_payinfra_is_kept_without_its_signature(tmp_path: Path) -> None:
    recorder = RequestRecorder(tmp_path)
    signed = (("authorization", "AWS4 secret"), ("x-amz-security-token", "secret"), ("x-amz-target", "S.Op"))
    for agent in (AGENT, ("user-agent", "Boto3/1 payinfra/0.1.0 run/x")):
        recorder.begin(request(agent))
        recorder.record(request(agent, *signed), ANSWER, "kms", "us-east-1")
    first, second = recorded(tmp_path)
    assert first["path"] == "/a/b%2Fc"
    assert (first["service"], first["query"], first["status"], first["length"]) == ("kms", "x=1", 200, 2)
    assert first["asked"] == second["asked"] == []
    assert "secret" not in json.dumps([first, second])
    assert "S.Op" in json.dumps(first)


def test_nobody_elses_request_is_kept(tmp_path: Path) -> None:
    recorder = RequestRecorder(tmp_path)
    other = request(("user-agent", "Boto3/1 exec-env/AWS_Lambda"))
    recorder.begin(other)
    recorder.record(other, ANSWER, "dynamodb", "us-east-1")
    assert recorded(tmp_path) == []


def test_a_long_body_is_cut_and_its_length_kept(tmp_path: Path) -> None:
    long = request(AGENT, body=b"z" * (BODY_MOST + 5))
    RequestRecorder(tmp_path).record(long, ANSWER, "lambda", "us-east-1")
    (kept,) = recorded(tmp_path)
    assert kept["length"] == BODY_MOST + 5
    assert len(str(kept["body"])) < 2 * BODY_MOST


def test_what_iam_is_asked_is_kept_with_the_resource_s_tags(
    world: Ministack, role: Role, tmp_path: Path
) -> None:
    parameter = {"Name": "/it", "Value": "v", "Type": "String", "Tags": [{"Key": "Project", "Value": "p"}]}
    headers = {"x-amz-target": "AmazonSSM.PutParameter", "content-type": "application/x-amz-json-1.1"}
    assert world.call("ssm", "POST", "/", parameter, headers).status == 200
    role.may({"Action": "ssm:GetParameter"})
    recorder = RequestRecorder(tmp_path)
    recorder.begin(request(AGENT))
    assert role.operation("AmazonSSM.GetParameter", {"Name": "/it"}).status == 200
    recorder.record(request(AGENT), ANSWER, "ssm", "us-east-1")
    (kept,) = recorded(tmp_path)
    assert isinstance(kept["asked"], list)
    one = next(one for one in kept["asked"] if one["action"] == "ssm:GetParameter")
    assert (one["resource"].endswith(":parameter/it"), one["tags"]) == (True, {"Project": "p"})
    assert f":assumed-role/{role.name}/" in one["caller"]


def test_a_server_of_an_earlier_run_adds_nothing_to_the_next_record(tmp_path: Path) -> None:
    folder = tmp_path / "record"
    earlier = RequestRecorder(folder)
    earlier.record(request(AGENT), ANSWER, "kms", "us-east-1")
    assert len(recorded(folder)) == 1
    shutil.rmtree(folder)
    now = RequestRecorder(folder)
    for recorder in (earlier, now):
        recorder.record(request(AGENT), ANSWER, "ssm", "us-east-1")
    assert len(recorded(folder)) == 1


def test_a_server_records_only_where_it_is_told_to(tmp_path: Path) -> None:
    words = command(StateFolder(tmp_path), ("us-east-1",), 0, 1.0)
    assert "--record" not in words
    told = command(StateFolder(tmp_path), ("us-east-1",), 0, 1.0, str(tmp_path / "r"))
    assert parse(told[3:]).record == tmp_path / "r"
    assert parse(words[3:]).record is None
