"""Route 53: a health check a region, and the names that follow health and nearness.

With a domain of one's own the names are aliases of custom domains of the API. Without, they are CNAMEs of
the regional endpoints, in a zone that nobody delegates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformLocal, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.acm_certificate import AcmCertificate
from cdktf_cdktf_provider_aws.acm_certificate_validation import AcmCertificateValidation
from cdktf_cdktf_provider_aws.api_gateway_base_path_mapping import ApiGatewayBasePathMapping
from cdktf_cdktf_provider_aws.api_gateway_domain_name import (
    ApiGatewayDomainName,
    ApiGatewayDomainNameEndpointConfiguration,
)
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.route53_health_check import Route53HealthCheck
from cdktf_cdktf_provider_aws.route53_record import (
    Route53Record,
    Route53RecordAlias,
    Route53RecordFailoverRoutingPolicy,
    Route53RecordLatencyRoutingPolicy,
)
from cdktf_cdktf_provider_aws.route53_zone import Route53Zone

from payinfra.core.naming import STAGE, execute_api_host
from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.region_context import RegionContext, address
from payinfra.stacks.rest_api import PaymentsRestApi

HEALTH_PATH = f"/{STAGE}/health"
EVACUATION_PATH = f"/{STAGE}/evacuation"
"""The page of a region that answers 200 while the other region is evacuated."""
EVACUATION_INTERVAL_S = 30
"""How often a checker asks for the page, in seconds: every 10 s would cost three times as many requests."""
EVACUATION_THRESHOLD = 2
"""How many answers in a row count: one lost answer neither evacuates a region nor brings it back."""
_CHECKERS_AT = ("us-west-1", "eu-west-1", "ap-northeast-1", "sa-east-1", "ap-southeast-1")
"""Where checkers may be; three regions are used, the fewest that Route 53 allows (API reference,
HealthCheckConfig, `Regions`), and none of the environment. From all eight regions, the default, there would
be almost three times as many requests. The time to detect a failure depends only on each checker's
interval."""
_CHECKER_REGIONS = 3
TLS_POLICY = "TLS_1_2"


def checker_regions(*used: str) -> list[str]:
    """The regions of the checkers for an environment whose own regions are `used`."""
    return [one for one in _CHECKERS_AT if one not in used][:_CHECKER_REGIONS]


@dataclass(frozen=True)
class EndpointHealthCheckProps:
    """How a region's API is checked: `interval_s` between requests, `threshold` of them in a row.

    Attributes:
        peer_region: the environment's other region.
    """

    place: RegionContext
    peer_region: str
    api: PaymentsRestApi
    interval_s: int
    threshold: int


class EndpointHealthCheck(StackComponent):
    """Asks the regional endpoint, never the shared name, whether the region serves.

    Attributes:
        id: the health check's.
    """

    def __init__(self, scope: Scope, id_: str, *, props: EndpointHealthCheckProps) -> None:
        super().__init__(scope, id_)
        place = props.place
        check = Route53HealthCheck(
            *self.at("check"),
            provider=place.provider,
            type="HTTPS",
            fqdn=execute_api_host(props.api.id, place.region),
            port=443,
            resource_path=HEALTH_PATH,
            enable_sni=True,
            request_interval=props.interval_s,
            failure_threshold=props.threshold,
            regions=checker_regions(place.region, props.peer_region),
            tags={"Name": place.names.health(place.region)},
            # A new check counts as healthy. Asking before there is a stage would make it unhealthy.
            depends_on=[props.api.stage],
        )
        self.id = check.id


@dataclass(frozen=True)
class EvacuationSwitchProps:
    """What takes a region out of its names.

    Attributes:
        place: the region.
        peer: the other region, which keeps the flag.
        peer_api: the API of the other region, which shows it.
        endpoint: the health check on the region's own API.
    """

    place: RegionContext
    peer: RegionContext
    peer_api: PaymentsRestApi
    endpoint: EndpointHealthCheck


class EvacuationSwitch(StackComponent):
    """A region serves while its API is healthy and the other region does not say that it is evacuated.

    The page of the other region is watched by an inverted health check: only an answer of 200 is unhealthy.
    A page that is missing, refused or dark is what it is without an evacuation.

    Attributes:
        id: of the calculated health check that the region's records carry.
        flag_id: of the inverted one.
    """

    def __init__(self, scope: Scope, id_: str, *, props: EvacuationSwitchProps) -> None:
        super().__init__(scope, id_)
        place, names = props.place, props.place.names
        flag = Route53HealthCheck(
            *self.at("flag"),
            provider=place.provider,
            type="HTTPS",
            fqdn=execute_api_host(props.peer_api.id, props.peer.region),
            port=443,
            resource_path=EVACUATION_PATH,
            enable_sni=True,
            invert_healthcheck=True,
            request_interval=EVACUATION_INTERVAL_S,
            failure_threshold=EVACUATION_THRESHOLD,
            regions=checker_regions(place.region, props.peer.region),
            tags={"Name": names.evacuation(place.region)},
            depends_on=[props.peer_api.stage],
        )
        serving = Route53HealthCheck(
            *self.at("serving"),
            provider=place.provider,
            type="CALCULATED",
            child_healthchecks=[props.endpoint.id, flag.id],
            child_health_threshold=2,
            tags={"Name": names.serving(place.region)},
        )
        self.flag_id, self.id = flag.id, serving.id


@dataclass(frozen=True)
class RecordTarget:
    """Where a name leads in one region: an alias of a custom domain, or the CNAME of an endpoint.

    Attributes:
        host: the name that is led to.
        zone_id: of the custom domain; None for a CNAME.
    """

    host: str
    zone_id: str | None = None


@dataclass(frozen=True)
class Serving:
    """A region that serves: what the records of both names need to know of it."""

    place: RegionContext
    health_check_id: str
    failover: RecordTarget
    latency: RecordTarget


@dataclass(frozen=True)
class CertificateProps:
    """A region's certificate.

    Attributes:
        domains: the names that it covers.
        zone_id: the zone in which validation records are written.
    """

    place: RegionContext
    domains: tuple[str, ...]
    zone_id: str


class ValidationRecords(StackComponent):
    """The records that prove ownership of the names, written once: ACM asks every region of an account for
    the same ones (ACM user guide, "DNS validation").

    Attributes:
        fqdns: the records' names.
    """

    def __init__(
        self, scope: Scope, id_: str, *, props: CertificateProps, certificate: AcmCertificate
    ) -> None:
        super().__init__(scope, id_)
        self.fqdns = [
            Route53Record(
                *self.at(f"record-{number}"),
                provider=props.place.provider,
                zone_id=props.zone_id,
                name=_asked(certificate, domain, "resource_record_name"),
                type=_asked(certificate, domain, "resource_record_type"),
                records=[_asked(certificate, domain, "resource_record_value")],
                ttl=60,
                # Another environment below the same domain may have been asked for the same record.
                allow_overwrite=True,
            ).fqdn
            for number, domain in enumerate(props.domains)
        ]


def _asked(certificate: AcmCertificate, domain: str, attribute: str) -> str:
    """What ACM asks for `domain`. By name, because the set of answers has no order."""
    options = (
        f"{certificate.terraform_resource_type}.{certificate.friendly_unique_id}.domain_validation_options"
    )
    return f'${{one([for option in {options} : option.{attribute} if option.domain_name == "{domain}"])}}'


class Certificate(StackComponent):
    """A region's certificate for both names.

    Attributes:
        resource: the certificate, whose validation options tell which records to write.
    """

    def __init__(self, scope: Scope, id_: str, *, props: CertificateProps) -> None:
        super().__init__(scope, id_)
        first, *others = props.domains
        self._place = props.place
        self.resource = AcmCertificate(
            *self.at("certificate"),
            provider=props.place.provider,
            domain_name=first,
            subject_alternative_names=others,
            validation_method="DNS",
            tags={"Name": props.place.names.stack},
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )

    def validated(self, fqdns: Sequence[str]) -> str:
        """The certificate's ARN, once ACM has seen the records."""
        return AcmCertificateValidation(
            *self.at("validation"),
            provider=self._place.provider,
            certificate_arn=self.resource.arn,
            validation_record_fqdns=list(fqdns),
        ).certificate_arn


@dataclass(frozen=True)
class CustomDomainProps:
    """A name of one's own for a region's API."""

    place: RegionContext
    domain: str
    certificate_arn: str
    api: PaymentsRestApi


class CustomDomain(StackComponent):
    """The API under a name of one's own, from its root.

    Attributes:
        target: what an alias record leads to.
    """

    def __init__(self, scope: Scope, id_: str, *, props: CustomDomainProps) -> None:
        super().__init__(scope, id_)
        domain = ApiGatewayDomainName(
            *self.at("name"),
            provider=props.place.provider,
            domain_name=props.domain,
            regional_certificate_arn=props.certificate_arn,
            security_policy=TLS_POLICY,
            endpoint_configuration=ApiGatewayDomainNameEndpointConfiguration(types=["REGIONAL"]),
        )
        ApiGatewayBasePathMapping(
            *self.at("mapping"),
            provider=props.place.provider,
            domain_name=domain.domain_name,
            api_id=props.api.id,
            stage_name=props.api.stage.stage_name,
        )
        self.target = RecordTarget(domain.regional_domain_name, domain.regional_zone_id)


class OwnZone(StackComponent):
    """A zone that is not delegated, for an environment without a domain.

    Attributes:
        zone_id: the zone's.
        name_servers: their host names, joined by commas.
    """

    def __init__(self, scope: Scope, id_: str, *, place: RegionContext) -> None:
        super().__init__(scope, id_)
        zone = Route53Zone(
            *self.at("zone"),
            provider=place.provider,
            name=place.names.own_zone,
            comment=f"{place.names.stack}: not delegated, asked at its own name servers",
            force_destroy=not place.protected,
        )
        self.zone_id = zone.zone_id
        servers = TerraformLocal(*self.at("servers"), f'${{join(",", {address(zone)}.name_servers)}}')
        # Without quotes of its own, for it is put into JSON.
        self.name_servers = f"${{local.{servers.friendly_unique_id}}}"


@dataclass(frozen=True)
class RecordsProps:
    """The records of both names.

    Attributes:
        primary, secondary: where they lead.
        ttl_s: of CNAMEs, in seconds; an alias has the TTL of what it leads to.
    """

    provider: AwsProvider
    zone_id: str
    failover_domain: str
    latency_domain: str
    ttl_s: int
    primary: Serving
    secondary: Serving


class Records(StackComponent):
    """A failover pair and a latency pair, each record with set identifier and health check."""

    def __init__(self, scope: Scope, id_: str, *, props: RecordsProps) -> None:
        super().__init__(scope, id_)
        self._props = props
        for role, serving in (("PRIMARY", props.primary), ("SECONDARY", props.secondary)):
            self._record(
                f"failover-{role.lower()}",
                props.failover_domain,
                serving,
                serving.failover,
                failover=Route53RecordFailoverRoutingPolicy(type=role),
            )
            self._record(
                f"latency-{role.lower()}",
                props.latency_domain,
                serving,
                serving.latency,
                latency=Route53RecordLatencyRoutingPolicy(region=serving.place.region),
            )

    def _record(
        self,
        id_: str,
        domain: str,
        serving: Serving,
        target: RecordTarget,
        *,
        failover: Route53RecordFailoverRoutingPolicy | None = None,
        latency: Route53RecordLatencyRoutingPolicy | None = None,
    ) -> None:
        alias = target.zone_id is not None
        Route53Record(
            *self.at(id_),
            provider=self._props.provider,
            zone_id=self._props.zone_id,
            name=domain,
            type="A" if alias else "CNAME",
            alias=Route53RecordAlias(name=target.host, zone_id=target.zone_id, evaluate_target_health=True)
            if target.zone_id is not None
            else None,
            records=None if alias else [target.host],
            ttl=None if alias else self._props.ttl_s,
            set_identifier=set_identifier(serving.place),
            health_check_id=serving.health_check_id,
            failover_routing_policy=failover,
            latency_routing_policy=latency,
        )


def set_identifier(place: RegionContext) -> str:
    """What tells a region's record from the other's of the same name."""
    return place.region
