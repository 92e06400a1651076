"""Chooses the certificate for a connection to a region's port with TLS."""

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.server.ministack import Emulator

if TYPE_CHECKING:
    from trustme import LeafCert


@dataclass
class DomainCertificates:
    """Chooses a connection's certificate by the name in its handshake, as API Gateway does in a region.

    A client that names a custom domain gets its certificate. A client that names something else, or nothing,
    gets that of the region's own endpoints, and rejects it.
    """

    emulator: Emulator
    region: str
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)

    def context(self) -> ssl.SSLContext:
        """For a server's port."""
        endpoints = f"*.execute-api.{self.region}.amazonaws.com"
        context = self._context(endpoints, self.emulator.certificates.issue(endpoints, (endpoints,)))
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        found = None if name is None else self._of_domain(name.lower())
        if found is not None:
            leaf = self.emulator.certificates.issue_for(found)
            connection.context = self._context(str(found["CertificateArn"]), leaf)

    def _of_domain(self, name: str) -> dict[str, Any] | None:
        """The issued certificate of a custom domain; None where the region has no such domain."""
        gateway, acm = self.emulator.service("apigateway_v1"), self.emulator.service("acm")
        with self.emulator.scope(ACCOUNT, self.region):
            domains = {str(one["domainName"]).lower(): one for one in gateway._domain_names.values()}
            arn = domains.get(name, {}).get("regionalCertificateArn")
            found: dict[str, Any] | None = acm._certificates.get(arn) if arn else None
        return found if found and found["Status"] == "ISSUED" else None

    def _context(self, key: str, leaf: "LeafCert") -> ssl.SSLContext:
        if key not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            leaf.configure_cert(context)
            self._contexts[key] = context
        return self._contexts[key]
