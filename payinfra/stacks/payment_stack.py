"""The one Terraform stack: two regions, and what is global between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from cdktf import (
    LocalBackend,
    S3Backend,
    S3BackendAssumeRoleConfig,
    S3BackendEndpointConfig,
    TerraformOutput,
    TerraformStack,
)
from cdktf_cdktf_provider_aws.provider import (
    AwsProvider,
    AwsProviderAssumeRole,
    AwsProviderDefaultTags,
)
from constructs import Construct

from payinfra.clients.aws import LOCAL_ACCOUNT, Endpoints
from payinfra.core.canary_contract import PAYMENTS, CanaryContract
from payinfra.core.errors import UsageProblem
from payinfra.core.naming import (
    HEALTH_METRICS_REGION,
    INDEXES,
    SESSION_NAME,
    STAGE,
    KeyPurpose,
    Parameter,
)
from payinfra.core.outputs import (
    COMMON_OUTPUTS,
    DECLARED_VERSION,
    REGION_OUTPUTS,
    SECONDARY_PREFIX,
    Declared,
    DeclaredDns,
    DeclaredEvacuation,
    DeclaredHealth,
    DeclaredLimits,
    DeclaredRetention,
    DeclaredTable,
    Outputs,
)
from payinfra.core.settings import Settings
from payinfra.stacks import extension
from payinfra.stacks.alarms import Alarm, AlarmTopic, TopicProps, add_alarm
from payinfra.stacks.audit_bucket import GLACIER_AFTER_DAYS, expiration_days
from payinfra.stacks.embedded_endpoints import config_file
from payinfra.stacks.extension import Extend, RegionExtension, StackExtension
from payinfra.stacks.kms_keys import CustomerKey, alarm_publishers
from payinfra.stacks.payments_function import CodeProps, ManualFailBackProps
from payinfra.stacks.payments_table import PaymentsTable, PaymentsTableProps
from payinfra.stacks.published_deployments import PublishedDeployments, PublishedDeploymentsProps
from payinfra.stacks.region import Region, RegionProps
from payinfra.stacks.region_context import RegionContext
from payinfra.stacks.routing import (
    EVACUATION_INTERVAL_S,
    EVACUATION_PATH,
    EVACUATION_THRESHOLD,
    HEALTH_PATH,
    Certificate,
    CertificateProps,
    CustomDomain,
    CustomDomainProps,
    EvacuationSwitch,
    EvacuationSwitchProps,
    OwnZone,
    Records,
    RecordsProps,
    RecordTarget,
    Serving,
    ValidationRecords,
    set_identifier,
)

T = TypeVar("T")

RETRIES = 4
"""How often Terraform asks the embedded AWS again: some seconds in all."""
RETRIES_OF_DOMAINS = 10
"""The same with a domain. API Gateway makes one name in 30 s; ten random pauses of up to 1, 2, 4 … s are
longer than that in all but one case of a thousand."""

TERRAFORM_VERSION = ">= 1.10.0"
"""The first with S3's own lock file."""


@dataclass(frozen=True)
class StackProps:
    """What the stack depends on.

    Attributes:
        code: what the function runs.
        endpoints: where the embedded AWS answers; None on AWS.
        canary: what a payment looks like.
        extend: what adds the project's own resources; None for none.
    """

    settings: Settings
    code: CodeProps
    endpoints: Endpoints | None
    canary: CanaryContract = PAYMENTS
    extend: Extend | None = None


class PaymentStack(TerraformStack):
    """The payments backend of one environment."""

    def __init__(self, scope: Construct, id_: str, *, props: StackProps) -> None:
        super().__init__(scope, id_)
        settings = props.settings
        self._props, self._names = props, settings.names
        self._backend()
        self.add_override("terraform.required_version", TERRAFORM_VERSION)
        primary_provider = self._provider("primary", settings.primary_region)
        secondary_provider = self._provider("secondary", settings.secondary_region)
        primary = self._region("primary", primary_provider, settings.regions)
        secondary = self._region("secondary", secondary_provider, settings.regions[::-1])
        ledger = PaymentsTable(
            self,
            "ledger",
            props=PaymentsTableProps(
                primary.place,
                key_arn=primary.keys.data.arn,
                replica_region=secondary.place.region,
                replica_key_arn=secondary.keys.data.arn,
                attributes=settings.own_attributes,
                indexes=settings.own_indexes,
            ),
        )
        own_zone = OwnZone(self, "dns", place=primary.place) if self._own_zone else None
        here, there = ledger.stream_arns
        primary.serve(
            table_name=ledger.name,
            stream_arn=here,
            peer=secondary,
            key_value=None,
            cursor_secret=None,
            fail_back=self._fail_back(own_zone),
        )
        # One key for both regions, and one secret: a client that fails over brings the key and the cursor
        # that it has.
        secondary.serve(
            table_name=ledger.name,
            stream_arn=there,
            peer=primary,
            key_value=primary.api.key_value,
            cursor_secret=primary.cursor_secret.value,
            fail_back=self._fail_back(own_zone),
        )
        shown = (primary.shown, secondary.shown)
        dashboard = primary.show(shown)
        if secondary.place.lean:
            secondary.show_on(dashboard)
        else:
            secondary.show(shown)
        switches = self._switches(primary, secondary)
        zone_id, dns, name_servers = self._names_of(primary, secondary, switches, own_zone)
        health = self._health_alarms(primary, secondary)
        evacuation = DeclaredEvacuation(
            page=EVACUATION_PATH,
            parameter=self._names.parameter(Parameter.EVACUATED),
            interval_s=EVACUATION_INTERVAL_S,
            threshold=EVACUATION_THRESHOLD,
            serving_checks=(switches[0].id, switches[1].id),
            flag_checks=(switches[0].flag_id, switches[1].flag_id),
            name_servers=name_servers,
            failback=settings.failback,
        )
        declared = replace(
            self._declared(primary, secondary, dns, health, evacuation),
            extension=self._extended(primary, secondary),
        )
        outputs = Outputs(
            primary=primary.outputs,
            secondary=secondary.outputs,
            failover_domain=self._names.failover_domain(settings.domain),
            latency_domain=self._names.latency_domain(settings.domain),
            hosted_zone_id=zone_id,
            environment_suffix=settings.env,
            declared_json=declared.to_json(),
        )
        self._outputs(outputs)
        PublishedDeployments(
            self, "published", props=PublishedDeploymentsProps(outputs, (primary.place, secondary.place))
        )

    def _extended(self, primary: Region, secondary: Region) -> Mapping[str, object]:
        """What the project's own function adds; gives what that declares."""
        if self._props.extend is None:
            return {}
        settings = self._props.settings
        regions = (RegionExtension.of("primary", primary), RegionExtension.of("secondary", secondary))
        stack = StackExtension(self, settings, self._names, settings.all_tags, regions)
        extension.run(stack, self._props.extend)
        for region, handle in zip((primary, secondary), regions, strict=True):
            region.service.extend(handle.variables, handle.granted)
        return stack.declared

    def _backend(self) -> None:
        settings = self._props.settings
        if settings.state_bucket is None:
            # Absolute: cdktf's own CLI works in another folder, and must find the same state.
            LocalBackend(self, path=str((settings.work_dir / "terraform.tfstate").absolute()))
            return
        region, endpoints = settings.state_region or settings.primary_region, self._props.endpoints
        local = endpoints is not None
        backend = S3Backend(
            self,
            bucket=settings.state_bucket,
            key=settings.state_key or self._names.state_key,
            region=region,
            # Without a key the backend asks for AES256, which overrides the bucket's own default.
            encrypt=True,
            kms_key_id=settings.state_kms_key,
            endpoints=None if endpoints is None else _state_endpoints(endpoints, region),
            use_path_style=local or None,
            skip_credentials_validation=local or None,
            skip_metadata_api_check=local or None,
            skip_requesting_account_id=local or None,
            assume_role=None
            if settings.role_arn is None
            else S3BackendAssumeRoleConfig(role_arn=settings.role_arn, session_name=SESSION_NAME),
        )
        backend.add_override("use_lockfile", True)

    def _provider(self, alias: str, region: str) -> AwsProvider:
        settings, endpoints = self._props.settings, self._props.endpoints
        default_tags = [AwsProviderDefaultTags(tags=settings.all_tags)]
        assume_role = (
            None
            if settings.role_arn is None
            else [AwsProviderAssumeRole(role_arn=settings.role_arn, session_name=SESSION_NAME)]
        )

        def embedded(value: T) -> T | None:
            """What only the embedded AWS wants: None is left to the provider, and not synthesized."""
            return None if endpoints is None else value

        return AwsProvider(
            self,
            f"aws-{alias}",
            alias=alias,
            region=region,
            default_tags=default_tags,
            assume_role=assume_role,
            # Without the file calls would go to AWS, where no account has the embedded one's number.
            allowed_account_ids=embedded([LOCAL_ACCOUNT]),
            shared_config_files=embedded([f"${{path.module}}/{config_file(region)}"]),
            skip_metadata_api_check=embedded("true"),
            s3_use_path_style=embedded(True),
            # An embedded AWS that is gone does not come back by itself; the default, 25, takes minutes.
            max_retries=embedded(RETRIES if settings.domain is None else RETRIES_OF_DOMAINS),
        )

    def _region(self, id_: str, provider: AwsProvider, regions: tuple[str, ...]) -> Region:
        endpoints = self._props.endpoints
        return Region(
            self,
            id_,
            props=RegionProps(
                self._props.settings,
                region=regions[0],
                peer_region=regions[1],
                provider=provider,
                code=self._props.code,
                local=None if endpoints is None else dict(endpoints.regions),
            ),
        )

    def _switches(self, primary: Region, secondary: Region) -> tuple[EvacuationSwitch, EvacuationSwitch]:
        """What takes the primary and the secondary out of their names."""

        def switch(region: Region, peer: Region) -> EvacuationSwitch:
            props = EvacuationSwitchProps(region.place, peer.place, peer.api, region.health)
            return EvacuationSwitch(region, "evacuation", props=props)

        return switch(primary, secondary), switch(secondary, primary)

    @property
    def _own_zone(self) -> bool:
        """Whether the names are in a zone of the environment's own, which nobody delegates."""
        return self._props.settings.domain is None or self._props.settings.hosted_zone_id is None

    def _fail_back(self, own_zone: OwnZone | None) -> ManualFailBackProps | None:
        """How the failover name is kept where it has moved to, as the settings say."""
        settings, endpoints = self._props.settings, self._props.endpoints
        if settings.failback != "manual":
            return None
        servers = own_zone.name_servers if own_zone else ""
        return ManualFailBackProps(
            name=self._names.failover_domain(settings.domain),
            zone="" if own_zone else settings.domain or "",
            name_servers=servers if endpoints is None else endpoints.dns,
            endpoints=""
            if endpoints is None
            else ",".join(endpoints.regions[region] for region in settings.regions),
        )

    def _names_of(
        self,
        primary: Region,
        secondary: Region,
        switches: tuple[EvacuationSwitch, EvacuationSwitch],
        own: OwnZone | None,
    ) -> tuple[str, DeclaredDns, str]:
        """The zone's id, the records of both names, and the zone's name servers where nobody delegates it."""
        settings, names = self._props.settings, self._names
        pairs = tuple(zip((primary, secondary), switches, strict=True))
        name_servers = ""
        certificates: tuple[str, ...] = ()
        if own is not None:
            zone = names.own_zone
            zone_id, name_servers = own.zone_id, own.name_servers
            serving = [_by_cname(region, switch) for region, switch in pairs]
        else:
            zone, zone_id = settings.domain or "", settings.hosted_zone_id or ""
            certificates = self._certificates(primary, secondary, zone, zone_id)
            serving = [
                self._by_alias(region, switch, certificate, zone)
                for (region, switch), certificate in zip(pairs, certificates, strict=True)
            ]
        Records(
            self,
            "records",
            props=RecordsProps(
                primary.place.provider,
                zone_id=zone_id,
                failover_domain=names.failover_domain(settings.domain),
                latency_domain=names.latency_domain(settings.domain),
                ttl_s=settings.dns_ttl,
                primary=serving[0],
                secondary=serving[1],
            ),
        )
        # A custom domain leads to the stage; the endpoint's own name leads to the API.
        prefix = "" if certificates else f"/{STAGE}"
        declared = DeclaredDns(
            zone=zone,
            delegated=bool(certificates),
            ttl_s=settings.dns_ttl,
            payments_path=f"{prefix}/payments",
            health_path=f"{prefix}/health",
            set_identifiers=(set_identifier(primary.place), set_identifier(secondary.place)),
            certificates=certificates,
        )
        return zone_id, declared, name_servers

    def _certificates(self, primary: Region, secondary: Region, domain: str, zone_id: str) -> tuple[str, ...]:
        domains = (self._names.failover_domain(domain), self._names.latency_domain(domain))
        props = [CertificateProps(region.place, domains, zone_id) for region in (primary, secondary)]
        made = [
            Certificate(region, "certificate", props=one)
            for region, one in zip((primary, secondary), props, strict=True)
        ]
        records = ValidationRecords(self, "validation", props=props[0], certificate=made[0].resource)
        return tuple(certificate.validated(records.fqdns) for certificate in made)

    def _by_alias(
        self, region: Region, switch: EvacuationSwitch, certificate_arn: str, domain: str
    ) -> Serving:
        failover, latency = (
            CustomDomain(
                region,
                f"domain-{kind}",
                props=CustomDomainProps(region.place, name, certificate_arn, region.api),
            ).target
            for kind, name in (
                ("failover", self._names.failover_domain(domain)),
                ("latency", self._names.latency_domain(domain)),
            )
        )
        return Serving(region.place, switch.id, failover, latency)

    def _health_alarms(self, primary: Region, secondary: Region) -> DeclaredHealth:
        """The alarms on both health checks, where their metrics are."""
        settings = self._props.settings
        place, topic_arn = self._metrics_place(primary, secondary)
        alarms = [
            Alarm(
                f"health-{role}",
                self._names.health(region.place.region),
                f"Route 53 holds {region.place.region} to be unhealthy and sends clients elsewhere.",
                "AWS/Route53",
                "HealthCheckStatus",
                {"HealthCheckId": region.health.id},
                "Minimum",
                1,
                below=True,
                missing="breaching",
            )
            for role, region in (("primary", primary), ("secondary", secondary))
        ]
        for alarm in alarms:
            add_alarm(self, alarm, place=place, topic_arn=topic_arn)
        return DeclaredHealth(
            path=HEALTH_PATH,
            interval_s=settings.health_check_interval,
            threshold=settings.health_check_threshold,
            metrics_region=place.region,
            topic_arn=topic_arn,
            alarms=tuple(alarm.declared for alarm in alarms),
        )

    def _metrics_place(self, primary: Region, secondary: Region) -> tuple[RegionContext, str]:
        """The region of the health metrics, and a topic there: an alarm publishes to its own region only."""
        for region in (primary, secondary):
            if region.place.region == HEALTH_METRICS_REGION:
                return region.place, region.topic.arn
        settings = self._props.settings
        place = RegionContext(
            HEALTH_METRICS_REGION,
            self._provider("global", HEALTH_METRICS_REGION),
            primary.place.account,
            self._names,
            settings.protected,
        )
        key = CustomerKey(
            self, "global-key", place=place, purpose=KeyPurpose.AUDIT, users=(alarm_publishers(place),)
        )
        topic = AlarmTopic(
            self, "global-alarms", props=TopicProps(place, key_arn=key.arn, email=settings.alarm_email)
        )
        return place, topic.arn

    def _declared(
        self,
        primary: Region,
        secondary: Region,
        dns: DeclaredDns,
        health: DeclaredHealth,
        evacuation: DeclaredEvacuation,
    ) -> Declared:
        settings = self._props.settings
        return Declared(
            version=DECLARED_VERSION,
            protected=settings.protected,
            regions=(primary.declared, secondary.declared),
            table=DeclaredTable(
                self._names.table,
                (*INDEXES, *settings.own_indexes),
                deletion_protection=settings.protected,
            ),
            health=health,
            dns=dns,
            retention=DeclaredRetention(
                logs=settings.log_retention_days,
                audit=settings.audit_retention_days,
                audit_expiration=expiration_days(settings.audit_retention_days),
                glacier_after=GLACIER_AFTER_DAYS,
                object_lock=settings.object_lock_days,
            ),
            limits=DeclaredLimits(
                rate=settings.api_rate_limit,
                burst=settings.api_burst_limit,
                daily_quota=settings.daily_quota,
            ),
            tags=settings.all_tags,
            alarm_email=settings.alarm_email,
            evacuation=evacuation,
            own_canary=self._props.canary if self._props.canary.is_own else None,
        )

    def _outputs(self, outputs: Outputs) -> None:
        descriptions = (
            dict(REGION_OUTPUTS)
            | {
                SECONDARY_PREFIX + name: f"{text}, in the secondary region"
                for name, text in REGION_OUTPUTS.items()
            }
            | dict(COMMON_OUTPUTS)
        )
        for name, value in outputs.to_flat().items():
            TerraformOutput(self, name, value=value, description=descriptions[name])


def _state_endpoints(endpoints: Endpoints, region: str) -> S3BackendEndpointConfig:
    if region not in endpoints.regions:
        raise UsageProblem(
            f"The embedded AWS does not serve {region}, where the state would be.",
            f"Give --state-region one of {', '.join(endpoints.regions)}.",
        )
    return S3BackendEndpointConfig(s3=endpoints.url("s3", region), sts=endpoints.url("sts", region))


def _by_cname(region: Region, switch: EvacuationSwitch) -> Serving:
    target = RecordTarget(region.declared.api.execute_host)
    return Serving(region.place, switch.id, target, target)
