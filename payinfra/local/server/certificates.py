"""The authority of the embedded AWS, and the certificates that it issues for custom domains.

The authority's key is on disk, readable by its owner only; the keys of certificates are in this process only.
Certificates from before a restart are issued again under the same ARN, as ACM renews them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from payinfra.core.private_files import replace_file
from payinfra.local.endpoints import StateFolder

if TYPE_CHECKING:
    from trustme import CA, LeafCert

ORGANIZATION = "payinfra embedded AWS"
VALID_FOR = timedelta(days=365)


@dataclass
class CertificateIssuer:
    """Issues what Certificate Manager is asked for, once DNS shows that it may.

    Attributes:
        folder: keeps the authority; None for one that this process alone has.
        cname: the values of the CNAME records at a name, as the embedded DNS answers.
    """

    folder: StateFolder | None = None
    cname: Callable[[str], Sequence[str]] = lambda _name: ()
    _authority: "CA | None" = None
    _issued: "dict[str, LeafCert]" = field(default_factory=dict)

    def authority(self) -> "CA":
        """The authority, made where there is none yet."""
        if self._authority is None:
            self._authority = self._kept() or self._made()
        return self._authority

    def issue(self, key: str, names: Sequence[str]) -> "LeafCert":
        """The certificate for some names; the same one again for a key under which it was issued before.

        Args:
            key: the certificate's ARN, or what else tells it from others.
            names: each may begin with a wildcard.
        """
        from trustme import KeyType

        if key not in self._issued:
            self._issued[key] = self.authority().issue_cert(
                *names,
                organization_name=ORGANIZATION,
                not_after=datetime.now(UTC) + VALID_FOR,
                key_type=KeyType.RSA,
            )
        return self._issued[key]

    def issue_for(self, certificate: dict[str, Any]) -> "LeafCert":
        """What `issue` gives for a certificate of ACM's, in whose description it is noted."""
        from cryptography import x509

        arn = str(certificate["CertificateArn"])
        known = arn in self._issued
        leaf = self.issue(arn, certificate["SubjectAlternativeNames"])
        if not known:
            pem = leaf.cert_chain_pems[0].bytes()
            read = x509.load_pem_x509_certificate(pem)
            certificate |= {
                "NotBefore": read.not_valid_before_utc.isoformat(),
                "NotAfter": read.not_valid_after_utc.isoformat(),
                "_pem_body": pem.decode(),
                "_pem_chain": self.authority().cert_pem.bytes().decode(),
            }
        return leaf

    def _kept(self) -> "CA | None":
        """The authority of the folder; None where there is none, or its files were damaged."""
        from trustme import CA

        if self.folder is None:
            return None
        try:
            return CA.from_pem(self.folder.authority.read_bytes(), self.folder.authority_key.read_bytes())
        except (OSError, ValueError):
            return None

    def _made(self) -> "CA":
        from trustme import CA

        made = CA(organization_name=ORGANIZATION, organization_unit_name="Authority of this machine alone")
        if self.folder is not None:
            replace_file(self.folder.authority_key, made.private_key_pem.bytes().decode())
            replace_file(self.folder.authority, made.cert_pem.bytes().decode())
        return made
