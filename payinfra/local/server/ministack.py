"""The seam to ministack: the only module that imports it, and only into the server's process.

ministack has no stable interface to build on, so its version is pinned and checked; whatever payinfra
replaces in it is replaced through this module.
"""

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.extras import Extra, install_command
from payinfra.local.server.asgi import App
from payinfra.local.server.aws_rules import KeptRules
from payinfra.local.server.certificates import CertificateIssuer

Untyped = Any
"""A module of ministack's, which has no types."""

VERSION = "1.5.33"
SERVICES = (
    *("acm", "apigateway", "apigateway_v1", "cloudwatch", "cloudwatch_logs", "dynamodb", "dynamodb_streams"),
    *("iam", "kms", "lambda_svc", "route53", "s3", "sns", "sqs", "ssm", "sts", "tagging"),
)
"""The services that a payments stack uses, loaded at the start so that each one's state is restored."""

serving: ContextVar[str | None] = ContextVar("payinfra_serving_region", default=None)
"""The region whose port the current request came in at."""


@dataclass(frozen=True)
class Emulator:
    """ministack, loaded."""

    application: App
    main: Untyped
    rules: KeptRules = field(default_factory=KeptRules)
    certificates: CertificateIssuer = field(default_factory=CertificateIssuer)
    _replaced: list[tuple[Untyped, str, Untyped]] = field(default_factory=list)

    def service(self, name: str) -> Untyped:
        """A service's module, by ministack's own short name."""
        return self.main._get_module(name)

    def core(self, name: str) -> Untyped:
        """A module of ministack's core."""
        return importlib.import_module(f"ministack.core.{name}")

    def replace(self, module: Untyped, name: str, value: object) -> None:
        """Replace something of ministack's by something of payinfra's."""
        self._replaced.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    def restore(self) -> None:
        """Undo all that `replace` did."""
        while self._replaced:
            setattr(*self._replaced.pop())

    @contextmanager
    def scope(self, account: str, region: str) -> Iterator[None]:
        """Work in an account and a region, outside any request."""
        with self.core("responses").request_scope(account, region):
            yield


def check_version(installed: Callable[[str], str] = importlib.metadata.version) -> None:
    """Compare the installed ministack with the version that the patches were written for.

    Raises:
        EnvironmentUnusable: it is another one, or none.
    """
    hint = f"Install the right one: {install_command(Extra.LOCAL)}"
    try:
        found = installed("ministack")
    except importlib.metadata.PackageNotFoundError as error:
        raise EnvironmentUnusable(
            f"The embedded AWS needs ministack {VERSION}, and none is installed.", hint
        ) from error
    if found != VERSION:
        raise EnvironmentUnusable(
            f"The embedded AWS is built around ministack {VERSION}; installed is {found}.", hint
        )


def load() -> Emulator:
    """Import ministack with the services of a payments stack. Its environment must have been set before."""
    check_version()
    main = importlib.import_module("ministack.app")
    importlib.import_module("ministack.core.hypercorn_compat").install()
    emulator = Emulator(main.app, main)
    for name in SERVICES:
        emulator.service(name)
    return emulator


def let_the_port_decide_the_region(emulator: Emulator) -> None:
    """AWS: an endpoint belongs to a region, and serves that region whatever the request says.

    ministack takes the region from the signature, and a default for unsigned requests, such as those to an
    API's own URL.
    """
    main, s3 = emulator.main, emulator.service("s3")
    emulator.replace(main, "extract_region", _by_port(main.extract_region))
    emulator.replace(s3, "extract_signed_region", _by_port(s3.extract_signed_region))


def _by_port(original: Callable[..., str | None]) -> Callable[..., str | None]:
    def region_of(*args: object, **kwargs: object) -> str | None:
        return serving.get() or original(*args, **kwargs)

    return region_of


def let_functions_call_their_own_region(emulator: Emulator, urls: Mapping[str, str]) -> None:
    """AWS: a function's SDK calls go to the endpoints of the function's region.

    The address is given with the credentials of its role. `urls` is looked at on every cold start.
    """
    runtime = emulator.core("lambda_runtime")
    original: Callable[[dict[str, object]], dict[str, str]] = runtime.execution_credentials

    def credentials_and_endpoint(config: dict[str, object]) -> dict[str, str]:
        region = str(config.get("FunctionArn", "")).split(":")[3]
        return {**original(config), "AWS_ENDPOINT_URL": urls[region]}

    for module in (runtime, emulator.service("lambda_svc")):
        emulator.replace(module, "execution_credentials", credentials_and_endpoint)


def end_functions(emulator: Emulator) -> None:
    """End every function process."""
    emulator.core("lambda_runtime").reset()
