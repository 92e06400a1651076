"""Recorded payments from the command line, on an embedded AWS with a table and buckets only."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from payinfra.clients.aws import FOR_PAYMENTS
from payinfra.local.lifecycle import RECORD_VARIABLE
from scripts.conformance.requests import RecordedRequest, RequestRecord
from tests.functional.cli.conftest import Project
from tests.support import embedded
from tests.support.outputs import flat_outputs

EAST, WEST = "us-east-1", "us-west-2"
TABLE = "payment-pr1-payments"
ENV = ("--env", "pr1", "--local")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("payments"))
    project.environ[RECORD_VARIABLE] = str(project.folder / "record")
    up = project.run("local", "up", "--format", "json")
    assert up.returncode == 0, up.stderr
    make_region(project, EAST)
    make_region(project, WEST)
    names = {"dynamodb_table_name": TABLE, "secondary_dynamodb_table_name": TABLE}
    buckets = {"s3_bucket_name": f"audit-{EAST}", "secondary_s3_bucket_name": f"audit-{WEST}"}
    regions = {"primary_region": EAST, "secondary_region": WEST, "environment_suffix": "pr1"}
    folder = project.folder / ".payinfra" / "local" / "pr1"
    folder.mkdir(parents=True)
    outputs = flat_outputs(**names, **buckets, **regions)
    (folder / "outputs.json").write_text(json.dumps(outputs))
    yield project
    project.run("local", "down")


def client(project: Project, service: str, region: str) -> Any:
    return embedded.client(project.server, service, region)


def make_region(project: Project, region: str) -> None:
    """A table as the stack's, with a payment in conflict, and an empty bucket."""
    names = {"payment_id": "S", "timestamp": "N", "status": "S"}
    table = client(project, "dynamodb", region)
    table.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "payment_id", "KeyType": "HASH"},
            {"AttributeName": "timestamp", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "status-index",
                "KeySchema": [
                    {"AttributeName": "status", "KeyType": "HASH"},
                    {"AttributeName": "timestamp", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    texts = {"payment_id": "pay_1", "fingerprint": "f" * 64, "status": "accepted", "currency": "EUR"}
    numbers = {"timestamp": "1800000000000", "amount": "1250"}
    item = {name: {"S": text} for name, text in {**texts, "customer_id": "c"}.items()}
    item |= {name: {"N": number} for name, number in numbers.items()}
    table.put_item(TableName=TABLE, Item={**item, "conflict": {"BOOL": True}})
    where = {} if region == EAST else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    client(project, "s3", region).create_bucket(Bucket=f"audit-{region}", **where)


SPAN = ("--from", "2027-01-15", "--to", "2027-01-15")


def test_what_is_missing_is_told_and_fails_the_gate(served: Project) -> None:
    done = served.run("audit", "reconcile", *ENV, *SPAN, "--dry-run", "--format", "json")
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert (said["payments"], said["missing"]) == (1, ["pay_1"])
    assert (said["from"], said["to"]) == ("2027-01-15T00:00:00.000Z", "2027-01-15T23:59:59.999Z")


def test_by_default_the_last_week_is_looked_at(served: Project) -> None:
    done = served.run("audit", "reconcile", *ENV)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 payments from ")


def test_a_function_that_is_not_there_is_said(served: Project) -> None:
    done = served.run("audit", "reconcile", *ENV, *SPAN)
    assert done.returncode == 4
    assert "AWS refused, or did not answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("region", [(), ("--region", WEST)])
def test_conflicts_are_listed(served: Project, region: tuple[str, ...]) -> None:
    done = served.run("conflicts", "list", *ENV, *SPAN, *region, "--format", "json")
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["conflicts"]
    assert one["payment_id"] == "pay_1"
    table = served.run("conflicts", "list", *ENV, *SPAN, *region)
    assert "payinfra conflicts resolve --env pr1 --local PAYMENT_ID --keep FINGERPRINT" in " ".join(
        table.stdout.split()
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("audit", "reconcile", "--from", "yesterday"), 2, "'yesterday' is no time"),
        (("audit", "reconcile", "--from", "2027-01-16", "--to", "2027-01-15"), 2, "--from is after --to"),
        (
            ("audit", "reconcile", "--from", "2027-01-15T08:00:00+01:00", "--to", "2027-01-15T06:59:59"),
            2,
            "after",
        ),
        (("conflicts", "list", "--region", "eu-west-1"), 2, "Give --region one of us-east-1, us-west-2"),
        (("conflicts", "resolve", "pay_1", "--keep", "f"), 2, "Add --yes"),
        (("conflicts", "resolve", "pay_1", "--keep", "e", "--yes"), 2, "0 payments under pay_1"),
        (("conflicts", "resolve", "pay_1", "--keep", "f", "--yes"), 4, "AWS refused, or did not answer"),
    ],
)
def test_what_cannot_be_done_says_why(
    served: Project, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = served.run(*arguments, *ENV)
    assert done.returncode == code, done.stderr
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_each_of_their_calls_says_that_a_person_decides(served: Project) -> None:
    """`make conformance` puts them to the role that docs/account.md describes, and not to the one for CI."""
    served.run("audit", "reconcile", *ENV, *SPAN)
    served.run("conflicts", "list", *ENV, *SPAN)
    made = [RecordedRequest.of_line(line) for line in RequestRecord(served.folder / "record")]
    assert {one.service for one in made} >= {"dynamodb", "s3", "lambda"}
    assert [one for one in made if FOR_PAYMENTS not in one.headers["user-agent"]] == []
