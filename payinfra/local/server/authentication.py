"""Who calls the embedded AWS: keys that it knows, and signatures that are true.

ministack takes the keys "test", none, and any account's number for the account's root, and checks none of
their signatures. Here one key is the root's, and every signature is checked before ministack sees a request.
"""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from payinfra.core.access_key import AccessKey
from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.server import sigv4
from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from payinfra.local.server.ministack import Emulator
from payinfra.local.server.sigv4 import SignatureClaim, SignatureRefused

Secrets = Callable[[str, str], str]
"""Takes an access key's id and a session token, and gives the secret that belongs to them.

Raises SignatureRefused where they are not known, or not valid any more.
"""

Scopes = Callable[[SignatureClaim], bool]
"""Whether a port takes what is signed for this region and service."""

verified: ContextVar[str] = ContextVar("payinfra_verified_key", default="")
"""The access key that the current request was signed with, once that was checked; else empty."""


def _now() -> datetime:
    return datetime.now(UTC)


class Authentication:
    """Checks signatures against the secrets that are known."""

    def __init__(self, secrets: Secrets, now: Callable[[], datetime] = _now) -> None:
        self._secrets, self._now = secrets, now

    def __call__(self, request: HttpRequest, valid: Scopes) -> SignatureClaim:
        """Who signed the request.

        Raises:
            SignatureRefused: nobody that is known, or for another region than this port's.
        """
        claim = sigv4.claim_of(request)
        if not valid(claim):
            raise SignatureRefused(
                "SignatureDoesNotMatch",
                f"Credential should be scoped to a valid region: the request is signed for {claim.region!r}, "
                "which is not the region of this port.",
            )
        secret = self._secrets(claim.access_key_id, claim.token)
        sigv4.check(request, claim, secret, self._now())
        return claim


def known_secrets(emulator: Emulator, root: AccessKey) -> Secrets:
    """The account's own key, the keys of its IAM users, and its sessions."""
    evaluator, responses = emulator.core("iam_evaluator"), emulator.core("responses")

    def secret_of(access_key_id: str, token: str) -> str:
        if access_key_id == root.access_key_id and not token:
            return root.secret_access_key
        account = responses._account_from_sts_session(access_key_id) or ACCOUNT
        found = evaluator.resolve_credential(access_key_id, account, token)
        if isinstance(found, evaluator.CredentialResolutionError):
            raise SignatureRefused(found.code, found.message)
        secret: str = found.secret_access_key
        return secret

    return secret_of


def refusals(emulator: Emulator) -> Callable[[HttpRequest, SignatureRefused], AsgiResponse]:
    """Answers that each service's SDKs read, with the service's own code and status."""
    main, evaluator = emulator.main, emulator.core("iam_evaluator")

    def refuse(request: HttpRequest, refused: SignatureRefused) -> AsgiResponse:
        headers = dict(request.headers)
        service = main.detect_service(request.method, request.path, headers, parse_qs(request.query_string))
        failure = evaluator.AuthError(refused.code, refused.message)
        status, sent, body = main._credential_failure(service, "", str(uuid4()), failure, headers)
        lines = tuple((name.lower(), str(value)) for name, value in sent.items())
        return AsgiResponse(status, lines).with_body(body)

    return refuse


def install(emulator: Emulator, root: AccessKey) -> None:
    """Make `root` the only key of the account's root, and `verified` what ministack goes by."""
    evaluator = emulator.core("iam_evaluator")
    resolve: Callable[..., Any] = evaluator.resolve_credential

    def is_root(access_key_id: str) -> bool:
        return access_key_id == root.access_key_id == verified.get()

    def resolve_credential(
        access_key_id: str, account_id: str | None = None, *token: Any, **more: Any
    ) -> Any:
        if not is_root(access_key_id):
            return resolve(access_key_id, account_id, *token, **more)
        return evaluator.ResolvedCredential(
            access_key_id=access_key_id,
            secret_access_key=root.secret_access_key,
            account_id=ACCOUNT,
            principal_arn=f"arn:aws:iam::{ACCOUNT}:root",
            principal_id=ACCOUNT,
            principal_type="Root",
            source_access_key_id=access_key_id,
        )

    pin: Callable[..., None] = emulator.main.pin_signed_request

    def pin_signed_request(*arguments: Any, **more: Any) -> None:
        """ministack checks what was not checked here: who calls an API whose methods want to know."""
        if not (key := verified.get()):
            pin(*arguments, **more)
            return
        evaluator._signed_request.set(None)
        evaluator._verified_key.set(key)
        evaluator._anonymous.set(False)

    services = [emulator.service(name) for name in ("s3", "sts")]
    for module in (evaluator, *services):
        emulator.replace(module, "resolve_credential", resolve_credential)
    for module in (evaluator, emulator.service("sts")):
        emulator.replace(module, "is_root_access_key", is_root)
    emulator.replace(emulator.main, "pin_signed_request", pin_signed_request)
