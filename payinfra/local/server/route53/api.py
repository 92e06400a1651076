"""The Route 53 calls that the emulator lacks, in the XML that AWS's own clients read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4
from xml.etree.ElementTree import Element, SubElement, tostring

from payinfra.local.server.route53.answers import DnsAnswerSections
from payinfra.local.server.route53.health import StatusReport

_NAMESPACE: Final = "https://route53.amazonaws.com/doc/2013-04-01/"


@dataclass(frozen=True)
class Route53Response:
    """An HTTP response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "text/xml"})


def _document(root_tag: str, fill: Callable[[Element], None], status: int = 200) -> Route53Response:
    root = Element(root_tag, {"xmlns": _NAMESPACE})
    fill(root)
    body = b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode").encode()
    return Route53Response(status, body)


def error(code: str, message: str, status: int) -> Route53Response:
    """An error as Route 53 sends it."""

    def fill(root: Element) -> None:
        described = SubElement(root, "Error")
        SubElement(described, "Type").text = "Sender"
        SubElement(described, "Code").text = code
        SubElement(described, "Message").text = message
        SubElement(root, "RequestId").text = str(uuid4())

    return _document("ErrorResponse", fill, status)


def observations(root_tag: str, reports: Sequence[StatusReport]) -> Route53Response:
    """GetHealthCheckStatusResponse or GetHealthCheckLastFailureReasonResponse."""

    def fill(root: Element) -> None:
        listed = SubElement(root, "HealthCheckObservations")
        for report in reports:
            observation = SubElement(listed, "HealthCheckObservation")
            SubElement(observation, "Region").text = report.region
            SubElement(observation, "IPAddress").text = report.ip_address
            described = SubElement(observation, "StatusReport")
            SubElement(described, "Status").text = report.status
            stamp = (
                report.checked.strftime("%Y-%m-%dT%H:%M:%S.") + f"{report.checked.microsecond // 1000:03}Z"
            )
            SubElement(described, "CheckedTime").text = stamp

    return _document(root_tag, fill)


def test_dns_answer(nameserver: str, name: str, rtype: str, answer: DnsAnswerSections) -> Route53Response:
    """TestDNSAnswerResponse; the data are what the answer section of `dig` would list."""

    def fill(root: Element) -> None:
        SubElement(root, "Nameserver").text = nameserver.rstrip(".")
        SubElement(root, "RecordName").text = name.rstrip(".")
        SubElement(root, "RecordType").text = rtype
        data = SubElement(root, "RecordData")
        for record in answer.records:
            SubElement(data, "RecordDataEntry").text = record.value
        SubElement(root, "ResponseCode").text = answer.code.value
        SubElement(root, "Protocol").text = "UDP"

    return _document("TestDNSAnswerResponse", fill)


def checker_ip_ranges(ranges: Sequence[str]) -> Route53Response:
    """GetCheckerIpRangesResponse."""

    def fill(root: Element) -> None:
        listed = SubElement(root, "CheckerIpRanges")
        for each in ranges:
            SubElement(listed, "member").text = each

    return _document("GetCheckerIpRangesResponse", fill)
