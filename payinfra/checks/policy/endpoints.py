"""Where providers and functions are told that AWS is: in their blocks, in a shared config file, in variables.

Sources: the AWS provider's guide "Custom Service Endpoint Configuration"; AWS SDKs and Tools reference guide,
"Service-specific endpoints".
"""

import configparser
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from payinfra.checks.manifest import Block, Json, Manifest, Provider, Resource, Unreadable, is_literal
from payinfra.checks.model import Verdict
from payinfra.checks.policy.verdict_helpers import nested

LOOPBACK = re.compile(
    r"https?://(?:127(?:\.\d{1,3}){3}|localhost|(?:[\w-]+\.)+localhost|\[::1\])(?::\d+)?(?:/.*)?",
    re.IGNORECASE,
)
_AWS_HOST = re.compile(
    r"https://[\w.-]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws)(?::443)?(?:/.*)?", re.IGNORECASE
)
_VPC_ENDPOINT = "aws_vpc_endpoint"
_MOST_CONFIG = 100_000
_FILES = "shared_config_files"
_URL, _IGNORE = "endpoint_url", "ignore_configured_endpoint_urls"
_VARIABLE = re.compile(r"AWS_ENDPOINT_URL(?:_[A-Z0-9_]+)?")


def endpoints_in(block: Block) -> Mapping[str, Json]:
    """The endpoints that a provider's or a backend's block names, by service."""
    found: dict[str, Json] = {}
    for path in ("endpoints", "endpoint"):
        groups = nested(block, path)
        for group in () if isinstance(groups, Unreadable) else groups:
            found |= {name: value for name, value in group.body.items() if value}
    return found


def is_on_this_machine(block: Block) -> bool:
    """Whether everything is asked of this machine: the embedded AWS, whose keys are no secrets."""
    urls = [value for value in endpoints_in(block).values() if isinstance(value, str)]
    urls += [url for file in _config_files(block) for _, url in _configured(file, block)]
    return bool(urls) and all(LOOPBACK.fullmatch(url) for url in urls)


def provider_endpoints(provider: Provider) -> Iterator[Verdict]:
    """What is wrong with where a provider asks."""
    address = f"provider.{provider.address}"
    for name, value in endpoints_in(provider.block).items():
        if not isinstance(value, str) or not is_literal(value):
            yield Verdict.unknown(f"where its endpoint {name} leads is not known", address)
        elif not _AWS_HOST.fullmatch(value):
            yield Verdict.failed(f"its endpoint {name} is not AWS's", address)
    for file in _config_files(provider.block):
        for name, url in _configured(file, provider.block):
            if not _AWS_HOST.fullmatch(url):
                yield Verdict.failed(f"{file.name} sends {name} to an endpoint that is not AWS's", address)


def _config_files(block: Block) -> Iterator[Path]:
    """The shared config files beside the stack; those of a person's home are not the stack's."""
    names = block.texts(_FILES)
    for number, name in enumerate(() if isinstance(names, Unreadable) else names):
        file = block.file(f"{_FILES}[{number}]")
        if isinstance(file, Path) and not name.startswith(("/", "~")):
            yield file


def _configured(file: Path, block: Block) -> Iterator[tuple[str, str]]:
    """What a file sends where, for the profile that a provider uses; nothing where it cannot be read."""
    config = configparser.RawConfigParser(strict=False, default_section="")
    try:
        if file.stat().st_size > _MOST_CONFIG:
            return
        config.read_string(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):
        return
    profile = block.text("profile")
    name = profile if isinstance(profile, str) and profile else "default"
    section = next((one for one in (f"profile {name}", name) if config.has_section(one)), None)
    if section is None or config.get(section, _IGNORE, fallback="").strip().lower() == "true":
        return
    if config.has_option(section, _URL):
        yield "everything", config.get(section, _URL).strip()
    services = f"services {config.get(section, 'services', fallback='').strip()}"
    for service, lines in config.items(services) if config.has_section(services) else ():
        for line in (lines or "").splitlines():
            key, _, url = line.partition("=")
            if key.strip() == _URL:
                yield service, url.strip()


def function_endpoints(function: Resource, manifest: Manifest) -> Iterator[Verdict]:
    """What is wrong with where a function's variables send its calls of AWS."""
    variables = function.mapping("environment.variables")
    for name, value in () if isinstance(variables, Unreadable) else variables.items():
        if not _VARIABLE.fullmatch(name) or not value:
            continue
        known = manifest.resolve(value)
        if isinstance(known, str) and is_literal(known):
            if not (_AWS_HOST.fullmatch(known) or LOOPBACK.fullmatch(known)):
                yield Verdict.failed(f"its {name} is not AWS's", function.address)
        elif not any(one.kind == _VPC_ENDPOINT for one in manifest.references(str(value))):
            yield Verdict.unknown(f"where its {name} leads is not known", function.address)
