"""A domain of one's own in the embedded AWS: validation through DNS, an address for each region, and TLS."""

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from payinfra.clients.aws import Aws
from payinfra.clients.dns import DnspythonDns
from payinfra.clients.http import HttpxHttp, RealTls, embedded_certificate_end, make_client
from payinfra.clients.retry import Deadline
from payinfra.core.https_address import HttpsAddress
from payinfra.deployment.local_domains import custom_domains, hosted_zone
from payinfra.local import lifecycle
from payinfra.local.aws_rules import DOMAIN_NAMES
from payinfra.local.faults import RegionBlackout
from tests.functional.local.conftest import REGIONS, Local
from tests.support import embedded

DOMAIN = "pay.test"
NAME = f"failover.{DOMAIN}"


@dataclass(frozen=True)
class Domain:
    """A custom domain in both regions, each with an API that says which region it is in."""

    local: Local
    zone_id: str

    @property
    def https(self) -> dict[str, HttpsAddress]:
        return dict(self.local.control.status().endpoints.https)

    def request(self, region: str, name: str = NAME) -> str:
        asked = self.local.client("acm", region).request_certificate(DomainName=name, ValidationMethod="DNS")
        return str(asked["CertificateArn"])

    def certificate(self, region: str, arn: str) -> Any:
        return self.local.client("acm", region).describe_certificate(CertificateArn=arn)["Certificate"]

    def record(self, **record: object) -> None:
        change = {"Action": "UPSERT", "ResourceRecordSet": record}
        self.local.client("route53").change_resource_record_sets(
            HostedZoneId=self.zone_id, ChangeBatch={"Changes": [change]}
        )

    def prove(self, region: str, arn: str) -> None:
        """Writes the record that ACM asks for."""
        (option,) = self.certificate(region, arn)["DomainValidationOptions"]
        asked = option["ResourceRecord"]
        values = [{"Value": asked["Value"]}]
        self.record(Name=asked["Name"], Type=asked["Type"], TTL=60, ResourceRecords=values)

    def serve(self, region: str, role: str) -> None:
        """The API of a region, under the name."""
        arn = self.request(region)
        self.prove(region, arn)
        gateway = self.local.client("apigateway", region)
        api = gateway.create_rest_api(name="a")["id"]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        method: dict[str, Any] = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
        gateway.put_method(**method, authorizationType="NONE")
        gateway.put_method_response(**method, statusCode="200")
        gateway.put_integration(
            **method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
        )
        answered = {"application/json": f'{{"region": "{region}"}}'}
        gateway.put_integration_response(**method, statusCode="200", responseTemplates=answered)
        gateway.create_deployment(restApiId=api, stageName="prod")
        self.certificate(region, arn)  # ACM looks the record up
        made = gateway.create_domain_name(
            domainName=NAME, regionalCertificateArn=arn, endpointConfiguration={"types": ["REGIONAL"]}
        )
        gateway.create_base_path_mapping(domainName=NAME, restApiId=api, stage="prod")
        alias = {
            "DNSName": made["regionalDomainName"],
            "HostedZoneId": made["regionalHostedZoneId"],
            "EvaluateTargetHealth": False,
        }
        self.record(Name=NAME, Type="A", SetIdentifier=region, Failover=role, AliasTarget=alias)
        self.record(Name=f"{region}.{DOMAIN}", Type="A", AliasTarget=alias)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Domain]:
    """One embedded AWS for all tests: none leaves anything that another one sees."""
    folder = tmp_path_factory.mktemp("domains") / ".server"
    try:
        local = Local(folder, lifecycle.up(folder, REGIONS, base_port=0, https=True))
        local.control.set_rules({DOMAIN_NAMES.name: 0})  # these tests ask for several names in one region
        aws = Aws(embedded.endpoints_of(folder))
        zone = hosted_zone(aws, DOMAIN)
        assert zone.made
        assert hosted_zone(aws, f"{DOMAIN}.") == replace(zone, made=False), "it is found again"
        assert custom_domains(aws, REGIONS) == ()
        domain = Domain(local, zone.id)
        for region, role in zip(REGIONS, ("PRIMARY", "SECONDARY"), strict=True):
            domain.serve(region, role)
        assert custom_domains(aws, REGIONS) == tuple((region, NAME) for region in REGIONS)
        yield domain
    finally:
        lifecycle.down(folder)


@pytest.fixture
def client(served: Domain) -> Iterator[httpx.Client]:
    """The clients that probes have."""
    with make_client(5.0, embedded.endpoints_of(served.local.folder)) as made:
        yield made


def curl(domain: Domain, region: str, name: str, *more: str) -> subprocess.CompletedProcess[str]:
    """What curl says of a name, asked at a region's address."""
    authority = domain.local.control.status().endpoints.authority
    to = f"{name}:443:{domain.https[region].listens}"
    return subprocess.run(
        [
            "curl",
            "-sS",
            "--max-time",
            "5",
            "--cacert",
            authority,
            "--connect-to",
            to,
            *more,
            f"https://{name}/",
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def connection(domain: Domain, region: str, timeout: float = 5.0) -> socket.socket:
    """A connection to a region's port, without TLS so far."""
    host, _, port = domain.https[region].listens.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


def open_files(domain: Domain) -> int:
    """How many the server has open."""
    return len(list(Path(f"/proc/{domain.local.control.status().endpoints.pid}/fd").iterdir()))


def test_a_certificate_is_issued_when_its_record_answers_in_dns(served: Domain) -> None:
    region, name = "us-west-2", f"new.{DOMAIN}"
    arn = served.request(region, name)
    asked = served.certificate(region, arn)
    assert (asked["Status"], "NotAfter" in asked) == ("PENDING_VALIDATION", False)
    gateway = served.local.client("apigateway", region)
    with pytest.raises(ClientError, match="not issued"):
        gateway.create_domain_name(domainName=name, regionalCertificateArn=arn)
    record = asked["DomainValidationOptions"][0]["ResourceRecord"]["Name"]
    served.record(Name=record, Type="CNAME", TTL=60, ResourceRecords=[{"Value": "elsewhere.example."}])
    assert served.certificate(region, arn)["Status"] == "PENDING_VALIDATION"
    served.prove(region, arn)
    assert served.certificate(region, arn)["Status"] == "ISSUED"
    with pytest.raises(ClientError, match="does not cover"):
        gateway.create_domain_name(domainName=f"other.{DOMAIN}", regionalCertificateArn=arn)


def test_each_region_has_an_address_to_which_its_alias_leads(served: Domain, client: httpx.Client) -> None:
    dns = DnspythonDns(embedded.endpoints_of(served.local.folder).dns)
    (server,) = dns.servers(())
    answers = [dns.ask(server, f"{region}.{DOMAIN}", "A").data for region in REGIONS]
    assert answers == [("127.0.0.1",), ("127.0.0.2",)]
    assert dns.ask(server, NAME, "A").data == ("127.0.0.1",)
    assert client.get(f"https://{NAME}/").json() == {"region": "us-east-1"}
    for region in REGIONS:
        done = curl(served, region, NAME)
        assert done.returncode == 0, done.stderr
        assert region in done.stdout


def test_the_certificate_is_the_custom_domains_and_the_host_decides(served: Domain) -> None:
    tls = RealTls(handshake=partial(embedded_certificate_end, embedded.endpoints_of(served.local.folder)))
    assert tls.handshake(NAME, 443)
    refused = curl(served, "us-east-1", f"other.{DOMAIN}")
    assert refused.returncode == 60, "the certificate is not for a name that no custom domain has"
    told = curl(served, "us-east-1", NAME, "-H", f"Host: other.{DOMAIN}", "-w", "%{http_code}")
    assert told.stdout == '{"message":"Forbidden"}403'
    for host in ("127.0.0.1", "abc.execute-api.us-west-2.amazonaws.com", "dynamodb.us-east-1.amazonaws.com"):
        told = curl(served, "us-east-1", NAME, "-H", f"Host: {host}", "-w", "%{http_code}")
        assert told.stdout.endswith("403"), host


def test_nobody_trusts_the_certificate_without_the_authority(served: Domain) -> None:
    with connection(served, "us-east-1") as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname=NAME)


def test_a_region_that_is_dark_answers_no_handshake_and_no_open_connection(
    served: Domain, client: httpx.Client
) -> None:
    asked = HttpxHttp(client)
    assert asked.ask("GET", f"https://{NAME}/").status == 200
    fault = served.local.control.inject(RegionBlackout("us-east-1"))
    with pytest.raises(httpx.TransportError):
        client.get(f"https://{NAME}/", timeout=0.5)
    assert curl(served, "us-east-1", NAME, "--max-time", "1").returncode == 28
    with pytest.raises(TimeoutError), connection(served, "us-east-1", timeout=0.5) as plain:
        ssl.create_default_context().wrap_socket(plain, server_hostname=NAME)
    assert curl(served, "us-west-2", NAME).returncode == 0
    before = open_files(served)
    for _ in range(30):
        connection(served, "us-east-1").close()
    given_up = Deadline.within(10).until(lambda: open_files(served) < before + 10, pause_s=0.1)
    assert given_up, "a client that hangs up leaves nothing open"
    served.local.control.clear(fault.fault_id)
    assert asked.ask("GET", f"https://{NAME}/").status == 200


@pytest.mark.parametrize("trusted", [True, False])
def test_a_load_worker_trusts_the_authority_that_it_is_told_of(served: Domain, trusted: bool) -> None:
    """In a process of its own, which importing Locust changes."""
    url = f"https://{served.https['us-west-2'].listens}/"
    authority = served.local.control.status().endpoints.authority if trusted else ""
    asked = subprocess.run(
        [sys.executable, "-c", WORKER, url, NAME, authority], capture_output=True, text=True, check=False
    )
    assert ("us-west-2" in asked.stdout) is trusted, asked.stderr
    assert ("CERTIFICATE_VERIFY_FAILED" in asked.stderr) is not trusted


WORKER = """
import sys
from payinfra.drill.load.locust_users import TargetConnectionPool
from payinfra.drill.load.targets import LoadTarget
url, host, authority = sys.argv[1:]
client, path = TargetConnectionPool(1, authority).take(LoadTarget((url,), host, ""))
print(client.get(path).read().decode())
"""


def test_a_restart_serves_the_domain_under_the_same_authority(served: Domain) -> None:
    before = served.local.control.status().endpoints
    assert lifecycle.down(served.local.folder)
    again = served.local.again()
    after = again.control.status().endpoints
    assert (after.https, after.authority) == (before.https, before.authority)
    assert "us-west-2" in curl(Domain(again, served.zone_id), "us-west-2", NAME).stdout
    arn = again.client("apigateway").get_domain_name(domainName=NAME)["regionalCertificateArn"]
    context = ssl.create_default_context(cafile=after.authority)
    with (
        connection(Domain(again, served.zone_id), "us-east-1") as plain,
        context.wrap_socket(plain, server_hostname=NAME) as secured,
    ):
        presented = ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True) or b"")
    shown = again.client("acm").get_certificate(CertificateArn=arn)["Certificate"]
    assert presented == shown, "what is presented is what ACM shows"


def test_without_a_domain_no_port_is_taken(local: Local) -> None:
    endpoints = local.control.status().endpoints
    assert (endpoints.https, endpoints.authority) == ({}, "")
    assert not (local.folder / "authority.pem").exists()
