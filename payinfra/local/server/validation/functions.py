"""What Lambda refuses (Lambda API reference, and the developer guide's pages that are named)."""

import json
import re
from typing import Any

from payinfra.core.json_text import json_or_none, parse_json
from payinfra.local.server.validation.calls import (
    AwsRefusal,
    Rules,
    ServiceCall,
    for_each,
    joined,
    refuse_if,
    texts_in,
)
from payinfra.local.server.validation.policies import statements_in, unknown_principals
from payinfra.local.server.validation.tags import tags_are_possible

INVALID = "InvalidParameterValueException"
MISSING = "ResourceNotFoundException"
VARIABLES_MOST = 4096
POLICY_MOST = 20_480
SYNCHRONOUS_MOST, ASYNCHRONOUS_MOST = 6_291_456, 1_048_576
NAME_MOST, MEMORY_MOST_MB, TIMEOUT_MOST_S = 64, 10_240, 900
RECORD_AGE_LEAST_S = 60
RESERVED = frozenset(
    {
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION"),
        *("AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME"),
        *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME"),
        *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"),
        *("AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"),
    }
)
"""Lambda developer guide, "Defined runtime environment variables": reserved ones."""
STREAM_BATCH_MOST = 10_000
QUEUE_BATCH_WITHOUT_WINDOW = 10


def _name(call: ServiceCall) -> str:
    name: str = call.module("lambda_svc")._resolve_name(call.text("FunctionName"))
    return name


def _function(call: ServiceCall) -> Any:
    return call.module("lambda_svc")._functions.get(_name(call))


def role_is_assumable(call: ServiceCall) -> None:
    """AWS: Lambda must be able to assume the function's role (API reference, CreateFunction, Role;
    troubleshooting, "The role defined for the function cannot be assumed by Lambda")."""
    known = call.module("iam")._roles.get(call.text("Role").rpartition("/")[2])
    if known is None:
        # ministack says so of a role that is not there.
        return
    for one in statements_in(json_or_none(str(known.get("AssumeRolePolicyDocument") or "{}"))):
        principal = one.get("Principal")
        services = ["*"] if principal == "*" else list(texts_in((principal or {}).get("Service")))
        services += ["*"] if isinstance(principal, dict) and principal.get("AWS") == "*" else []
        if one.get("Effect") == "Allow" and {"*", "lambda.amazonaws.com"} & set(services):
            return
    raise AwsRefusal(INVALID, "The role defined for the function cannot be assumed by Lambda.")


def sizes_are_possible(call: ServiceCall) -> None:
    """AWS: a function has a name of 64 characters, 10,240 MB and 900 seconds at most (API reference,
    CreateFunction; developer guide, "Lambda quotas")."""
    refuse_if(
        call.operation == "CreateFunction" and len(_name(call)) > NAME_MOST,
        "ValidationException",
        f"Value at 'functionName' failed to satisfy constraint: it has more than {NAME_MOST} characters",
    )
    for name, most in (("MemorySize", MEMORY_MOST_MB), ("Timeout", TIMEOUT_MOST_S)):
        refuse_if(
            int(call.parameters.get(name) or 0) > most,
            "ValidationException",
            f"Value '{call.parameters.get(name)}' at '{name}' failed to satisfy constraint: Member must have "
            f"value less than or equal to {most}",
        )


def variables_are_possible(call: ServiceCall) -> None:
    """AWS: a function's variables have none of Lambda's own names and 4 KB in all (developer guide, "Working
    with Lambda environment variables")."""
    variables = call.inner("Environment").get("Variables") or {}
    taken = sorted(RESERVED & set(variables))
    refuse_if(
        bool(taken),
        INVALID,
        "Lambda was unable to configure your environment variables because the environment variables you "
        "have provided contains reserved keys that are currently not supported for modification. Reserved "
        f"keys used in this request: {', '.join(taken)}",
    )
    refuse_if(
        len(json.dumps(variables, separators=(",", ":")).encode()) > VARIABLES_MOST,
        INVALID,
        "Lambda was unable to configure your environment variables because the environment variables you "
        f"have provided exceeded the 4KB limit. String measured: {json.dumps(variables)[:200]}",
    )


def code_is_there(call: ServiceCall) -> None:
    """AWS: a function has code, a zip file's a handler and a runtime, an image's neither (API reference,
    CreateFunction)."""
    code = call.inner("Code")
    refuse_if(
        not {"ZipFile", "S3Bucket", "ImageUri"} & set(code),
        INVALID,
        "Please provide a source for function code.",
    )
    image = call.text("PackageType") == "Image"
    refuse_if(
        image and bool(call.text("Runtime") or call.text("Handler") or call.entries("Layers")),
        INVALID,
        "Runtime, Handler and Layers are not supported for functions created with container images.",
    )
    refuse_if(
        not image and not (call.text("Runtime") and call.text("Handler")),
        INVALID,
        "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
    )
    _stored_code(call, code.get("S3Bucket"), code.get("S3Key"))


def new_code_is_there(call: ServiceCall) -> None:
    """AWS: code in S3 is there when it is named (API reference, UpdateFunctionCode)."""
    _stored_code(call, call.text("S3Bucket"), call.text("S3Key"))


def _stored_code(call: ServiceCall, bucket: object, key: object) -> None:
    if bucket:
        found = call.module("s3")._buckets.get(bucket) or {}
        refuse_if(
            key not in (found.get("objects") or {}),
            INVALID,
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key "
            "does not exist.",
        )


def destination_is_there(call: ServiceCall) -> None:
    """AWS: where failures are sent to is there (API reference, DeadLetterConfig and DestinationConfig)."""
    named = [call.inner("DeadLetterConfig").get("TargetArn")]
    named += [
        (call.inner("DestinationConfig").get(one) or {}).get("Destination")
        for one in ("OnFailure", "OnSuccess")
    ]
    for arn in filter(None, named):
        parts = str(arn).split(":")
        region = parts[3] if len(parts) > 3 else call.region
        with call.emulator.scope(call.account, region):
            gone = (":sqs:" in arn and parts[-1] not in call.module("sqs")._queue_name_to_url) or (
                ":sns:" in arn and arn not in call.module("sns")._topics
            )
        refuse_if(gone, INVALID, f"The destination ARN {arn} is invalid.")


def layers_are_few(call: ServiceCall) -> None:
    """AWS: a function has at most five layers (developer guide, "Lambda quotas")."""
    refuse_if(len(call.entries("Layers")) > 5, INVALID, "Cannot reference more than 5 layers.")


def log_levels_are_for_json(call: ServiceCall) -> None:
    """AWS: levels of logs can be set where these are JSON (developer guide, "Log-level filtering")."""
    logging = call.inner("LoggingConfig")
    levels = {"ApplicationLogLevel", "SystemLogLevel"} & set(logging)
    refuse_if(
        bool(levels) and logging.get("LogFormat", "Text") != "JSON",
        INVALID,
        "ApplicationLogLevel and SystemLogLevel are for the log format JSON alone.",
    )


def alias_leads_to_a_version(call: ServiceCall) -> None:
    """AWS: an alias leads to versions that are there, and spreads calls over two published ones (developer
    guide, "Implement Lambda canary deployments using a weighted alias")."""
    function = _function(call)
    if function is None:
        return
    refuse_if(call.text("Name").isdigit(), INVALID, "An alias's name is no number.")
    known = {"$LATEST", *function.get("versions", {})}
    alias = function.get("aliases", {}).get(call.text("Name")) or {}
    version = call.text("FunctionVersion") or str(alias.get("FunctionVersion", "$LATEST"))
    refuse_if(version not in known, MISSING, f"Function not found: {_name(call)}:{version}", 404)
    weights = call.inner("RoutingConfig").get("AdditionalVersionWeights") or {}
    for other, weight in weights.items():
        refuse_if(
            "$LATEST" in (version, other), INVALID, "$LATEST is not supported for an alias with weights."
        )
        refuse_if(other not in known, MISSING, f"Function not found: {_name(call)}:{other}", 404)
        refuse_if(other == version, INVALID, "The version of the alias and of its weights must differ.")
        refuse_if(not 0.0 <= float(weight) <= 1.0, INVALID, f"The weight {weight} is not between 0 and 1.")


def code_is_the_one(call: ServiceCall) -> None:
    """AWS: a version is published if the code is the one that is named (API reference, PublishVersion)."""
    wanted, function = call.text("CodeSha256"), _function(call)
    found = function and function["config"].get("CodeSha256")
    refuse_if(
        bool(wanted and function and wanted != found),
        INVALID,
        f"CodeSHA256 ({wanted}) is different from {found}.",
    )


def latest_is_not_deleted(call: ServiceCall) -> None:
    """AWS: `$LATEST` goes with its function alone (API reference, DeleteFunction, Qualifier)."""
    refuse_if(
        call.text("Qualifier") == "$LATEST",
        INVALID,
        "$LATEST version cannot be deleted without deleting the function.",
    )


def permission_is_possible(call: ServiceCall) -> None:
    """AWS: a statement of a function's policy names a principal, and the policy has 20 KB at most (API
    reference, AddPermission and PolicyLengthExceededException)."""
    principal, function = call.text("Principal"), _function(call)
    valid = re.fullmatch(r"\*|\d{12}|arn:aws[a-z-]*:iam::\d{12}:.+|[a-z0-9.-]+\.[a-z]+", principal)
    policy = json.dumps({"Statement": [{"Principal": {"AWS": principal}}]})
    gone = next(unknown_principals(call, policy), "")
    refuse_if(
        not valid or bool(gone),
        INVALID,
        "The provided principal was invalid. Please check the principal and try again.",
    )
    refuse_if(
        call.text("Qualifier") == "$LATEST",
        INVALID,
        "We currently do not support adding policies for $LATEST.",
    )
    statements = ((function or {}).get("policy") or {}).get("Statement") or []
    size = len(json.dumps(statements).encode()) + len(json.dumps(dict(call.parameters)).encode())
    refuse_if(
        size > POLICY_MOST,
        "PolicyLengthExceededException",
        f"The final policy size ({size}) is bigger than the limit (20480).",
    )


def provisioned_is_possible(call: ServiceCall) -> None:
    """AWS: concurrency is provisioned for a version or an alias, within what is reserved (developer guide,
    "Configuring provisioned concurrency for a function")."""
    refuse_if(
        call.text("Qualifier") in ("", "$LATEST"),
        INVALID,
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
    )
    reserved = (_function(call) or {}).get("concurrency")
    wanted = int(call.parameters.get("ProvisionedConcurrentExecutions") or 0)
    refuse_if(
        reserved is not None and wanted > int(reserved),
        INVALID,
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
        "function",
    )


def payload_is_possible(call: ServiceCall) -> None:
    """AWS: a payload is JSON, and has 6 MB, or 1 MB where nobody waits (developer guide, "Lambda quotas";
    API reference, Invoke)."""
    payload = call.parameters.get("Payload") or b""
    waits = call.text("InvocationType") != "Event"
    most = SYNCHRONOUS_MOST if waits else ASYNCHRONOUS_MOST
    refuse_if(
        len(payload) > most,
        "RequestTooLargeException",
        f"{len(payload)} byte payload is too large for the {'RequestResponse' if waits else 'Event'} "
        f"invocation type (limit {most} bytes)",
        413,
    )
    if payload:
        try:
            parse_json(payload)
        except ValueError as error:
            raise AwsRefusal(
                "InvalidRequestContentException", f"Could not parse request body into json: {error}"
            ) from error


def mapping_is_possible(call: ServiceCall) -> None:
    """AWS: a mapping reads a source that is there, from a place that the kind of source has, with filters
    that are patterns (API reference, CreateEventSourceMapping)."""
    source = call.text("EventSourceArn")
    stream, queue = ":dynamodb:" in source or ":kinesis:" in source, ":sqs:" in source
    start = call.text("StartingPosition")
    refuse_if(stream and not start, INVALID, "1 validation error detected: Value null at 'startingPosition'")
    refuse_if(
        ":dynamodb:" in source and start == "AT_TIMESTAMP",
        INVALID,
        "Unsupported starting position for a DynamoDB stream.",
    )
    refuse_if(queue and bool(start), INVALID, "StartingPosition is not valid for SQS event sources.")
    if ":dynamodb:" in source:
        table = call.module("dynamodb")._tables.get(source.split("/")[1] if "/" in source else "") or {}
        refuse_if(table.get("LatestStreamArn") != source, INVALID, f"Stream not found: {source}")
    age = call.parameters.get("MaximumRecordAgeInSeconds")
    refuse_if(
        age is not None and age != -1 and age < RECORD_AGE_LEAST_S,
        INVALID,
        f"MaximumRecordAgeInSeconds is -1, or {RECORD_AGE_LEAST_S} or more.",
    )
    filters_are_patterns(call)
    function = _function(call)
    for one in call.module("lambda_svc")._esms.values():
        same = one.get("EventSourceArn") == source and function is not None
        refuse_if(
            bool(source) and same and one.get("FunctionArn") == _asked_arn(call),
            "ResourceConflictException",
            f"The event source arn ({source}) and function ({_name(call)}) provided mapping already exists.",
            409,
        )
    if queue and function is not None:
        _queue_fits(call, source, function)


def _asked_arn(call: ServiceCall) -> str:
    named = call.text("FunctionName")
    function = _function(call) or {}
    own = str((function.get("config") or {}).get("FunctionArn", ""))
    _name_only, qualifier = call.module("lambda_svc")._resolve_name_and_qualifier(named)
    return f"{own}:{qualifier}" if qualifier else own


def _queue_fits(call: ServiceCall, source: str, function: Any) -> None:
    sqs = call.module("sqs")
    queue = sqs._queues.get(sqs._queue_name_to_url.get(source.rpartition(":")[2])) or {}
    visible = int((queue.get("attributes") or {}).get("VisibilityTimeout", 30))
    timeout = int(function["config"].get("Timeout", 3))
    refuse_if(
        bool(queue) and visible < timeout,
        INVALID,
        f"Queue visibility timeout: {visible} seconds is less than Function timeout: {timeout} seconds",
    )
    many = int(call.parameters.get("BatchSize") or 10) > QUEUE_BATCH_WITHOUT_WINDOW
    refuse_if(
        many and not call.parameters.get("MaximumBatchingWindowInSeconds"),
        INVALID,
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    )


def filters_are_patterns(call: ServiceCall) -> None:
    """AWS: a filter's pattern is a JSON object, and there are five at most, ten on request (developer guide,
    "Control which events Lambda sends to your function")."""
    filters = call.inner("FilterCriteria").get("Filters") or []
    refuse_if(len(filters) > 5, INVALID, "FilterCriteria has more than 5 filters.")
    for one in filters:
        pattern = json_or_none(one.get("Pattern", "{}"))
        refuse_if(not isinstance(pattern, dict), INVALID, "Invalid filter pattern definition.")


RULES: Rules = joined(
    for_each(("CreateFunction", "TagResource"), tags_are_possible("Tags", INVALID)),
    for_each(("CreateFunction", "UpdateFunctionConfiguration"), role_is_assumable),
    for_each(("CreateFunction", "UpdateFunctionConfiguration"), variables_are_possible),
    for_each(("CreateFunction", "UpdateFunctionConfiguration"), sizes_are_possible),
    for_each(("CreateFunction", "UpdateFunctionConfiguration"), layers_are_few),
    for_each(("CreateFunction", "UpdateFunctionConfiguration"), log_levels_are_for_json),
    for_each(
        (
            *("CreateFunction", "UpdateFunctionConfiguration", "CreateEventSourceMapping"),
            *("UpdateEventSourceMapping", "PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig"),
        ),
        destination_is_there,
    ),
    for_each(("CreateAlias", "UpdateAlias"), alias_leads_to_a_version),
    {
        "AddPermission": (permission_is_possible,),
        "CreateEventSourceMapping": (mapping_is_possible,),
        "CreateFunction": (code_is_there,),
        "DeleteFunction": (latest_is_not_deleted,),
        "Invoke": (payload_is_possible,),
        "PublishVersion": (code_is_the_one,),
        "PutProvisionedConcurrencyConfig": (provisioned_is_possible,),
        "UpdateEventSourceMapping": (filters_are_patterns,),
        "UpdateFunctionCode": (new_code_is_there,),
    },
)
