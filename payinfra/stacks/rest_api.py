"""The REST API of a region, in front of the payments function."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.api_gateway_api_key import ApiGatewayApiKey
from cdktf_cdktf_provider_aws.api_gateway_deployment import ApiGatewayDeployment
from cdktf_cdktf_provider_aws.api_gateway_gateway_response import ApiGatewayGatewayResponse
from cdktf_cdktf_provider_aws.api_gateway_integration import ApiGatewayIntegration
from cdktf_cdktf_provider_aws.api_gateway_integration_response import ApiGatewayIntegrationResponse
from cdktf_cdktf_provider_aws.api_gateway_method import ApiGatewayMethod
from cdktf_cdktf_provider_aws.api_gateway_method_response import ApiGatewayMethodResponse
from cdktf_cdktf_provider_aws.api_gateway_method_settings import (
    ApiGatewayMethodSettings,
    ApiGatewayMethodSettingsSettings,
)
from cdktf_cdktf_provider_aws.api_gateway_model import ApiGatewayModel
from cdktf_cdktf_provider_aws.api_gateway_request_validator import ApiGatewayRequestValidator
from cdktf_cdktf_provider_aws.api_gateway_resource import ApiGatewayResource
from cdktf_cdktf_provider_aws.api_gateway_rest_api import (
    ApiGatewayRestApi,
    ApiGatewayRestApiEndpointConfiguration,
)
from cdktf_cdktf_provider_aws.api_gateway_stage import ApiGatewayStage, ApiGatewayStageAccessLogSettings
from cdktf_cdktf_provider_aws.api_gateway_usage_plan import (
    ApiGatewayUsagePlan,
    ApiGatewayUsagePlanApiStages,
    ApiGatewayUsagePlanQuotaSettings,
    ApiGatewayUsagePlanThrottleSettings,
)
from cdktf_cdktf_provider_aws.api_gateway_usage_plan_key import ApiGatewayUsagePlanKey
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.lambda_alias import LambdaAlias
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission

from payinfra.core.naming import API_DEPLOYMENT, STAGE
from payinfra.stacks import rest_api_contract as contract
from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.region_context import RegionContext

_ACCESS_LOG = {
    "request_id": "$context.requestId",
    "xray_trace_id": "$context.xrayTraceId",
    "time": "$context.requestTimeEpoch",
    "ip": "$context.identity.sourceIp",
    "api_key_id": "$context.identity.apiKeyId",
    "method": "$context.httpMethod",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    "error_type": "$context.error.responseType",
    "response_bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_latency_ms": "$context.integrationLatency",
    "integration_status": "$context.integrationStatus",
}
"""A line a request. No path, query, header or body: they may name customers."""


@dataclass(frozen=True)
class PaymentsRestApiProps:
    """The API.

    Attributes:
        function: what answers.
        key_value: the API key's value; None lets API Gateway make one.
        log_key_arn: the key that encrypts the logs.
        rate_limit, burst_limit: requests a second, and at once.
        daily_quota: requests a day for the key.
        cors_origins: the origins whose pages may call; none for same origin only.
    """

    place: RegionContext
    function: LambdaAlias
    key_value: str | None
    log_key_arn: str
    log_retention_days: int
    rate_limit: float
    burst_limit: int
    daily_quota: int
    cors_origins: tuple[str, ...]


class PaymentsRestApi(StackComponent):
    """The API with its stage, key and plan.

    Attributes:
        id, name: the API's.
        stage: the deployed stage.
        key_id, key_value: the API key's; the value is secret.
        usage_plan_id: the plan's.
        access_log_group, execution_log_group: names of log groups.
    """

    def __init__(self, scope: Scope, id_: str, *, props: PaymentsRestApiProps) -> None:
        super().__init__(scope, id_)
        self._props = props
        self._provider = props.place.provider
        names = props.place.names
        api = ApiGatewayRestApi(
            *self.at("api"),
            provider=self._provider,
            name=names.api,
            description="Records payments",
            endpoint_configuration=ApiGatewayRestApiEndpointConfiguration(types=["REGIONAL"]),
            api_key_source="HEADER",
            # Health checks ask the default endpoint of each region.
            disable_execute_api_endpoint=False,
        )
        # Each look at an attribute is a question to the Node side: those that are used often are asked once.
        self.id, self.name = api.id, api.name
        self._root, self._execution_arn = api.root_resource_id, api.execution_arn
        self._invoke_arn = props.function.invoke_arn
        self._function_name, self._alias_name = props.function.function_name, props.function.name
        schemas = contract.models()
        parts: list[ITerraformDependable] = [*self._models(schemas), *self._answers(), *self._routes()]
        fingerprint = contract.fingerprint(props.cors_origins, schemas)
        deployment = ApiGatewayDeployment(
            *self.at("deployment"),
            provider=self._provider,
            rest_api_id=self.id,
            # API Gateway keeps the description and not the triggers: a state that is lost can be made again.
            description=f"{API_DEPLOYMENT}{fingerprint}",
            triggers={"contract": fingerprint},
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
            depends_on=parts,
        )
        self.stage = self._stage(deployment)
        key = ApiGatewayApiKey(
            *self.at("key"),
            provider=self._provider,
            name=names.api_key,
            description="Calls the payments API",
            enabled=True,
            value=props.key_value,
        )
        plan = self._plan(key)
        self.key_id = key.id
        self.key_value = key.value
        self.usage_plan_id = plan.id

    def _models(self, schemas: Mapping[str, str]) -> Sequence[ITerraformDependable]:
        self._model_resources = {
            name: ApiGatewayModel(
                *self.at(f"model-{name}"),
                provider=self._provider,
                rest_api_id=self.id,
                name=name,
                content_type="application/json",
                schema=schema,
            )
            for name, schema in schemas.items()
        }
        return list(self._model_resources.values())

    def _answers(self) -> Sequence[ITerraformDependable]:
        return [
            ApiGatewayGatewayResponse(
                *self.at(f"answer-{answer.type.lower()}"),
                provider=self._provider,
                rest_api_id=self.id,
                response_type=answer.type,
                status_code=str(answer.status) if answer.status else None,
                response_templates={"application/json": contract.answer_template(answer)},
                response_parameters=contract.answer_headers(self._props.cors_origins, answer),
            )
            for answer in contract.ANSWERS
        ]

    def _routes(self) -> Sequence[ITerraformDependable]:
        validator = ApiGatewayRequestValidator(
            *self.at("validator"),
            provider=self._provider,
            rest_api_id=self.id,
            name=self._props.place.names.validator,
            validate_request_body=True,
            validate_request_parameters=True,
        )
        payments = self._path("payments", self._root, "payments")
        paths = {
            "/payments": payments,
            "/payments/{payment_id}": self._path("payment", payments.id, "{payment_id}"),
            "/health": self._path("health", self._root, "health"),
            "/evacuation": self._path("evacuation", self._root, "evacuation"),
        }
        return [
            *(part for route in contract.ROUTES for part in self._route(route, paths[route.path], validator)),
            *(
                part
                for other in contract.OTHER_METHODS
                for part in self._other_methods(other, paths[other.path])
            ),
        ]

    def _path(self, id_: str, parent: str, part: str) -> ApiGatewayResource:
        return ApiGatewayResource(
            *self.at(f"path-{id_}"),
            provider=self._provider,
            rest_api_id=self.id,
            parent_id=parent,
            path_part=part,
        )

    def _route(
        self, route: contract.ApiRoute, path: ApiGatewayResource, validator: ApiGatewayRequestValidator
    ) -> tuple[ITerraformDependable, ...]:
        parameters = {
            f"method.request.path.{part[1:-1]}": True
            for part in route.path.split("/")
            if part.startswith("{")
        }
        method = ApiGatewayMethod(
            *self.at(f"method-{route.id}"),
            provider=self._provider,
            rest_api_id=self.id,
            resource_id=path.id,
            http_method=route.method,
            authorization="NONE",
            api_key_required=route.needs_key,
            request_validator_id=validator.id,
            request_parameters=parameters or None,
            request_models={"application/json": self._model_resources[route.model].name}
            if route.model
            else None,
        )
        integration = ApiGatewayIntegration(
            *self.at(f"integration-{route.id}"),
            provider=self._provider,
            rest_api_id=self.id,
            resource_id=path.id,
            http_method=method.http_method,
            type="AWS_PROXY",
            integration_http_method="POST",
            uri=self._invoke_arn,
            timeout_milliseconds=contract.INTEGRATION_TIMEOUT_MS,
        )
        LambdaPermission(
            *self.at(f"permission-{route.id}"),
            provider=self._provider,
            statement_id=f"api-{route.id}",
            action="lambda:InvokeFunction",
            function_name=self._function_name,
            qualifier=self._alias_name,
            principal="apigateway.amazonaws.com",
            source_arn=f"{self._execution_arn}/{STAGE}/{route.method}{route.permission_path}",
        )
        return method, integration

    def _other_methods(
        self, other: contract.OtherMethods, path: ApiGatewayResource
    ) -> tuple[ITerraformDependable, ...]:
        headers = contract.wrong_method_headers(self._props.cors_origins, other)
        method = ApiGatewayMethod(
            *self.at(f"method-{other.id}"),
            provider=self._provider,
            rest_api_id=self.id,
            resource_id=path.id,
            http_method="ANY",
            authorization="NONE",
            api_key_required=other.needs_key,
        )
        # Each look at an attribute is a question to the Node side.
        resource, verb = path.id, method.http_method
        integration = ApiGatewayIntegration(
            *self.at(f"integration-{other.id}"),
            provider=self._provider,
            rest_api_id=self.id,
            resource_id=resource,
            http_method=verb,
            type="MOCK",
            request_templates=contract.WRONG_METHOD_REQUESTS,
            passthrough_behavior="WHEN_NO_TEMPLATES",
        )
        response = ApiGatewayMethodResponse(
            *self.at(f"method-response-{other.id}"),
            provider=self._provider,
            rest_api_id=self.id,
            resource_id=resource,
            http_method=verb,
            status_code=contract.WRONG_METHOD_STATUS,
            response_parameters=dict.fromkeys(headers, True),
        )
        answer = ApiGatewayIntegrationResponse(
            *self.at(f"integration-response-{other.id}"),
            provider=self._provider,
            rest_api_id=self.id,
            resource_id=resource,
            http_method=verb,
            status_code=response.status_code,
            response_parameters=headers,
            response_templates={"application/json": contract.wrong_method_template(other)},
            depends_on=[integration],
        )
        return method, integration, response, answer

    def _stage(self, deployment: ApiGatewayDeployment) -> ApiGatewayStage:
        names, props = self._props.place.names, self._props
        access = self._log_group("access-log", names.access_log_group)
        # API Gateway would make this one by itself, without retention and key.
        execution = self._log_group("execution-log", names.execution_log_group(self.id))
        self.access_log_group = access.name
        self.execution_log_group = execution.name
        stage = ApiGatewayStage(
            *self.at("stage"),
            provider=self._provider,
            rest_api_id=self.id,
            deployment_id=deployment.id,
            stage_name=STAGE,
            description="The stage that serves",
            xray_tracing_enabled=True,
            access_log_settings=ApiGatewayStageAccessLogSettings(
                destination_arn=access.arn, format=json.dumps(_ACCESS_LOG, separators=(",", ":"))
            ),
            depends_on=[execution],
        )
        ApiGatewayMethodSettings(
            *self.at("method-settings"),
            provider=self._provider,
            rest_api_id=self.id,
            stage_name=stage.stage_name,
            method_path="*/*",
            settings=ApiGatewayMethodSettingsSettings(
                logging_level="INFO",
                # Bodies hold payments: they are never written to a log.
                data_trace_enabled=False,
                metrics_enabled=True,
                throttling_rate_limit=props.rate_limit,
                throttling_burst_limit=props.burst_limit,
            ),
        )
        # Only health checkers ask for these pages, all the time: each line and metric of them is paid for.
        for page in ("health", "evacuation"):
            ApiGatewayMethodSettings(
                *self.at(f"method-settings-{page}"),
                provider=self._provider,
                rest_api_id=self.id,
                stage_name=stage.stage_name,
                method_path=f"{page}/GET",
                settings=ApiGatewayMethodSettingsSettings(
                    logging_level="ERROR",
                    data_trace_enabled=False,
                    metrics_enabled=False,
                    throttling_rate_limit=props.rate_limit,
                    throttling_burst_limit=props.burst_limit,
                ),
            )
        return stage

    def _log_group(self, id_: str, name: str) -> CloudwatchLogGroup:
        return CloudwatchLogGroup(
            *self.at(id_),
            provider=self._provider,
            name=name,
            retention_in_days=self._props.log_retention_days,
            kms_key_id=self._props.log_key_arn,
        )

    def _plan(self, key: ApiGatewayApiKey) -> ApiGatewayUsagePlan:
        props = self._props
        plan = ApiGatewayUsagePlan(
            *self.at("plan"),
            provider=self._provider,
            name=props.place.names.usage_plan,
            description="What the API key may use",
            api_stages=[ApiGatewayUsagePlanApiStages(api_id=self.id, stage=self.stage.stage_name)],
            throttle_settings=ApiGatewayUsagePlanThrottleSettings(
                rate_limit=props.rate_limit, burst_limit=props.burst_limit
            ),
            quota_settings=ApiGatewayUsagePlanQuotaSettings(limit=props.daily_quota, period="DAY"),
        )
        ApiGatewayUsagePlanKey(
            *self.at("plan-key"),
            provider=self._provider,
            key_id=key.id,
            key_type="API_KEY",
            usage_plan_id=plan.id,
        )
        return plan
