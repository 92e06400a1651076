"""The Resource Groups Tagging API, as AWS answers it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from payinfra.local.server.ministack import Emulator

Tagged = Iterator[tuple[str, list[dict[str, str]]]]
Collect = Callable[[], Tagged]

HOME_OF_GLOBAL = "us-east-1"
"""Where GetResources lists what belongs to no region."""


def install(emulator: Emulator) -> None:
    """Apply the patches that reach into the service."""
    tagging = emulator.service("tagging")
    collectors = more_services(emulator, emulator.core("responses").get_region)
    emulator.replace(tagging, "_COLLECTORS", {**tagging._COLLECTORS, **collectors})


def more_services(emulator: Emulator, region_now: Callable[[], str]) -> Mapping[str, Collect]:
    """AWS: GetResources lists whatever carries tags, but IAM's users and roles (Resource Groups Tagging API
    reference, "Services that support the Resource Groups Tagging API"); ministack lists a dozen services.

    These are the others that a payments stack has, by the service's name in an ARN.
    """

    def certificates() -> Tagged:
        for arn, certificate in emulator.service("acm")._certificates.items():
            yield arn, list(certificate.get("Tags", []))

    def gateway() -> Tagged:
        service = emulator.service("apigateway_v1")
        prefix = f"arn:aws:apigateway:{region_now()}::"
        for kind, store in (
            ("apikeys", service._api_keys),
            ("domainnames", service._domain_names),
            ("restapis", service._rest_apis),
            ("usageplans", service._usage_plans),
        ):
            for name, made in store.items():
                yield f"{prefix}/{kind}/{name}", _listed(made.get("tags"))
        for api, stages in service._stages_v1.items():
            for name, stage in stages.items():
                yield f"{prefix}/restapis/{api}/stages/{name}", _listed(stage.get("tags"))

    def alarms() -> Tagged:
        here = f"arn:aws:cloudwatch:{region_now()}:"
        for arn, tags in emulator.service("cloudwatch")._resource_tags.items():
            if arn.startswith(here):
                yield arn, _listed(tags)

    def log_groups() -> Tagged:
        for group in emulator.service("cloudwatch_logs")._log_groups.values():
            yield str(group["arn"]).removesuffix(":*"), _listed(group.get("tags"))

    def names_and_checks() -> Tagged:
        if region_now() != HOME_OF_GLOBAL:
            return
        service = emulator.service("route53")
        for kind, store in (("hostedzone", service._zones), ("healthcheck", service._health_checks)):
            for name in store:  # what is deleted leaves its tags behind
                yield f"arn:aws:route53:::{kind}/{name}", _listed(service._tags.get((kind, name)))

    def tables() -> Tagged:
        there = {table["TableArn"] for table in emulator.service("dynamodb")._tables.values()}
        # A replica that is deleted leaves its tags behind.
        yield from (one for one in emulator.service("tagging")._collect_dynamodb() if one[0] in there)

    def parameters() -> Tagged:
        for arn, tags in emulator.service("ssm")._tags.items():
            yield arn, _listed(tags)

    return {
        "acm": certificates,
        "apigateway": gateway,
        "cloudwatch": alarms,
        "dynamodb": tables,
        "logs": log_groups,
        "route53": names_and_checks,
        "ssm": parameters,
    }


def _listed(tags: Mapping[str, Any] | None) -> list[dict[str, str]]:
    return [{"Key": key, "Value": str(value)} for key, value in (tags or {}).items()]
