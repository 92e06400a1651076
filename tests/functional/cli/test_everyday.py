"""What people type every day: pay, key, logs, explain, on an embedded AWS with a parameter and logs only."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from tests.functional.cli.conftest import Project
from tests.support import embedded
from tests.support.outputs import flat_outputs
from tests.support.terminal import Terminal
from tests.unit.checks.probes.conftest import declared

EAST, WEST = "us-east-1", "us-west-2"
ENV = ("--env", "pr1", "--local")
SECRET = "a-very-secret-api-key"
GROUP = "/aws/lambda/payments"


class Api(BaseHTTPRequestHandler):
    """Records each payment once, and refuses whoever has not the key."""

    # One for all requests of the module, as a table is.
    seen: ClassVar[dict[str, dict[str, object]]] = {}

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        if self.headers["x-api-key"] != SECRET:
            self.answer(403, {"message": "Forbidden"})
        elif self.seen.setdefault(key, body) != body:
            self.answer(422, {"type": "urn:problem:payments:idempotency-key-reused"})
        else:
            self.answer(201, {"payment_id": f"pay_{key}"})

    def answer(self, status: int, fields: dict[str, object]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(fields).encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("everyday"))
    up = project.run("local", "up", "--format", "json")
    assert up.returncode == 0, up.stderr
    api = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{api.server_port}/payments"
    for region in (EAST, WEST):
        parameters = embedded.client(project.server, "ssm", region)
        parameters.put_parameter(Name="/pr1/api-key", Value=SECRET, Type="SecureString")
        logs = embedded.client(project.server, "logs", region)
        logs.create_log_group(logGroupName=GROUP)
        logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
        event = {"timestamp": int(time.time() * 1000), "message": f"said in {region}\x1b[2J\n"}
        logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=[event])
    account = embedded.client(project.server, "sts").get_caller_identity()["Account"]
    outputs = flat_outputs(
        primary_region=EAST,
        secondary_region=WEST,
        environment_suffix="pr1",
        dynamodb_table_arn=f"arn:aws:dynamodb:{EAST}:{account}:table/payments",
        secondary_dynamodb_table_arn=f"arn:aws:dynamodb:{WEST}:{account}:table/payments",
        declared=declared().to_json(),
        api_endpoint=url,
        secondary_api_endpoint=url,
        api_key_parameter="/pr1/api-key",
        secondary_api_key_parameter="/pr1/api-key",
        lambda_log_group_name=GROUP,
        secondary_lambda_log_group_name=GROUP,
    )
    folder = project.folder / ".payinfra" / "local" / "pr1"
    folder.mkdir(parents=True)
    (folder / "outputs.json").write_text(json.dumps(outputs))
    yield project
    api.shutdown()
    project.run("local", "down")


def test_a_payment_is_sent_and_shown_without_the_api_key(served: Project) -> None:
    done = served.run("pay", *ENV, "--key", "order-1", "--times", "2", "--metadata", "order=17")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("201 Created after") == 2
    assert "Idempotency-Key: order-1" in done.stdout
    assert '"order": "17"' in done.stdout
    assert '"payment_id": "pay_order-1"' in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_a_key_is_made_where_none_is_given(served: Project) -> None:
    first, second = (
        json.loads(served.run("pay", *ENV, "--region", "secondary", "--format", "json").stdout)
        for _ in range(2)
    )
    assert first["region"] == WEST
    assert first["request"]["idempotency_key"] != second["request"]["idempotency_key"]


def test_a_payment_that_is_not_recorded_fails_and_says_why(served: Project) -> None:
    same = ("pay", *ENV, "--key", "order-2", "--timestamp", "5")
    assert served.run(*same).returncode == 0
    assert served.run(*same).returncode == 0
    done = served.run("pay", *ENV, "--key", "order-2", "--timestamp", "6")
    assert done.returncode == 1
    assert "422" in done.stdout
    assert "Key order-2 belongs to another payment" in done.stderr


def test_curl_sends_nothing_and_holds_no_secret(served: Project) -> None:
    done = served.run("pay", *ENV, "--curl", "--key", "order-3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("API_KEY=$(payinfra key --env pr1 --local --region us-east-1)\ncurl ")
    assert SECRET not in done.stdout
    assert "order-3" not in Api.seen


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("pay", "--key", "naïve"), "characters that a header cannot carry"),
        (("pay", "--metadata", "order"), "no equals sign"),
        (("pay", "--region", "eu-west-1"), "Give --region one of us-east-1, us-west-2, primary, secondary."),
        (("logs", "--since", "yesterday"), "is not a duration"),
        (("logs", "--region", "third"), "pr1 is not in third"),
    ],
)
def test_what_cannot_be_meant_is_said(served: Project, arguments: tuple[str, ...], says: str) -> None:
    done = served.run(*arguments, *ENV)
    assert done.returncode == 2, done.stderr
    assert says in " ".join(done.stderr.split())


def test_the_api_key_goes_to_a_pipe_whole_and_alone(served: Project) -> None:
    done = served.run("--verbose", "key", *ENV)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{SECRET}\n"
    assert SECRET not in done.stderr


def test_on_a_terminal_the_api_key_is_shown_only_when_asked_for(served: Project) -> None:
    with Terminal(served, "key", *ENV, all_streams=True) as terminal:
        assert terminal.end() == 0
        assert SECRET not in terminal.said
        assert "API_KEY=$(payinfra key --env pr1 --local)" in terminal.said
    with Terminal(served, "key", *ENV, "--show", all_streams=True) as terminal:
        assert terminal.end() == 0
        assert SECRET in terminal.said


def test_what_is_piped_reaches_the_pipe_although_stderr_is_a_terminal(served: Project) -> None:
    with Terminal(served, "pay", *ENV, "--curl") as terminal:
        assert terminal.end() == 0
        assert "curl" not in terminal.said


def test_logs_of_both_regions_or_of_one_as_data(served: Project) -> None:
    done = served.run("logs", *ENV)
    assert done.returncode == 0, done.stderr
    assert f"{EAST} said in {EAST}\\x1b[2J" in done.stdout
    assert f"{WEST} said in {WEST}\\x1b[2J" in done.stdout
    one = served.run("logs", *ENV, "--region", "secondary", "--format", "json")
    (event,) = map(json.loads, one.stdout.splitlines())
    assert (event["region"], event["group"]) == (WEST, GROUP)
    assert event["message"].startswith(f"said in {WEST}\x1b[2J")


@pytest.fixture
def left(served: Project) -> Iterator[str]:
    """The drill of this environment that has left the embedded AWS's time running faster."""
    holder = "pr1/d\x1b[2J\u202e\n::error::owned"
    served.control.hold_time_scale(holder, 20)
    yield holder
    served.control.release_time_scale(holder)


@pytest.mark.parametrize(
    "command", [("status",), ("verify", "--only", "LIVE-TLS-001")], ids=lambda one: one[0]
)
def test_what_a_drill_has_left_is_exit_5_and_its_name_moves_no_terminal(
    served: Project, left: str, command: tuple[str, ...]
) -> None:
    done = served.run(*command, *ENV)
    assert done.returncode == 5, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert "pr1/d\\x1b[2J\\u202e\\n::error::owned" in "".join(said.split("\n"))
    assert not {one for one in said if not one.isprintable()} - set("\n\t")
    assert not [line for line in said.splitlines() if line.lstrip().startswith("::")]
    with Terminal(served, *command, *ENV, all_streams=True) as terminal:
        assert terminal.end() == 5
        assert "\x1b[2J" not in terminal.said
        assert "\u202e" not in terminal.said
    served.control.release_time_scale(left)
    assert served.run(*command, *ENV).returncode != 5


@pytest.mark.parametrize("command", [("status",), ("verify",), ("failover-drill", "--restore")])
def test_an_output_that_is_no_arn_is_one_message(served: Project, command: tuple[str, ...]) -> None:
    file = served.folder / ".payinfra" / "local" / "pr1" / "outputs.json"
    kept = file.read_text()
    file.write_text(json.dumps(json.loads(kept) | {"dynamodb_table_arn": "payments"}))
    try:
        done = served.run(*command, *ENV)
    finally:
        file.write_text(kept)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "The output `dynamodb_table_arn` of us-east-1 is no ARN: payments." in done.stderr


def test_logs_are_followed_until_interrupted(served: Project) -> None:
    with Terminal(served, "logs", *ENV, "--region", WEST, "--follow", all_streams=True) as terminal:
        terminal.until(f"said in {WEST}")
        event = {"timestamp": int(time.time() * 1000), "message": "said later"}
        logs = embedded.client(served.server, "logs", WEST)
        logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=[event])
        terminal.until("said later")
        terminal.types("\x03")
        assert terminal.end() == 130
        assert terminal.said.count("said later") == 1


@pytest.mark.parametrize("id", ["PI-S3-001", "live-ddb-002", "LIVE-DRIFT-001", "PI-SRC-001"])
def test_checks_and_probes_are_explained_alike(project: Project, id: str) -> None:
    done = project.run("explain", id)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{id.upper()}  ")
    begins = [line.split()[0] for line in done.stdout.splitlines()[2:]]
    assert {"severity", "judges", "risk", "fix", "docs"} <= set(begins)


def test_an_explanation_as_json(project: Project) -> None:
    found = json.loads(project.run("explain", "LIVE-DDB-002", "--format", "json").stdout)
    assert (found["id"], found["judges"], found["docs"]) == (
        "LIVE-DDB-002",
        "live",
        "docs/verify.md#the-probes",
    )
    assert found["within_s"] > 0


def test_an_unknown_id_is_answered_with_the_nearest(project: Project) -> None:
    done = project.run("explain", "LIVE-DDB-02")
    assert done.returncode == 2
    assert "did you mean 'LIVE-DDB-002'?" in done.stderr


def test_a_mistyped_destruction_is_answered_at_once_and_leaves_no_folder(served: Project) -> None:
    ended = served.run("destroy", "--env", "pr2", "--local", "--yes")
    assert ended.returncode == 4
    assert "There is nothing to destroy" in ended.stderr
    assert "Did you mean 'pr1'? Known here: pr1 on the embedded AWS." in ended.stderr
    assert "synth" not in ended.stderr
    in_bucket = served.run("destroy", "--env", "pr2", "--local", "--yes", "--state-bucket", "no-such-bucket")
    assert in_bucket.returncode == 4
    assert "There is nothing to destroy" in in_bucket.stderr
    assert "synth" not in in_bucket.stderr
    assert not (served.folder / ".payinfra" / "local" / "pr2").exists()


def test_next_steps_repeat_the_project_that_was_given(served: Project) -> None:
    ended = served.run("--project", str(served.folder), "open", *ENV)
    assert ended.returncode == 4
    assert f"`payinfra --project {served.folder} failover-drill --env pr1 --local`" in ended.stderr


def test_quiet_leaves_results_and_errors(served: Project) -> None:
    done = served.run("--quiet", "pay", "--format", "json")
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(done.stdout)["environment"] == "pr1"
    assert "Environment pr1" in served.run("pay").stderr
    wrong = served.run("--quiet", "verify", "--env", "pr2", "--local")
    assert wrong.stderr.startswith("error: ")
    both = served.run("--quiet", "--verbose", "version")
    assert both.returncode == 2
    assert "exclude each other" in both.stderr


def test_outputs_are_what_people_use_and_all_of_them_when_asked_for(served: Project) -> None:
    short = served.run("outputs", *ENV).stdout
    assert len(short.splitlines()) <= 20
    assert GROUP in short
    assert "kms_key_id" not in short
    assert "kms_key_id" in served.run("outputs", *ENV, "--all").stdout
