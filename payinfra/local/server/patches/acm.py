"""Certificate Manager, as AWS answers it."""

from collections.abc import Callable, Mapping
from typing import Any

from payinfra.local.server.ministack import Emulator

Answer = tuple[int, dict[str, str], bytes]

FIRST_NAME_MAX = 64


def install(emulator: Emulator) -> None:
    """Makes the corrections."""
    acm = emulator.service("acm")
    emulator.replace(acm, "_request_certificate", first_name_is_short(acm, acm._request_certificate))


def first_name_is_short(
    acm: Any, original: Callable[[Mapping[str, Any]], Answer]
) -> Callable[[Mapping[str, Any]], Answer]:
    """AWS: a certificate's first name has 64 octets at most, the others 253 (ACM API, RequestCertificate)."""

    def request(wanted: Mapping[str, Any]) -> Answer:
        name = str(wanted.get("DomainName", ""))
        if len(name.encode()) > FIRST_NAME_MAX:
            message = f"The first domain name can be no longer than {FIRST_NAME_MAX} characters."
            refused: Answer = acm.error_response_json("InvalidParameterException", message, 400)
            return refused
        return original(wanted)

    return request
