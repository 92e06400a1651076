"""The authority of the embedded AWS: kept with its folder, and made anew where its files are damaged."""

from pathlib import Path

from payinfra.local.endpoints import StateFolder
from payinfra.local.server.certificates import CertificateIssuer


def test_the_authority_is_kept_with_the_folder_and_its_key_is_the_owners(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    first = CertificateIssuer(folder).authority().cert_pem.bytes()
    assert CertificateIssuer(folder).authority().cert_pem.bytes() == first
    assert folder.authority.read_bytes() == first
    assert folder.authority_key.stat().st_mode & 0o777 == 0o600
    assert CertificateIssuer().authority().cert_pem.bytes() != first, "without a folder it is another one"


def test_an_authority_whose_key_was_damaged_is_made_anew(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    first = CertificateIssuer(folder).authority().cert_pem.bytes()
    folder.authority_key.write_text("-----BEGIN")
    assert CertificateIssuer(folder).authority().cert_pem.bytes() != first


def test_a_certificate_is_issued_once_under_a_key() -> None:
    issuer = CertificateIssuer()
    first, again, other = (issuer.issue(key, ("pay.test",)) for key in ("a", "a", "b"))
    assert first is again
    assert first.cert_chain_pems[0].bytes() != other.cert_chain_pems[0].bytes()
