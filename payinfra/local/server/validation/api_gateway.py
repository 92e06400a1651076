"""What API Gateway refuses (API Gateway API reference, and the developer guide's pages that are named)."""

import re
from collections.abc import Mapping
from typing import Any

from payinfra.core.json_text import json_or_none
from payinfra.local.server.validation.calls import Rules, ServiceCall, for_each, joined, refuse_if
from payinfra.local.server.validation.policies import PolicyKind, problems
from payinfra.local.server.validation.tags import tags_are_possible

BAD, CONFLICT, MISSING = "BadRequestException", "ConflictException", "NotFoundException"
COMPRESSION_MOST = 10_485_760
TIMEOUT_LEAST_MS, TIMEOUT_MOST_MS = 50, 29_000
VERBS = frozenset({"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
AUTHORIZATIONS = frozenset({"NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"})
KEY_MOST = 128
KEPT_MOST_S = 3600
PERIODS = {"DAY": 0, "WEEK": 6, "MONTH": 27}
"""A quota's periods, with the largest offset of each (API reference, QuotaSettings)."""
_PART = re.compile(r"[a-zA-Z0-9._\-:]+|\{[a-zA-Z0-9._\-:]+\+?\}")
_STAGE = re.compile(r"[A-Za-z0-9_-]{1,128}|\$default")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")
_VARIABLE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]*")
_STATUS = re.compile(r"[1-5]\d\d")
_INTEGRATION = re.compile(r"arn:aws[a-z-]*:apigateway:[^:]+:[^:]+:(path|action)/.+")
_ON_METHOD = re.compile(
    r"method\.request\.(header|path|querystring|multivaluequerystring|multivalueheader|body)\..+"
)
_ON_INTEGRATION = re.compile(r"integration\.request\.(header|path|querystring)\..+")
_LOG_TARGET = re.compile(
    r"arn:aws[a-z-]*:(logs:[^:]+:\d+:log-group:.+|firehose:[^:]+:\d+:deliverystream/amazon-apigateway-.+)"
)
_STAGE_PATHS = re.compile(
    r"/(accessLogSettings(/(destinationArn|format))?|cacheClusterEnabled|cacheClusterSize|canarySettings(/.+)?|"
    r"clientCertificateId|deploymentId|description|documentationVersion|tracingEnabled|variables(/.+)?|"
    r".+/(logging/(dataTrace|loglevel)|metrics/enabled|throttling/(burstLimit|rateLimit)|"
    r"caching/(dataEncrypted|enabled|requireAuthorizationForCacheControl|ttlInSeconds|unauthorizedCacheControlHeaderStrategy)))"
)
"""API Gateway API reference, "PatchOperation": what a stage lets be changed."""
_METHOD_SETTINGS = re.compile(r"/.+/([A-Z]+|\*)")
"""All settings of a method of a stage, which go together."""
CACHE_SIZES = frozenset({"0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"})


def _gateway(call: ServiceCall) -> Any:
    return call.module("apigateway_v1")


def _resources(call: ServiceCall) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _gateway(call)._resources.get(call.text("restApiId")) or {}
    return found


def _method(call: ServiceCall) -> Any:
    resource = _resources(call).get(call.text("resourceId")) or {}
    return (resource.get("resourceMethods") or {}).get(call.text("httpMethod"))


def api_is_possible(call: ServiceCall) -> None:
    """AWS: an API has a name, compresses from 0 to 10 MB on, and a policy that can be read (API reference,
    CreateRestApi)."""
    refuse_if(not call.text("name").strip(), BAD, "API name must not be empty")
    size = call.parameters.get("minimumCompressionSize")
    refuse_if(
        size is not None and not 0 <= int(size) <= COMPRESSION_MOST,
        BAD,
        "Invalid minimum compression size, must be between 0 and 10485760",
    )
    policy = call.text("policy")
    wrong = next(problems(policy, PolicyKind.RESOURCE), "") if policy else ""
    refuse_if(bool(wrong), BAD, f"Invalid policy document. {wrong}")


def part_is_possible(call: ServiceCall) -> None:
    """AWS: a part of a path consists of few characters, and beside one variable there is no other (developer
    guide, "REST API resources")."""
    part = call.text("pathPart")
    refuse_if(
        not _PART.fullmatch(part),
        BAD,
        "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces "
        "at the beginning and the end.",
    )
    siblings = [one for one in _resources(call).values() if one.get("parentId") == call.text("parentId")]
    variable = next(
        (one["pathPart"] for one in siblings if str(one.get("pathPart", "")).startswith("{")), part
    )
    refuse_if(
        part.startswith("{") and variable != part,
        BAD,
        f"A sibling ({variable}) of this resource already has a variable path part -- only one is allowed",
    )


def root_stays(call: ServiceCall) -> None:
    """AWS: an API's root is not deleted."""
    found = _resources(call).get(call.text("resourceId")) or {}
    refuse_if(found.get("path") == "/", BAD, "Cannot delete root resource")


def method_is_possible(call: ServiceCall) -> None:
    """AWS: a method has a verb, an authorization that is there, and what it names is the API's (API
    reference, PutMethod)."""
    gateway, api = _gateway(call), call.text("restApiId")
    verb, authorization = call.text("httpMethod"), call.text("authorizationType")
    refuse_if(verb not in VERBS, BAD, f"Invalid HTTP method specified: {verb}")
    refuse_if(
        authorization not in AUTHORIZATIONS, BAD, f"Invalid authorization type specified: {authorization}"
    )
    refuse_if(_method(call) is not None, CONFLICT, "Method already exists for this resource", 409)
    authorizer = call.text("authorizerId")
    refuse_if(
        authorization in ("CUSTOM", "COGNITO_USER_POOLS")
        and authorizer not in (gateway._authorizers_v1.get(api) or {}),
        BAD,
        "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS "
        "requires a valid authorizer.",
    )
    validator = call.text("requestValidatorId")
    refuse_if(
        bool(validator) and validator not in (gateway._request_validators.get(api) or {}),
        BAD,
        "Invalid Request Validator identifier specified",
    )
    models = {"Empty", "Error", *_model_names(call)}
    for name in call.inner("requestModels").values():
        refuse_if(name not in models, BAD, f"Invalid model identifier specified: {name}")
    for name in call.inner("requestParameters"):
        refuse_if(not _ON_METHOD.fullmatch(name), BAD, f"Invalid mapping expression specified: {name}")


def _model_names(call: ServiceCall) -> list[str]:
    models = _gateway(call)._models.get(call.text("restApiId")) or {}
    return [str(one.get("name", name)) for name, one in models.items()]


def integration_is_possible(call: ServiceCall) -> None:
    """AWS: an integration calls something that its kind can call, within 50 ms to 29 s (API reference,
    PutIntegration)."""
    kind, uri = call.text("type"), call.text("uri")
    if kind in ("AWS", "AWS_PROXY"):
        refuse_if(not _INTEGRATION.fullmatch(uri), BAD, "Invalid ARN specified in the request")
    if kind in ("HTTP", "HTTP_PROXY"):
        private = call.text("connectionType") == "VPC_LINK"
        refuse_if(
            not private and not re.match(r"https?://|\$\{|arn:", uri),
            BAD,
            "Invalid HTTP endpoint specified for URI",
        )
    refuse_if(
        kind != "MOCK" and not call.text("integrationHttpMethod"),
        BAD,
        "Enumeration value for HttpMethod must be non-empty",
    )
    refuse_if(
        call.text("passthroughBehavior") not in ("", "WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"),
        BAD,
        "Invalid passthrough behavior specified",
    )
    timeout = call.parameters.get("timeoutInMillis")
    refuse_if(
        timeout is not None and not TIMEOUT_LEAST_MS <= int(timeout) <= TIMEOUT_MOST_MS,
        BAD,
        "Timeout should be between 50 ms and 29000 ms",
    )
    for name in call.inner("requestParameters"):
        refuse_if(not _ON_INTEGRATION.fullmatch(name), BAD, f"Invalid mapping expression specified: {name}")


def status_is_possible(call: ServiceCall) -> None:
    """AWS: a response has a status of HTTP, and is put once (API reference, PutMethodResponse)."""
    refuse_if(
        not _STATUS.fullmatch(call.text("statusCode")),
        BAD,
        "Status code should match the following regex: [1-5]\\d\\d",
    )
    responses = (_method(call) or {}).get("methodResponses") or {}
    refuse_if(
        call.text("statusCode") in responses, CONFLICT, "Response already exists for this resource", 409
    )


def response_is_declared(call: ServiceCall) -> None:
    """AWS: an integration's response has a status and headers that the method declares, and a pattern that is
    one (API reference, PutIntegrationResponse; developer guide, "Integration response")."""
    method = _method(call)
    if method is None:
        return
    declared = (method.get("methodResponses") or {}).get(call.text("statusCode"))
    refuse_if(declared is None, MISSING, "Invalid Response status code specified", 404)
    parameters = (declared or {}).get("responseParameters") or {}
    for name in call.inner("responseParameters"):
        refuse_if(name not in parameters, BAD, f"Invalid mapping expression parameter specified: {name}")
    try:
        re.compile(call.text("selectionPattern"))
    except re.error:
        refuse_if(True, BAD, "Invalid selection pattern specified")


def api_can_be_deployed(call: ServiceCall) -> None:
    """AWS: what is deployed has methods, each with an integration (API reference, CreateDeployment)."""
    if call.text("restApiId") not in _gateway(call)._rest_apis:
        return
    methods = [
        one
        for resource in _resources(call).values()
        for one in (resource.get("resourceMethods") or {}).values()
    ]
    refuse_if(not methods, BAD, "The REST API doesn't contain any methods")
    refuse_if(
        any(not one.get("methodIntegration") for one in methods), BAD, "No integration defined for method"
    )


def stage_is_possible(call: ServiceCall) -> None:
    """AWS: a stage has a name of its own, serves a deployment that is there, and its variables are words
    (API reference, CreateStage)."""
    gateway, api, name = _gateway(call), call.text("restApiId"), call.text("stageName")
    refuse_if(not _STAGE.fullmatch(name), BAD, "Stage name only allows a-zA-Z0-9_")
    refuse_if(name in (gateway._stages_v1.get(api) or {}), CONFLICT, "Stage already exists", 409)
    refuse_if(
        call.text("deploymentId") not in (gateway._deployments_v1.get(api) or {}),
        BAD,
        "Deployment id does not exist",
    )
    for key, value in call.inner("variables").items():
        refuse_if(
            not _VARIABLE.fullmatch(key) or not _VARIABLE_VALUE.fullmatch(str(value)),
            BAD,
            f"Invalid stage variable {key}: it has letters, digits and _, its value -._~:/?#&=, as well",
        )


def stage_changes_are_possible(call: ServiceCall) -> None:
    """AWS: a stage lets some settings be changed, to values that they can have (API reference,
    "PatchOperation" and UpdateStage)."""
    deployments = _gateway(call)._deployments_v1.get(call.text("restApiId")) or {}
    for change in call.entries("patchOperations"):
        path, value = str(change.get("path", "")), str(change.get("value", ""))
        whole = change.get("op") == "remove" and _METHOD_SETTINGS.fullmatch(path)
        refuse_if(
            not whole and not _STAGE_PATHS.fullmatch(path),
            BAD,
            f"Invalid patch path '{path}' specified for op 'replace'.",
        )
        if change.get("op") == "remove":
            continue
        refuse_if(path == "/deploymentId" and value not in deployments, BAD, "Deployment id does not exist")
        refuse_if(
            path == "/accessLogSettings/destinationArn" and not _LOG_TARGET.fullmatch(value),
            BAD,
            "Invalid ARN specified in the request",
        )
        refuse_if(path == "/cacheClusterSize" and value not in CACHE_SIZES, BAD, "Invalid cache cluster size")
        if path.endswith("/logging/loglevel"):
            refuse_if(value not in ("OFF", "ERROR", "INFO"), BAD, f"Invalid logging level: {value}")
        if re.search(r"/throttling/(burstLimit|rateLimit)$", path):
            refuse_if(not re.fullmatch(r"-?\d+(\.\d+)?", value), BAD, f"Invalid throttling value: {value}")


def deployment_is_not_served(call: ServiceCall) -> None:
    """AWS: a deployment that a stage serves is not deleted (API reference, DeleteDeployment)."""
    stages = _gateway(call)._stages_v1.get(call.text("restApiId")) or {}
    used = [one for one in stages.values() if one.get("deploymentId") == call.text("deploymentId")]
    refuse_if(bool(used), BAD, "Active stages pointing to this deployment must be moved or deleted")


def key_is_possible(call: ServiceCall) -> None:
    """AWS: a key has 20 to 128 characters, and no other key's value (developer guide, "API key"; API
    reference, CreateApiKey)."""
    value = call.text("value")
    refuse_if(len(value) > KEY_MOST, BAD, f"API Key value should be at most {KEY_MOST} characters")
    taken = [one for one in _gateway(call)._api_keys.values() if value and one.get("value") == value]
    refuse_if(bool(taken), CONFLICT, "API Key already exists", 409)


def plan_is_possible(call: ServiceCall) -> None:
    """AWS: a usage plan has a name, limits that are numbers of their kind, and stages that are there (API
    reference, CreateUsagePlan, QuotaSettings and ThrottleSettings)."""
    refuse_if(not call.text("name").strip(), BAD, "Usage Plan name must not be empty")
    quota, throttle = call.inner("quota"), call.inner("throttle")
    if quota:
        period = str(quota.get("period", ""))
        refuse_if(period not in PERIODS, BAD, "Usage Plan quota needs a period of DAY, WEEK or MONTH")
        refuse_if(int(quota.get("limit") or 0) <= 0, BAD, "Usage Plan quota limit must be greater than zero")
        offset = int(quota.get("offset") or 0)
        refuse_if(
            not 0 <= offset <= PERIODS[period], BAD, f"Usage Plan quota offset must be 0 to {PERIODS[period]}"
        )
    for limit in throttle.values():
        refuse_if(float(limit) < 0, BAD, "Usage Plan throttle limits must not be negative")
    for stage in call.entries("apiStages"):
        _stage_is_there(call, str(stage.get("apiId")), str(stage.get("stage")))


def _stage_is_there(call: ServiceCall, api: str, stage: str) -> None:
    stages = _gateway(call)._stages_v1.get(api) or {}
    refuse_if(stage not in stages, MISSING, f"API Stage not found: {api}:{stage}", 404)


def plan_changes_are_possible(call: ServiceCall) -> None:
    """AWS: a stage that a usage plan gets is there, and not the plan's already (API reference,
    UpdateUsagePlan)."""
    plan = _gateway(call)._usage_plans.get(call.text("usagePlanId")) or {}
    known = {(one.get("apiId"), one.get("stage")) for one in plan.get("apiStages") or ()}
    for change in call.entries("patchOperations"):
        if change.get("path") == "/apiStages" and change.get("op") == "add":
            api, _, stage = str(change.get("value", "")).partition(":")
            _stage_is_there(call, api, stage)
            refuse_if((api, stage) in known, CONFLICT, "Usage plan already has the API stage", 409)


def plan_key_is_possible(call: ServiceCall) -> None:
    """AWS: a key is in a plan once, and in one plan alone of those of a stage (API reference,
    CreateUsagePlanKey; developer guide, "Usage plans and API keys for REST APIs")."""
    gateway, plan_id, key = _gateway(call), call.text("usagePlanId"), call.text("keyId")
    refuse_if(call.text("keyType") != "API_KEY", BAD, "Usage Plan Key type must be API_KEY")
    refuse_if(key not in gateway._api_keys, MISSING, "Invalid API Key identifier specified", 404)
    refuse_if(
        key in (gateway._usage_plan_keys.get(plan_id) or {}), CONFLICT, "Usage Plan Key already exists", 409
    )
    stages = _stages_of(gateway._usage_plans.get(plan_id) or {})
    for other, keys in gateway._usage_plan_keys.items():
        shared = (
            other != plan_id and key in keys and stages & _stages_of(gateway._usage_plans.get(other) or {})
        )
        refuse_if(
            bool(shared),
            CONFLICT,
            f"API Key {key} cannot be added to Usage Plan {plan_id}: another plan of the same stage has it",
            409,
        )


def _stages_of(plan: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(str(one.get("apiId")), str(one.get("stage"))) for one in plan.get("apiStages") or ()}


def plan_has_no_stages(call: ServiceCall) -> None:
    """AWS: a usage plan is deleted when it has no stages any more (API reference, DeleteUsagePlan)."""
    plan = _gateway(call)._usage_plans.get(call.text("usagePlanId")) or {}
    refuse_if(
        bool(plan.get("apiStages")),
        BAD,
        f"Cannot delete Usage Plan {call.text('usagePlanId')}: it has API stages",
    )


def stage_is_in_no_plan(call: ServiceCall) -> None:
    """AWS: an API with a stage in a usage plan stays (seen by users of DeleteRestApi and DeleteStage: "Active
    stages with usage plans"); so does one that a custom domain leads to (developer guide, "API mappings")."""
    gateway, api, stage = _gateway(call), call.text("restApiId"), call.text("stageName")
    for plan in gateway._usage_plans.values():
        used = any(one == api and (not stage or at == stage) for one, at in _stages_of(plan))
        refuse_if(
            used,
            BAD,
            f"Stage is associated with the usage plan {plan.get('name')}, which must let it go first",
        )
    for mappings in gateway._base_path_mappings.values():
        led = any(
            one.get("restApiId") == api and (not stage or one.get("stage") == stage)
            for one in mappings.values()
        )
        refuse_if(
            led, BAD, "Deleting API or stage failed. Please remove all base path mappings related to it."
        )


def model_is_possible(call: ServiceCall) -> None:
    """AWS: a model has a name of letters and digits, and a schema in JSON (API reference, CreateModel)."""
    name = call.text("name")
    refuse_if(not re.fullmatch("[A-Za-z0-9]+", name), BAD, "Model name must be alphanumeric")
    refuse_if(name in _model_names(call), CONFLICT, "Model name already exists for this REST API", 409)
    schema = call.text("schema")
    read = json_or_none(schema) if schema else {}
    refuse_if(not isinstance(read, dict), BAD, "Invalid model schema specified")


def authorizer_is_possible(call: ServiceCall) -> None:
    """AWS: an authorizer of Lambda's calls a function and knows where a token is, and its answers are kept
    for an hour at most (API reference, CreateAuthorizer)."""
    kind = call.text("type")
    refuse_if(
        kind in ("TOKEN", "REQUEST") and not _INTEGRATION.fullmatch(call.text("authorizerUri")),
        BAD,
        "Invalid Authorizer URI",
    )
    kept = call.parameters.get("authorizerResultTtlInSeconds")
    refuse_if(
        kind == "TOKEN" and not call.text("identitySource"),
        BAD,
        "Identity source is required for a TOKEN authorizer",
    )
    refuse_if(
        kept is not None and not 0 <= int(kept) <= KEPT_MOST_S,
        BAD,
        "Authorizer result TTL should be between 0 and 3600 seconds",
    )


def validator_is_not_used(call: ServiceCall) -> None:
    """AWS: a validator that a method names is not deleted (API reference, DeleteRequestValidator)."""
    for resource in _resources(call).values():
        for method in (resource.get("resourceMethods") or {}).values():
            refuse_if(
                method.get("requestValidatorId") == call.text("requestValidatorId"),
                CONFLICT,
                "Cannot delete the validator: it is referenced in a method",
                409,
            )


def model_is_not_used(call: ServiceCall) -> None:
    """AWS: a model that a method names is not deleted (API reference, DeleteModel)."""
    name = call.text("modelName")
    for resource in _resources(call).values():
        for method in (resource.get("resourceMethods") or {}).values():
            used = set((method.get("requestModels") or {}).values())
            for response in (method.get("methodResponses") or {}).values():
                used |= set((response.get("responseModels") or {}).values())
            refuse_if(name in used, CONFLICT, f"Cannot delete model '{name}', is referenced in method", 409)


def gateway_response_is_possible(call: ServiceCall) -> None:
    """AWS: a gateway response has a status of HTTP, and parameters of a response (API reference,
    PutGatewayResponse)."""
    status = call.text("statusCode")
    refuse_if(bool(status) and not _STATUS.fullmatch(status), BAD, f"Invalid status code: {status}")
    for name in call.inner("responseParameters"):
        refuse_if(not name.startswith("gatewayresponse."), BAD, f"Invalid gateway response parameter: {name}")


def certificate_is_named(call: ServiceCall) -> None:
    """AWS: a custom domain has a certificate (API reference, CreateDomainName). Which one it can be
    is for `custom_domains` to judge."""
    named = ("regionalCertificateArn", "certificateArn", "regionalCertificateName")
    refuse_if(not any(map(call.text, named)), BAD, "A certificate was not provided for the endpoint type.")


def account_role_is_assumable(call: ServiceCall) -> None:
    """AWS: API Gateway must be able to assume the role that writes its logs (developer guide, "Set up
    CloudWatch logging for REST APIs")."""
    for change in call.entries("patchOperations"):
        role = str(change.get("value") or "")
        if change.get("path") == "/cloudwatchRoleArn" and role:
            known = call.module("iam")._roles.get(role.rpartition("/")[2]) or {}
            trust = str(known.get("AssumeRolePolicyDocument") or "")
            refuse_if(
                "apigateway.amazonaws.com" not in trust,
                BAD,
                "The role ARN does not have required permissions configured. Please grant trust permission "
                "for API Gateway and add the required role policy.",
            )


RULES: Rules = joined(
    for_each(
        (
            "CreateApiKey",
            "CreateDomainName",
            "CreateRestApi",
            "CreateStage",
            "CreateUsagePlan",
            "TagResource",
        ),
        tags_are_possible("tags", BAD, too_many="LimitExceededException"),
    ),
    for_each(("DeleteRestApi", "DeleteStage"), stage_is_in_no_plan),
    {
        "CreateAuthorizer": (authorizer_is_possible,),
        "CreateApiKey": (key_is_possible,),
        "CreateDeployment": (api_can_be_deployed,),
        "CreateDomainName": (certificate_is_named,),
        "CreateModel": (model_is_possible,),
        "CreateResource": (part_is_possible,),
        "CreateRestApi": (api_is_possible,),
        "CreateStage": (stage_is_possible,),
        "CreateUsagePlan": (plan_is_possible,),
        "CreateUsagePlanKey": (plan_key_is_possible,),
        "DeleteDeployment": (deployment_is_not_served,),
        "DeleteModel": (model_is_not_used,),
        "DeleteRequestValidator": (validator_is_not_used,),
        "DeleteResource": (root_stays,),
        "DeleteUsagePlan": (plan_has_no_stages,),
        "PutGatewayResponse": (gateway_response_is_possible,),
        "PutIntegration": (integration_is_possible,),
        "PutIntegrationResponse": (response_is_declared,),
        "PutMethod": (method_is_possible,),
        "PutMethodResponse": (status_is_possible,),
        "UpdateAccount": (account_role_is_assumable,),
        "UpdateStage": (stage_changes_are_possible,),
        "UpdateUsagePlan": (plan_changes_are_possible,),
    },
)
