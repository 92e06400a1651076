"""What Parameter Store refuses (Systems Manager API reference, PutParameter and GetParameters; Systems
Manager user guide, "Requirements and constraints for parameter names")."""

import re

from payinfra.local.server.validation.calls import Rules, ServiceCall, for_each, joined, key_state, refuse_if
from payinfra.local.server.validation.tags import tags_are_possible

INVALID = "ValidationException"
STANDARD_MOST, ADVANCED_MOST, LEVELS_MOST = 4096, 8192, 15
SECURE = "SecureString"
OF_AWS = "alias/aws/"
_NAME = re.compile(r"[A-Za-z0-9_.-]+|(/[A-Za-z0-9_.-]+)+")


def name_is_possible(call: ServiceCall) -> None:
    """AWS: a name is a word, or levels that each begin with a slash, of which there are at most 15."""
    name = (
        call.text("Name").partition(":parameter")[2]
        if call.text("Name").startswith("arn:")
        else call.text("Name")
    )
    refuse_if(
        not _NAME.fullmatch(name),
        INVALID,
        "Parameter name must be a fully qualified name: levels begin with a slash, and consist of letters, "
        "numbers and .-_",
    )
    refuse_if(
        name.count("/") > LEVELS_MOST,
        "HierarchyLevelLimitExceededException",
        f"A hierarchy can have a maximum of {LEVELS_MOST} levels.",
    )


def value_is_possible(call: ServiceCall) -> None:
    """AWS: a value has 1 to 4,096 characters, an advanced one 8,192, and matches the parameter's pattern."""
    value, advanced = call.text("Value"), call.text("Tier") in ("Advanced", "Intelligent-Tiering")
    refuse_if(not value, INVALID, "Value at 'value' failed to satisfy constraint: it is empty")
    refuse_if(
        len(value.encode()) > (ADVANCED_MOST if advanced else STANDARD_MOST),
        INVALID,
        "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger "
        "parameter value, upgrade the parameter to use the advanced-parameter tier.",
    )
    refuse_if(
        bool(call.text("Policies")) and not advanced, INVALID, "Policies are for advanced parameters only."
    )
    pattern = call.text("AllowedPattern")
    if pattern:
        try:
            matches = re.search(pattern, value)
        except re.error:
            matches = None
            refuse_if(True, "InvalidAllowedPatternException", f"The pattern {pattern} is not possible.")
        refuse_if(
            not matches,
            "ParameterPatternMismatchException",
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
        )


def type_stays(call: ServiceCall) -> None:
    """AWS: a SecureString stays one, and nothing else becomes one; only it has a key."""
    known = call.module("ssm")._parameters.get(call.text("Name"))
    wanted = call.text("Type") or (known or {}).get("Type", "")
    refuse_if(not wanted, INVALID, "A parameter type is required when you create a parameter.")
    changes = known and SECURE in (known["Type"], wanted) and known["Type"] != wanted
    refuse_if(bool(changes), INVALID, "The parameter type cannot be changed to or from SecureString.")
    refuse_if(
        bool(call.text("KeyId")) and wanted != SECURE,
        INVALID,
        "KeyId is only for parameters of type SecureString.",
    )


def key_is_usable(call: ServiceCall) -> None:
    """AWS: a secret is written and read with a key that is there and enabled (API reference,
    InvalidKeyId)."""
    named = [call.text("Name"), *(str(one) for one in call.entries("Names"))]
    path = call.text("Path").rstrip("/")
    keys = [call.text("KeyId")] if call.operation == "PutParameter" else []
    if call.parameters.get("WithDecryption") is True:
        for name, one in call.module("ssm")._parameters.items():
            asked = name in [each.partition(":")[0] for each in named] or (
                call.operation == "GetParametersByPath" and name.startswith(f"{path}/")
            )
            keys += [str(one.get("KeyId") or "")] if asked and one["Type"] == SECURE else []
    for key in keys:
        if key and OF_AWS not in key:
            state = key_state(call, key)
            refuse_if(state != "Enabled", "InvalidKeyId", f"{key} is {state or 'not there'}.")


def path_begins_with_a_slash(call: ServiceCall) -> None:
    """AWS: a hierarchy begins with a slash (API reference, GetParametersByPath)."""
    refuse_if(
        not call.text("Path").startswith("/"),
        INVALID,
        "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a "
        'forward slash "/".',
    )


def names_differ(call: ServiceCall) -> None:
    """AWS: each parameter is asked for once (API reference, GetParameters)."""
    names = call.entries("Names")
    refuse_if(len(set(names)) < len(names), INVALID, "Duplicate parameter names are not allowed.")


def tagged_parameter_is_there(call: ServiceCall) -> None:
    """AWS: tags are put on what is there (API reference, AddTagsToResource, InvalidResourceId)."""
    refuse_if(
        call.text("ResourceType") == "Parameter"
        and call.text("ResourceId") not in call.module("ssm")._parameters,
        "InvalidResourceId",
        f"The resource ID {call.text('ResourceId')} is not valid.",
    )


TAGS = tags_are_possible("Tags", INVALID, too_many="TooManyTagsError")
RULES: Rules = joined(
    for_each(("PutParameter", "AddTagsToResource"), TAGS),
    for_each(("PutParameter", "GetParameter", "GetParameters", "GetParametersByPath"), key_is_usable),
    {
        "AddTagsToResource": (tagged_parameter_is_there,),
        "GetParameters": (names_differ,),
        "GetParametersByPath": (path_begins_with_a_slash,),
        "PutParameter": (name_is_possible, value_is_possible, type_stays),
    },
)
