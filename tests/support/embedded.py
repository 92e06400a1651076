"""Calls to an embedded AWS as its account's root, with the credentials of its folder."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from payinfra.clients.aws import Endpoints
from payinfra.core.access_key import AccessKey
from payinfra.deployment import dependencies
from payinfra.local import lifecycle
from payinfra.local.endpoints import StateFolder, read_endpoints


def endpoints_of(folder: Path) -> Endpoints:
    """Where the embedded AWS of this folder answers, and with what it is called."""
    found = read_endpoints(StateFolder(folder))
    assert found is not None, f"no embedded AWS runs in {folder}"
    return dependencies.endpoints_of(found, lifecycle.access_key(folder))


def client(folder: Path, service: str, region: str = "us-east-1", config: Config | None = None) -> Any:
    """A boto3 client."""
    found = endpoints_of(folder)
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=found.url(service, region),
        aws_access_key_id=found.access_key.access_key_id,
        aws_secret_access_key=found.access_key.secret_access_key,
        config=config,
    )


def signed(
    key: AccessKey,
    service: str,
    region: str,
    url: str,
    method: str = "GET",
    body: bytes = b"",
    **headers: str,
) -> dict[str, str]:
    """The headers of a signed request. Underscores in the names of headers stand for hyphens."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method, url, lines, body)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(Credentials(key.access_key_id, key.secret_access_key), service, region).add_auth(request)
    return dict(request.headers.items())


def presigned(
    key: AccessKey, service: str, region: str, url: str, method: str = "GET", body: bytes = b""
) -> str:
    """The URL of a request that is signed in its query, which any client can send."""

    class Signer(SigV4QueryAuth):
        def payload(self, request: AWSRequest) -> str:
            del request
            return sha256(body).hexdigest()

    request = AWSRequest(method, url, {})
    Signer(Credentials(key.access_key_id, key.secret_access_key), service, region).add_auth(request)
    return str(request.url)
