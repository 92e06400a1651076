"""What Certificate Manager asks for before it issues a certificate, and what it then issues."""

import json
from typing import Any

import pytest
from cryptography import x509

from tests.unit.local.conftest import Ministack

NAME, OTHER = "pay.example.com", "*.pay.example.com"


def call(world: Ministack, operation: str, wanted: object, region: str = "us-east-1") -> tuple[int, Any]:
    headers = {
        "x-amz-target": f"CertificateManager.{operation}",
        "content-type": "application/x-amz-json-1.1",
    }
    answer = world.call("acm", "POST", "/", wanted, headers, region)
    return answer.status, json.loads(answer.body or b"{}")


def request(world: Ministack, region: str = "us-east-1", method: str = "DNS") -> str:
    wanted = {"DomainName": NAME, "SubjectAlternativeNames": [OTHER], "ValidationMethod": method}
    return str(call(world, "RequestCertificate", wanted, region)[1]["CertificateArn"])


def described(world: Ministack, arn: str, region: str = "us-east-1") -> Any:
    return call(world, "DescribeCertificate", {"CertificateArn": arn}, region)[1]["Certificate"]


@pytest.mark.parametrize(("length", "status"), [(64, 200), (65, 400)])
def test_a_certificates_first_name_is_short(world: Ministack, length: int, status: int) -> None:
    name = "a" * (length - len(".example.com")) + ".example.com"
    wanted = {"DomainName": name, "SubjectAlternativeNames": ["b" * 63 + "." + "c" * 63 + ".example.com"]}
    answered, said = call(world, "RequestCertificate", wanted)
    assert answered == status, said
    assert ("CertificateArn" in said) is (status == 200)


def test_one_record_proves_a_name_its_wildcard_and_every_region(world: Ministack) -> None:
    asked = [
        option["ResourceRecord"]
        for region in ("us-east-1", "us-west-2")
        for option in described(world, request(world, region), region)["DomainValidationOptions"]
    ]
    assert len(asked) == 4
    assert {json.dumps(one) for one in asked} == {json.dumps(asked[0])}
    assert (asked[0]["Type"], asked[0]["Name"].endswith(f".{NAME}.")) == ("CNAME", True)
    assert asked[0]["Value"].endswith(".acm-validations.aws.")


def test_a_certificate_is_pending_until_dns_answers_with_its_record(world: Ministack) -> None:
    arn, answers = request(world), dict[str, tuple[str, ...]]()
    world.emulator.certificates.cname = lambda name: answers.get(name, ())
    pending = described(world, arn)
    record = pending["DomainValidationOptions"][0]["ResourceRecord"]
    assert pending["Status"] == "PENDING_VALIDATION"
    assert not {"IssuedAt", "NotBefore", "NotAfter"} & set(pending)
    status, refused = call(world, "GetCertificate", {"CertificateArn": arn})
    assert (status, refused["__type"]) == (400, "RequestInProgressException")
    answers[record["Name"]] = ("elsewhere.example.",)
    assert described(world, arn)["Status"] == "PENDING_VALIDATION"
    answers[record["Name"]] = (record["Value"],)
    issued = described(world, arn)
    assert issued["Status"] == "ISSUED"
    assert {one["ValidationStatus"] for one in issued["DomainValidationOptions"]} == {"SUCCESS"}
    shown = call(world, "GetCertificate", {"CertificateArn": arn})[1]
    leaf, authority = (
        x509.load_pem_x509_certificate(shown[part].encode()) for part in ("Certificate", "CertificateChain")
    )
    leaf.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {NAME, OTHER}
    assert leaf.not_valid_after_utc.timestamp() == issued["NotAfter"]


def test_a_certificate_by_mail_waits_for_somebody_to_agree(world: Ministack) -> None:
    world.emulator.certificates.cname = lambda _name: ("anything.",)
    assert described(world, request(world, method="EMAIL"))["Status"] == "PENDING_VALIDATION"
