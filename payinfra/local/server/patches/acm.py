"""Certificate Manager, as AWS answers it."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.server.certificates import CertificateIssuer
from payinfra.local.server.ministack import Emulator

Answer = tuple[int, dict[str, str], bytes]
Wanted = Mapping[str, Any]
Call = Callable[[Wanted], Answer]

FIRST_NAME_MAX = 64
PENDING, ISSUED = "PENDING_VALIDATION", "ISSUED"
NOT_YET_KNOWN = frozenset({"IssuedAt", "NotBefore", "NotAfter"})
"""What a certificate has once it is issued (ACM API reference, CertificateDetail)."""


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    acm = emulator.service("acm")
    request = validation_is_pending(acm, acm._request_certificate)
    emulator.replace(acm, "_request_certificate", first_name_is_short(acm, request))
    emulator.replace(acm, "_validation_options", validation_record)
    emulator.replace(acm, "_cert_shape", without_what_is_not_known(acm._cert_shape))
    for call in ("_describe_certificate", "_list_certificates", "_get_certificate"):
        looked = records_are_looked_up(acm, emulator.certificates, getattr(acm, call))
        emulator.replace(acm, call, looked)
    emulator.replace(acm, "_get_certificate", only_when_issued(acm, acm._get_certificate))


def first_name_is_short(acm: Any, original: Call) -> Call:
    """AWS: a certificate's first name has 64 octets at most, the others 253 (ACM API, RequestCertificate)."""

    def request(wanted: Wanted) -> Answer:
        name = str(wanted.get("DomainName", ""))
        if len(name.encode()) > FIRST_NAME_MAX:
            message = f"The first domain name can be no longer than {FIRST_NAME_MAX} characters."
            refused: Answer = acm.error_response_json("InvalidParameterException", message, 400)
            return refused
        return original(wanted)

    return request


def validation_record(domain: str, method: str) -> dict[str, Any]:
    """AWS: ACM asks for one CNAME record for each name, the same in every region of an account.

    A wildcard is proved by the record of the name below it (ACM user guide, "AWS Certificate Manager DNS
    validation").
    """
    base = domain.removeprefix("*.").lower()
    proof = hashlib.sha256(f"{ACCOUNT} {base}".encode()).hexdigest()
    record = {
        "Name": f"_{proof[:32]}.{base}.",
        "Type": "CNAME",
        "Value": f"_{proof[32:]}.acm-validations.aws.",
    }
    asked = {"ResourceRecord": record} if method == "DNS" else {}
    return {"DomainName": domain, "ValidationMethod": method, "ValidationStatus": PENDING, **asked}


def validation_is_pending(acm: Any, original: Call) -> Call:
    """AWS: a requested certificate is PENDING_VALIDATION until its owner has proved to have the names."""

    def request(wanted: Wanted) -> Answer:
        answer = original(wanted)
        made = parse_json(answer[2])
        arn = made.get("CertificateArn") if isinstance(made, dict) else None
        if arn:
            record = acm._certificates[arn]
            record["Status"] = PENDING
            for name in NOT_YET_KNOWN:
                record.pop(name, None)
        return answer

    return request


def without_what_is_not_known(original: Callable[[Wanted], Wanted]) -> Callable[[Wanted], Wanted]:
    """AWS: what is not issued has no times of validity. ministack puts others in their place."""

    def shape(certificate: Wanted) -> Wanted:
        absent = NOT_YET_KNOWN if certificate["Status"] == PENDING else frozenset()
        return {name: value for name, value in original(certificate).items() if name not in absent}

    return shape


def records_are_looked_up(acm: Any, issuer: CertificateIssuer, original: Call) -> Call:
    """AWS: ACM issues a certificate once DNS answers with the CNAME record of each of its names.

    ACM looks again and again; here it looks whenever somebody asks.
    """

    def call(wanted: Wanted) -> Answer:
        for certificate in acm._certificates.values():
            if certificate["Status"] == PENDING:
                _look(certificate, issuer)
        return original(wanted)

    return call


def _look(certificate: dict[str, Any], issuer: CertificateIssuer) -> None:
    for option in certificate["DomainValidationOptions"]:
        record = option.get("ResourceRecord")
        if record and record["Value"] in issuer.cname(record["Name"]):
            option["ValidationStatus"] = "SUCCESS"
    if {one["ValidationStatus"] for one in certificate["DomainValidationOptions"]} != {"SUCCESS"}:
        return
    issuer.issue_for(certificate)
    certificate |= {"Status": ISSUED, "IssuedAt": datetime.now(UTC).isoformat()}


def only_when_issued(acm: Any, original: Call) -> Call:
    """AWS: GetCertificate fails while a certificate is not issued (ACM API reference, GetCertificate)."""

    def get(wanted: Wanted) -> Answer:
        arn = str(wanted.get("CertificateArn", ""))
        if acm._certificates.get(arn, {}).get("Status") == PENDING:
            refused: Answer = acm.error_response_json(
                "RequestInProgressException", f"Certificate {arn} is not issued yet.", 400
            )
            return refused
        return original(wanted)

    return get
