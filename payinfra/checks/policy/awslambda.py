"""Checks of Lambda functions: that the code is there, answers for its errors, and gives nothing away."""

import re
from collections.abc import Iterator
from datetime import date

from payinfra.checks.manifest import Json, Manifest, Missing, Resource, Unreadable, is_literal
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import customer_key
from payinfra.checks.policy.invocation import is_function, open_permissions
from payinfra.checks.policy.lambda_errors import catches
from payinfra.checks.policy.lambda_source import UnreadableSource, handler_of, is_image, refusal
from payinfra.checks.policy.queues import is_kept_at, unprocessed_problems
from payinfra.checks.policy.verdict_helpers import (
    nested,
    pass_unless,
    region_of,
    require_one_of,
    secrets_in_text,
    verdict_for_gap,
)
from payinfra.checks.secret_recognition import is_pointer, look_of, names_secret, secret_in_json

_FUNCTION = "aws_lambda_function"

# AWS Lambda developer guide, "Lambda runtimes": those that are deprecated already.
_DEPRECATED = re.compile(
    r"nodejs(?:\d+\.\d+(?:-edge)?)?|nodejs(?:10|12|14|16|18|20)\.x|python(?:2\.7|3\.(?:6|7|8|9|10))|java8"
    r"|dotnetcore\d\.\d|dotnet(?:5\.0|6|7|8|9)|go1\.x|ruby(?:2\.5|2\.7|3\.2)|provided(?:\.al2)?"
)
_ENDS = {
    "dotnet10": date(2028, 11, 14),
    "java11": date(2027, 6, 30),
    "java17": date(2027, 6, 30),
    "java21": date(2029, 6, 30),
    "java25": date(2029, 6, 30),
    "java8.al2": date(2027, 6, 30),
    "nodejs22.x": date(2027, 4, 30),
    "nodejs24.x": date(2028, 4, 30),
    "provided.al2023": date(2029, 6, 30),
    "python3.11": date(2027, 6, 30),
    "python3.12": date(2028, 10, 31),
    "python3.13": date(2029, 6, 30),
    "python3.14": date(2029, 6, 30),
    "ruby3.3": date(2027, 3, 31),
    "ruby3.4": date(2028, 3, 31),
}
"""When AWS deprecates the others: the same page, "Supported runtimes", https://docs.aws.amazon.com/lambda/
latest/dg/lambda-runtimes.html as of autumn 2026. These are AWS's plans: it moves some of them."""
_WARNED_DAYS = 180
"""How long before a runtime's end a person is told."""
_HARMLESS_ATTRIBUTES = frozenset({"arn", "id", "name", "key_id", "key_arn", "function_name", "alias"})


@check(
    id="PI-LAM-001",
    title="The function's zip exists and holds the handler",
    severity=Severity.CRITICAL,
    on=_FUNCTION,
    risk="The function is created and fails on its first payment.",
    fix="Build the zip before the check, and set handler to a module and function that are in it.",
)
def zip_holds_the_handler(function: Resource, _manifest: Manifest) -> Verdict:
    """Looked up in the zip without running it."""
    if is_image(function):
        return Verdict.not_applicable("its code is a container image")
    found = handler_of(function)
    if isinstance(found, UnreadableSource):
        if found.planned:
            return Verdict.warn(found.why)
        return Verdict.failed(found.why) if found.broken else Verdict.unknown(found.why)
    return Verdict.passed(f"{found.file} has {found.function}")


def _unread(source: UnreadableSource) -> Verdict:
    """The verdict on code that is not there to read: no fault yet where the plan makes it."""
    says = f"the code cannot be read: {source.why}"
    return Verdict.warn(says) if source.planned else Verdict.unknown(says)


@check(
    id="PI-LAM-002",
    title="The handler catches what its calls and its input can raise",
    severity=Severity.MEDIUM,
    on=_FUNCTION,
    risk="Callers get a bare 502 and the reason is lost; a client that retries blindly may pay twice.",
    fix="Catch ClientError around AWS calls and ValueError around parsing, or register an exception handler.",
)
def handler_catches_errors(function: Resource, _manifest: Manifest) -> Verdict:
    """Judged by the syntax; an `except` that does nothing, or is not around what can fail, does not count."""
    if is_image(function):
        return Verdict.not_applicable("its code is a container image")
    handler = handler_of(function)
    if isinstance(handler, UnreadableSource):
        return _unread(handler)
    found = catches(handler)
    if found.missing:
        return Verdict.failed(f"{handler.file} does not catch: {', '.join(found.missing)}")
    caught = ", ".join(sorted(found.caught)) or "nothing itself, what it is called by does"
    return Verdict.passed(f"{handler.file} catches {caught}")


@check(
    id="PI-LAM-003",
    title="The handler can refuse a request with a 4xx",
    severity=Severity.MEDIUM,
    on=_FUNCTION,
    risk="A client's mistake looks like a failure: alarms fire, and clients retry what can never work.",
    fix="Answer bad input with 400, 404, 409 or 422.",
)
def handler_has_a_client_error(function: Resource, _manifest: Manifest) -> Verdict:
    """Looked for in the handler's module, then in the modules of its own that it imports."""
    if is_image(function):
        return Verdict.not_applicable("its code is a container image")
    handler = handler_of(function)
    if isinstance(handler, UnreadableSource):
        return _unread(handler)
    found = refusal(handler)
    if found is None:
        return Verdict.failed(f"nothing that {handler.file} uses answers with a 4xx")
    return Verdict.passed(f"{found.file}:{found.line} answers with {found.status}")


@check(
    id="PI-LAM-004",
    title="A function's environment is encrypted with a customer key and holds no secret",
    severity=Severity.HIGH,
    on=_FUNCTION,
    risk="Whoever may look at a function's configuration reads its secrets.",
    fix="Set kms_key_arn, and pass the name of an SSM parameter instead of a secret.",
)
def environment_is_safe(function: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Names, values and where the values come from are looked at."""
    environment = nested(function, "environment")
    if isinstance(environment, Unreadable):
        return (Verdict.unknown(environment.why),)
    if not environment:
        return (Verdict.not_applicable("it has no environment"),)
    found = list(
        customer_key(function, "kms_key_arn", manifest, region=region_of(function), what="the environment")
    )
    for block in environment:
        variables = block.mapping("variables")
        if isinstance(variables, Missing):
            continue
        if isinstance(variables, Unreadable):
            found.append(Verdict.unknown(variables.why))
            continue
        for name, value in variables.items():
            found += _secret(name, value, manifest)
    return pass_unless(found)


def _secret(name: str, value: Json, manifest: Manifest) -> Iterator[Verdict]:
    """Why a variable looks like a secret; its value is never shown."""
    if not isinstance(value, str):
        if not isinstance(value, bool | int | float):
            yield Verdict.unknown(f"the variable {name} is no text")
        return
    references = manifest.references(value)
    held = secrets_in_text(manifest, value)
    if held:
        yield Verdict.failed(f"{name} holds the secret {held[0]}")
        return
    look = look_of(value)
    if look:
        yield Verdict.failed(f"the value of {name} looks like a secret: {look}")
        return
    inside = secret_in_json(value)
    if inside:
        yield Verdict.failed(f"the value of {name} has a secret under {inside!r}")
        return
    if not names_secret(name):
        return
    if is_literal(value):
        if not is_pointer(value):
            yield Verdict.failed(f"{name} is named as a secret and holds a literal")
    elif not references or any(one.attribute not in _HARMLESS_ATTRIBUTES for one in references):
        yield Verdict.unknown(f"{name} is named as a secret, and what it holds is not known")


@check(
    id="PI-LAM-005",
    title="A function's runtime is not deprecated",
    severity=Severity.MEDIUM,
    on=_FUNCTION,
    risk="AWS stops patching the runtime, then refuses to create and to update the function.",
    fix="Move to a runtime that AWS supports.",
)
def runtime_is_supported(function: Resource, manifest: Manifest) -> Verdict:
    """By the dates that AWS published; a runtime that has none is unknown."""
    if is_image(function):
        return Verdict.not_applicable("its code is a container image")
    match function.text("runtime"):
        case Unreadable() as gap:
            return verdict_for_gap(gap, "it names no runtime")
        case runtime if _DEPRECATED.fullmatch(runtime):
            return Verdict.failed(f"{runtime} is deprecated")
        case runtime if runtime in _ENDS:
            return _until(runtime, _ENDS[runtime], manifest.day)
        case runtime:
            return Verdict.unknown(f"{runtime!r} is not among the runtimes known here")


def _until(runtime: str, end: date, day: date) -> Verdict:
    if day >= end:
        return Verdict.failed(f"{runtime} is deprecated since {end.isoformat()}")
    left = (end - day).days
    if left <= _WARNED_DAYS:
        days = "1 day" if left == 1 else f"{left} days"
        return Verdict.warn(f"AWS deprecates {runtime} on {end.isoformat()}, in {days}")
    return Verdict.passed()


@check(
    id="PI-LAM-006",
    title="Only named callers may call a function",
    severity=Severity.HIGH,
    on="aws_lambda_permission",
    risk="Anyone, or any account through the same service, may run the function with an event of their own.",
    fix="Set principal to the caller, and source_arn or source_account where it is a service.",
)
def callers_are_named(permission: Resource, _manifest: Manifest) -> tuple[Verdict, ...]:
    """A service calls for whoever uses it, in any account, unless the source is named."""
    return pass_unless(open_permissions(permission))


_TRACED = {
    "aws_api_gateway_stage": ("xray_tracing_enabled", "true"),
    "aws_lambda_function": ("tracing_config.mode", "Active"),
    "aws_sfn_state_machine": ("tracing_configuration.enabled", "true"),
}


@check(
    id="PI-LAM-007",
    title="Functions, stages and state machines are traced",
    severity=Severity.LOW,
    on=tuple(_TRACED),
    risk="Nobody can tell which of the calls behind a slow or failed payment took the time.",
    fix='Set tracing_config.mode to "Active", and turn tracing on for stages and state machines.',
)
def calls_are_traced(resource: Resource, _manifest: Manifest) -> tuple[Verdict, ...]:
    """PassThrough traces only what a caller traces already."""
    path, wanted = _TRACED[resource.type]
    return pass_unless(require_one_of(resource, path, (wanted,), "it is not traced"))


_STREAM = re.compile(r":(?:dynamodb|kinesis|kafka):|stream_arn|aws_(?:kinesis_stream|msk_)")
"""What has failure destinations. Brokers of Amazon MQ and clusters of DocumentDB have none."""

_EVENTS = re.compile(
    r"(?:codecommit|config|events|iot|logs(?:\.[a-z0-9-]+)?|s3|scheduler|ses|sns)\.amazonaws\.com"
)
"""Services that call a function without waiting for its answer. Source: AWS Lambda developer guide, "Invoking
Lambda with events from other AWS services"."""


@check(
    id="PI-LAM-008",
    title="What a function fails to process is kept",
    severity=Severity.MEDIUM,
    on=(_FUNCTION, "aws_lambda_event_source_mapping"),
    risk="An event that the function cannot process is dropped after its retries, and nobody knows of it.",
    fix="Set dead_letter_config, or an on_failure destination, and bounded retries on streams.",
)
def failures_are_kept(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Functions that events call without waiting, and mappings of streams; a queue has its own rule."""
    if resource.type != _FUNCTION:
        source = resource.template("event_source_arn")
        reads = isinstance(source, str) and _STREAM.search(source) is not None
        # Lambda wants to know where to begin of every stream, and of no queue.
        reads = reads or any(
            resource.has(path) for path in ("self_managed_event_source", "starting_position")
        )
        if not reads or resource.has("document_db_event_source_config"):
            return (Verdict.not_applicable("it reads no stream"),)
        return pass_unless(unprocessed_problems(resource))
    senders = [
        principal
        for one in _about(resource, "aws_lambda_permission", manifest)
        if isinstance(principal := one.text("principal"), str) and _EVENTS.fullmatch(principal)
    ]
    if not senders:
        return (Verdict.not_applicable("no event calls it without waiting"),)
    kept = [
        is_kept_at(resource, "dead_letter_config", "target_arn"),
        *(
            is_kept_at(one, "destination_config.on_failure", "destination")
            for one in _about(resource, "aws_lambda_function_event_invoke_config", manifest)
        ),
    ]
    if True in kept:
        return (Verdict.passed(),)
    gap = next((one for one in kept if isinstance(one, Unreadable)), None)
    if gap is not None:
        return (Verdict.unknown(gap.why),)
    return (Verdict.failed(f"{senders[0]} calls it, and it has no dead_letter_config"),)


def _about(function: Resource, kind: str, manifest: Manifest) -> Iterator[Resource]:
    """The resources of a kind that name a function: it or its alias by reference, its name, or its ARN."""
    aliases = manifest.users(function, "aws_lambda_alias", "function_name")
    for named in (function, *aliases):
        yield from manifest.users(named, kind, "function_name")
    for one in manifest.all(kind):
        who = one.text("function_name")
        if not one.references("function_name") and isinstance(who, str) and is_function(who, function):
            yield one
