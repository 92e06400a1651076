"""One region of the backend. The stack makes it twice, so that the regions are the same by construction."""

from dataclasses import dataclass
from typing import Self

from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.provider import AwsProvider

from payinfra.core.naming import Parameter, execute_api_host, payments_url
from payinfra.core.outputs import (
    DeclaredApi,
    DeclaredFunction,
    DeclaredKeys,
    DeclaredLogGroups,
    DeclaredParameters,
    DeclaredRegion,
    RegionOutputs,
)
from payinfra.core.settings import Settings
from payinfra.stacks.alarms import AlarmTopic, TopicProps
from payinfra.stacks.audit_bucket import AuditBucket, AuditBucketProps, Replication, ReplicationProps
from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.dashboard import Shown, add_dashboard
from payinfra.stacks.kms_keys import KeysProps, RegionKeySet
from payinfra.stacks.monitoring import Monitoring, MonitoringProps
from payinfra.stacks.parameters import (
    CursorSecret,
    CursorSecretProps,
    EvacuationFlagParameter,
    Parameters,
    ParametersProps,
)
from payinfra.stacks.payments_function import (
    HANDLER,
    CodeProps,
    ManualFailBackProps,
    PaymentsFunction,
    PaymentsFunctionProps,
)
from payinfra.stacks.payments_table import table_arn
from payinfra.stacks.region_context import RegionContext
from payinfra.stacks.rest_api import PaymentsRestApi, PaymentsRestApiProps
from payinfra.stacks.routing import EndpointHealthCheck, EndpointHealthCheckProps


@dataclass(frozen=True)
class RegionProps:
    """A region.

    Attributes:
        region, peer_region: this one's name, and the other's.
        provider: the provider that works here.
        code: what the function runs.
        local: the embedded AWS's URL for each region; None on AWS.
    """

    settings: Settings
    region: str
    peer_region: str
    provider: AwsProvider
    code: CodeProps
    local: dict[str, str] | None


class Region(StackComponent):
    """All of one region. What needs the other region, or what both share, is built by `serve`."""

    def __init__(self, scope: Scope, id_: str, *, props: RegionProps) -> None:
        super().__init__(scope, id_)
        self._props = props
        settings, names = props.settings, props.settings.names
        # Each region asks by itself: one must be able to plan while the other is gone.
        account = DataAwsCallerIdentity(*self.at("account"), provider=props.provider).account_id
        self.place = place = RegionContext(
            props.region,
            props.provider,
            account,
            names,
            settings.protected,
            settings.permissions_boundary,
            lean=settings.footprint == "lean",
        )
        self.keys = RegionKeySet(
            self,
            "keys",
            props=KeysProps(
                place,
                function_role=place.role_arn(names.function_role(props.region)),
                replication_roles=tuple(
                    place.role_arn(names.replication_role(region))
                    for region in (props.region, props.peer_region)
                ),
            ),
        )
        self.topic = AlarmTopic(
            self,
            "alarms",
            props=TopicProps(place, key_arn=self.keys.audit.arn, email=settings.alarm_email),
        )
        self.audit = AuditBucket(
            self,
            "audit",
            props=AuditBucketProps(
                place,
                key_arn=self.keys.audit.arn,
                retention_days=settings.audit_retention_days,
                object_lock_days=settings.object_lock_days,
            ),
        )

    def serve(
        self,
        *,
        table_name: str,
        stream_arn: str,
        peer: Self,
        key_value: str | None,
        cursor_secret: str | None,
        fail_back: ManualFailBackProps | None = None,
    ) -> None:
        """Build what answers requests.

        Args:
            table_name: the global table's.
            stream_arn: of the table's stream in this region.
            peer: the other region.
            key_value: the API key's value; None where API Gateway makes one.
            cursor_secret: what cursors are signed with; None where it is made.
            fail_back: how the failover name is kept in the region that it has moved to; None if it returns
                by itself.
        """
        place, settings = self.place, self._props.settings
        self._table_name, self.stream_arn = table_name, stream_arn
        self.replication = Replication(
            self,
            "replication",
            props=ReplicationProps(place, self.audit, peer.audit, destination_region=peer.place.region),
        )
        self.cursor_secret = CursorSecret(
            self,
            "cursor-secret",
            props=CursorSecretProps(place, key_id=self.keys.application.arn, value=cursor_secret),
        )
        EvacuationFlagParameter(self, "evacuated", place=place)
        self.service = PaymentsFunction(
            self,
            "service",
            props=PaymentsFunctionProps(
                place,
                code=self._props.code,
                keys=self.keys,
                audit=self.audit,
                table_name=table_name,
                stream_arn=stream_arn,
                topic_arn=self.topic.arn,
                peer_region=peer.place.region,
                primary_region=settings.primary_region,
                failover_domain=place.names.failover_domain(settings.domain) if settings.domain else None,
                runtime=settings.lambda_runtime,
                architecture=settings.lambda_architecture,
                memory_mb=settings.lambda_memory_mb,
                timeout_s=settings.lambda_timeout_s,
                reserved_concurrency=settings.reserved_concurrency,
                log_retention_days=settings.log_retention_days,
                cors_origins=settings.cors_origins,
                keep_source_ip=settings.keep_source_ip,
                spread_statuses=settings.spread_statuses,
                layers=settings.layers_in(place.region),
                fail_back=fail_back,
            ),
        )
        self.api = PaymentsRestApi(
            self,
            "api",
            props=PaymentsRestApiProps(
                place,
                function=self.service.alias,
                key_value=key_value,
                log_key_arn=self.keys.audit.arn,
                log_retention_days=settings.log_retention_days,
                rate_limit=settings.api_rate_limit,
                burst_limit=settings.api_burst_limit,
                daily_quota=settings.daily_quota,
                cors_origins=settings.cors_origins,
            ),
        )
        self.endpoint = payments_url(self.api.id, place.region, self._props.local)
        Parameters(
            self,
            "parameters",
            props=ParametersProps(
                place,
                table_name=table_name,
                bucket_name=self.audit.name,
                endpoint=self.endpoint,
                api_key=self.api.key_value,
                key_id=self.keys.application.arn,
            ),
        )
        self.health = EndpointHealthCheck(
            self,
            "health",
            props=EndpointHealthCheckProps(
                place,
                peer_region=peer.place.region,
                api=self.api,
                interval_s=settings.health_check_interval,
                threshold=settings.health_check_threshold,
            ),
        )
        self._monitoring = Monitoring(
            self,
            "monitoring",
            props=MonitoringProps(
                place,
                peer_region=peer.place.region,
                topic_arn=self.topic.arn,
                function_name=self.service.function_name,
                timeout_s=settings.lambda_timeout_s,
                log_group_name=self.service.log_group_name,
                api_name=self.api.name,
                table_name=table_name,
            ),
        )

    @property
    def peer_region(self) -> str:
        """The other region's name."""
        return self._props.peer_region

    @property
    def shown(self) -> Shown:
        """What dashboards show of this region."""
        return Shown(
            region=self.place.region,
            peer_region=self._props.peer_region,
            function_name=self.service.function_name,
            api_name=self.api.name,
            table_name=self._table_name,
            namespace=self.place.names.metric_namespace,
            health_check_id=self.health.id,
        )

    def show(self, regions: tuple[Shown, Shown]) -> str:
        """Build the dashboard of both regions, and return its name."""
        self._dashboard = add_dashboard(self, place=self.place, regions=regions)
        return self._dashboard

    def show_on(self, dashboard: str) -> None:
        """Make no dashboard: that of the other region shows both."""
        self._dashboard = dashboard

    @property
    def outputs(self) -> RegionOutputs:
        """What the deployment gives out of this region."""
        return RegionOutputs(
            region=self.place.region,
            api_endpoint=self.endpoint,
            api_key_id=self.api.key_id,
            api_key_parameter=self.place.names.parameter(Parameter.API_KEY),
            dynamodb_table_name=self._table_name,
            dynamodb_table_arn=table_arn(self.place, self._table_name),
            s3_bucket_name=self.audit.name,
            lambda_function_name=self.service.function_name,
            lambda_function_arn=self.service.function_arn,
            lambda_log_group_name=self.service.log_group_name,
            kms_key_id=self.keys.data.key_id,
            sns_topic_arn=self.topic.arn,
            health_check_id=self.health.id,
        )

    @property
    def declared(self) -> DeclaredRegion:
        """What verify and the drill must know of this region besides."""
        settings, names = self._props.settings, self.place.names
        return DeclaredRegion(
            region=self.place.region,
            function=DeclaredFunction(
                name=self.service.function_name,
                alias=self.service.alias.name,
                code_sha256=self._props.code.sha256,
                runtime=settings.lambda_runtime,
                handler=HANDLER,
                memory_mb=settings.lambda_memory_mb,
                timeout_s=settings.lambda_timeout_s,
                reserved_concurrency=settings.reserved_concurrency,
                role_name=self.service.role_name,
                role_arn=self.service.role_arn,
                architecture=settings.lambda_architecture,
            ),
            api=DeclaredApi(
                id=self.api.id,
                name=self.api.name,
                stage=self.api.stage.stage_name,
                usage_plan_id=self.api.usage_plan_id,
                execute_host=execute_api_host(self.api.id, self.place.region),
            ),
            keys=DeclaredKeys(
                data=self.keys.data.arn, audit=self.keys.audit.arn, application=self.keys.application.arn
            ),
            log_groups=DeclaredLogGroups(
                function=self.service.log_group_name,
                access=self.api.access_log_group,
                execution=self.api.execution_log_group,
            ),
            parameters=DeclaredParameters(
                table_name=names.parameter(Parameter.TABLE_NAME),
                bucket_name=names.parameter(Parameter.BUCKET_NAME),
                endpoint=names.parameter(Parameter.ENDPOINT),
                api_key=names.parameter(Parameter.API_KEY),
            ),
            alarms=self._monitoring.alarms,
            metric_filters=self._monitoring.metric_filters,
            dashboard=self._dashboard,
            replication_role_arn=self.replication.role_arn,
        )
