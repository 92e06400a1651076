"""The first name of a certificate has 64 octets at most."""

import json
from typing import Any

import pytest


@pytest.mark.parametrize(("length", "status"), [(64, 200), (65, 400)])
def test_a_certificates_first_name_is_short(world: Any, length: int, status: int) -> None:
    name = "a" * (length - len(".example.com")) + ".example.com"
    headers = {
        "x-amz-target": "CertificateManager.RequestCertificate",
        "content-type": "application/x-amz-json-1.1",
    }
    wanted = {"DomainName": name, "SubjectAlternativeNames": ["b" * 63 + "." + "c" * 63 + ".example.com"]}
    answer = world.call("acm", "POST", "/", wanted, headers)
    assert answer.status == status, answer
    assert ("CertificateArn" in json.loads(answer.body)) is (status == 200)
