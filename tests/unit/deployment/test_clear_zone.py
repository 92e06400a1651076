"""A hosted zone that outlives an environment is left without what killed runs of the probes wrote."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from payinfra.clients.aws import Endpoints
from payinfra.core.settings import Settings, Target
from payinfra.deployment import dependencies

NAME = "run1.payinfra-canary.payment-demo-failover.pay.example.com"
LISTED = f"""<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>{NAME}.</Name>
<Type>TXT</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>"payinfra-canary demo run1 1"</Value>
</ResourceRecord></ResourceRecords></ResourceRecordSet></ResourceRecordSets><IsTruncated>false</IsTruncated>
<MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"""
CHANGED = """<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>
<SubmittedAt>2026-01-02T03:04:05Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>"""


class Route53(BaseHTTPRequestHandler):
    """A zone with one canary in it; or one that refuses."""

    asked: ClassVar[list[str]]
    status = 200

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.answer(LISTED)

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.answer(CHANGED)

    def answer(self, text: str) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def route53() -> Iterator[tuple[Endpoints, type[Route53]]]:
    class Zone(Route53):
        asked: ClassVar[list[str]] = []

    server = HTTPServer(("127.0.0.1", 0), Zone)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield Endpoints({}, f"http://127.0.0.1:{server.server_port}"), Zone
    server.shutdown()
    server.server_close()
    thread.join()


def settings(folder: Path, **own: str) -> Settings:
    return Settings.resolve({"env": "demo", "target": Target.LOCAL, **own}, folder=folder, environ={})


def with_a_zone(folder: Path) -> Settings:
    return settings(folder, domain="pay.example.com", hosted_zone_id="Z0123456789ABC")


def test_the_canaries_of_the_environment_are_removed(
    route53: tuple[Endpoints, type[Route53]], tmp_path: Path
) -> None:
    endpoints, zone = route53
    assert dependencies.clear_zone(with_a_zone(tmp_path), endpoints) == ""
    listed, changed = zone.asked
    assert "/hostedzone/Z0123456789ABC/rrset?name=payinfra-canary.payment-demo-failover" in listed
    assert "<Action>DELETE</Action>" in changed
    assert f"<Name>{NAME}.</Name>" in changed


def test_a_zone_that_refuses_is_named(route53: tuple[Endpoints, type[Route53]], tmp_path: Path) -> None:
    endpoints, zone = route53
    zone.status = 403
    said = dependencies.clear_zone(with_a_zone(tmp_path), endpoints)
    assert said.startswith("Zone Z0123456789ABC was not looked through for records of `verify`: ")


def test_a_zone_of_the_environments_own_goes_with_it(
    route53: tuple[Endpoints, type[Route53]], tmp_path: Path
) -> None:
    endpoints, zone = route53
    assert dependencies.clear_zone(settings(tmp_path), endpoints) == ""
    assert zone.asked == []
