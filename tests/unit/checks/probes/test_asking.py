"""HTTP, TLS and DNS as probes use them, against servers on loopback."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import BaseRequestHandler, UDPServer
from threading import Thread
from typing import Any

import dns.edns
import dns.message
import dns.resolver
import dns.rrset
import httpx
import pytest

from payinfra.clients.dns import DnspythonDns, NameServer, resolve
from payinfra.clients.http import HttpResponse, HttpxHttp, RealTls, certificate_end, make_client


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        said = json.dumps({"host": self.headers["Host"], "body": body}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_host_of_ones_own_can_be_asked_for(url: str) -> None:
    with make_client() as client:
        answer = HttpxHttp(client).ask("POST", f"{url}/payments", {"Host": "failover.example"}, {"amount": 1})
    assert answer.status == 201
    assert answer.fields() == {"host": "failover.example", "body": '{"amount":1}'}
    assert 0 < answer.seconds < 5


def test_a_proxy_of_the_environment_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with make_client() as client:
        answer = HttpxHttp(client).ask("POST", "http://api.example/payments", body={})
    assert answer.fields()["host"] == "api.example"


def test_no_proxy_is_taken_to_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with make_client() as client:
        assert HttpxHttp(client).ask("POST", url, body={}).status == 201


def test_nothing_that_answers_is_a_transport_error() -> None:
    with make_client() as client, pytest.raises(httpx.TransportError):
        HttpxHttp(client).ask("GET", "http://127.0.0.1:1/")


@pytest.mark.parametrize("text", ["not json", "[1]", ""])
def test_a_body_that_is_no_object_has_no_fields(text: str) -> None:
    assert HttpResponse(200, {}, text, 0.1).fields() == {}


def test_an_answer_for_a_person_is_short() -> None:
    assert len(HttpResponse(500, {}, "x" * 1000, 0.1).said()) < 200


def test_days_are_counted_from_the_certificates_end() -> None:
    tls = RealTls(handshake=lambda _host, _port: "Jan 11 00:00:00 2026 GMT")
    assert tls.days_left("x.example", datetime(2026, 1, 1, tzinfo=UTC)) == 10


class Secured(ssl.SSLContext):
    """Wraps nothing, and gives a certificate."""

    def wrap_socket(self, sock: socket.socket, *_options: object, **_named: object) -> Any:
        return nullcontext(self)

    def getpeercert(self) -> dict[str, str]:
        return {"notAfter": "Jan 11 00:00:00 2026 GMT"}


def test_the_end_is_what_the_hosts_certificate_says(url: str) -> None:
    port = int(url.rpartition(":")[2])
    context = Secured(ssl.PROTOCOL_TLS_CLIENT)
    assert certificate_end("127.0.0.1", port, context) == "Jan 11 00:00:00 2026 GMT"


def test_a_host_without_tls_is_no_certificate(url: str) -> None:
    port = int(url.rpartition(":")[2])
    with pytest.raises((ssl.SSLError, OSError)):
        RealTls(port).days_left("127.0.0.1", datetime(2026, 1, 1, tzinfo=UTC))


def answering(question: dns.message.Message, _server: NameServer) -> dns.message.Message:
    answer = dns.message.make_response(question)
    name = question.question[0].name
    answer.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", "api.example."))
    answer.answer.append(dns.rrset.from_text("api.example.", 30, "IN", "A", "192.0.2.2", "192.0.2.1"))
    return answer


def test_an_answer_has_the_records_that_were_asked_for_and_their_ttl() -> None:
    dns_ = DnspythonDns(exchange=answering)
    cname = dns_.ask(NameServer("192.0.2.53"), "failover.example", "CNAME")
    assert (cname.code, cname.data, cname.ttl_s) == ("NOERROR", ("api.example",), 60)
    assert dns_.ask(NameServer("192.0.2.53"), "failover.example", "A").data == ("192.0.2.1", "192.0.2.2")
    assert dns_.ask(NameServer("192.0.2.53"), "failover.example", "AAAA").data == ()


@pytest.mark.parametrize("client", ["", "192.0.2.99"])
def test_a_name_server_is_told_for_whom_it_is_asked(client: str) -> None:
    asked: list[dns.message.Message] = []

    def noting(question: dns.message.Message, server: NameServer) -> dns.message.Message:
        asked.append(question)
        return answering(question, server)

    DnspythonDns(exchange=noting, on_behalf_of=client).ask(
        NameServer("192.0.2.53"), "latency.example", "CNAME"
    )
    told = [one.address for one in asked[0].options if isinstance(one, dns.edns.ECSOption)]
    assert told == ([client] if client else [])


def test_the_embedded_server_stands_for_all_name_servers() -> None:
    assert DnspythonDns("127.0.0.1:5353").servers(("ns-1", "ns-2")) == (NameServer("127.0.0.1", 5353),)
    assert str(NameServer("127.0.0.1", 5353)) == "127.0.0.1:5353"


def test_on_aws_name_servers_are_found_by_the_machines_resolver() -> None:
    dns_ = DnspythonDns(
        resolver=lambda name, kind: answering(dns.message.make_query(name, kind), NameServer(""))
    )
    assert dns_.servers(("ns-1.example",)) == (NameServer("192.0.2.1"),)
    assert str(dns_.servers(("ns-1.example",))[0]) == "192.0.2.1"


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    """A name server on loopback, that gives every name the same answer."""
    server = UDPServer(("127.0.0.1", 0), Answering)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield NameServer("127.0.0.1", server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


class Answering(BaseRequestHandler):
    """One question by UDP."""

    def handle(self) -> None:
        asked, back = self.request
        answer = answering(dns.message.from_wire(asked), NameServer(""))
        back.sendto(answer.to_wire(), self.client_address)


def test_a_name_server_is_asked_over_the_network(name_server: NameServer) -> None:
    assert DnspythonDns().ask(name_server, "failover.example", "CNAME").data == ("api.example",)


def test_a_resolver_is_asked_over_the_network(name_server: NameServer) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [name_server.address], name_server.port
    said = DnspythonDns(resolver=lambda name, kind: resolve(name, kind, resolver))
    assert said.resolve("failover.example", "CNAME").data == ("api.example",)


def test_a_name_of_the_embedded_aws_is_resolved_by_its_own_server(name_server: NameServer) -> None:
    def nobody(name: str, kind: str) -> dns.message.Message:
        raise AssertionError(f"the machine's resolver was asked for {name} {kind}")

    said = DnspythonDns(f"{name_server.address}:{name_server.port}", resolver=nobody)
    assert said.resolve("failover.example", "CNAME").data == ("api.example",)
