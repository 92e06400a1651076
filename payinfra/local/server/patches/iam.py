"""IAM, as AWS answers it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from payinfra.core.json_text import json_or_none
from payinfra.local.server.ministack import Emulator
from payinfra.local.server.validation.policies import statements_in

Parameters = Mapping[str, Any]
Evaluate = Callable[..., Any]

NO_KEYS = b"<MissingContextValues></MissingContextValues>"


def install(emulator: Emulator) -> None:
    """Apply the patches that reach into the service."""
    iam, evaluator = emulator.service("iam"), emulator.core("iam_evaluator")
    simulate = iam._IAM_HANDLERS["SimulatePrincipalPolicy"]
    emulator.replace(
        iam,
        "_IAM_HANDLERS",
        {
            **iam._IAM_HANDLERS,
            "SimulatePrincipalPolicy": simulation_has_its_context(simulate, evaluator, iam),
        },
    )
    emulator.replace(
        evaluator,
        "_resolve_condition_key",
        session_is_known_by_its_role(evaluator._resolve_condition_key, iam),
    )
    emulator.replace(
        evaluator,
        "evaluate_resource_policy",
        all_others_are_kept_out(evaluator, evaluator.evaluate_resource_policy),
    )
    emulator.replace(
        evaluator,
        "_names_condition_key",
        boundary_may_ask_for_tags(evaluator._names_condition_key, iam),
    )


def all_others_are_kept_out(evaluator: Any, original: Evaluate) -> Evaluate:
    """AWS: a statement that denies with NotPrincipal denies everyone but those whom it names (IAM user guide,
    "AWS JSON policy elements: NotPrincipal"). ministack passes over such a statement."""

    def evaluate(policy: Any, asked: Any, *args: Any, **kwargs: Any) -> Any:
        document = json_or_none(policy) if isinstance(policy, str) else policy
        if not isinstance(document, dict) or "NotPrincipal" not in str(document):
            return original(policy, asked, *args, **kwargs)
        kept = []
        for one in statements_in(document):
            spared = one.get("NotPrincipal")
            if one.get("Effect") == "Deny" and spared is not None:
                named = evaluator._names_caller(spared, asked.principal_arn)
                kept += [] if named else [{**one, "Principal": "*"}]
            else:
                kept.append(one)
        return original({**document, "Statement": kept}, asked, *args, **kwargs)

    return evaluate


def session_is_known_by_its_role(original: Callable[[str, Any], Any], iam: Any) -> Callable[[str, Any], Any]:
    """AWS: for whoever has taken a role on, `aws:PrincipalArn` is the role's ARN (IAM user guide, "AWS global
    condition context keys")."""

    def resolve(key: str, asked: Any) -> Any:
        found = original(key, asked)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in found:
            return found
        role = iam._roles.get(found.split("/")[1]) or {}
        return role.get("Arn", found)

    return resolve


def boundary_may_ask_for_tags(original: Callable[[Any, str], bool], iam: Any) -> Callable[[Any, str], bool]:
    """AWS: a permissions boundary's conditions look at the resource's tags as a role's own do (IAM user
    guide, "Permissions boundaries for IAM entities"). ministack looks the tags up where the role's own
    policies name them, and asks here."""

    def names(policies: Any, prefix: str) -> bool:
        bounded = any(role.get("PermissionsBoundary") for role in iam._roles.values())
        return bounded or original(policies, prefix)

    return names


def simulation_has_its_context(
    original: Callable[[Parameters], Any], evaluator: Any, iam: Any
) -> Callable[[Parameters], Any]:
    """AWS: SimulatePrincipalPolicy judges conditions by the ContextEntries of the call, and by nothing else.

    No tag of the resource is looked up. The permissions boundary counts too, and the answer says which keys
    the statements on this action and resource ask for and the call did not give (IAM API reference,
    SimulatePrincipalPolicy, and MissingContextValues of EvaluationResult).
    """

    def simulate(parameters: Parameters) -> Any:
        context = dict(_context(parameters))
        plain: Evaluate = evaluator.evaluate
        kind, _, name = _first(parameters, "PolicySourceArn").rpartition(":")[2].partition("/")
        store = iam._roles if kind == "role" else iam._users
        missing: list[str] = []

        def evaluate(asked: Any, policies: Any) -> Any:
            asked.service_context = {**asked.service_context, **context}
            limits = evaluator._permissions_boundary(store, name.rpartition("/")[2], asked.principal_account)
            everything = [one for layer in (policies, *limits) for one in layer]
            wanted = keys_not_given(evaluator, asked, everything)
            missing.append("".join(f"<member>{escape(key)}</member>" for key in wanted))
            return plain(asked, policies, *limits)

        # The service imports the evaluator's function at each call, and no call gives way to another.
        evaluator.evaluate = evaluate
        try:
            status, headers, body = original(parameters)
        finally:
            evaluator.evaluate = plain
        first, *members = body.split(NO_KEYS)
        said = (f"<MissingContextValues>{keys}</MissingContextValues>".encode() for keys in missing)
        # Where a principal has no policies at all, none was evaluated.
        return status, headers, first + b"".join(next(said, NO_KEYS) + one for one in members)

    return simulate


def keys_not_given(evaluator: Any, asked: Any, policies: Any) -> list[str]:
    """The condition keys of the statements on an action and a resource that the context has no value of."""
    keys = {
        key: None
        for statements in policies
        for one in statements
        if evaluator._action_matches(asked.action, one.actions, one.not_actions)
        and evaluator._resource_matches(asked.resource_arn, one.resources, one.not_resources)
        for block in one.conditions.values()
        for key in block
    }
    return [key for key in keys if evaluator._resolve_condition_key(key, asked) is None]


def _context(parameters: Parameters) -> Iterator[tuple[str, Any]]:
    """Each key with its one value, or with all of them."""
    entry = 1
    while name := _first(parameters, f"ContextEntries.member.{entry}.ContextKeyName"):
        values: list[str] = []
        while value := _first(
            parameters, f"ContextEntries.member.{entry}.ContextKeyValues.member.{len(values) + 1}"
        ):
            values.append(value)
        yield name.lower(), values[0] if len(values) == 1 else values
        entry += 1


def _first(parameters: Parameters, name: str) -> str:
    """A parameter of a query, which may come as a list."""
    found = parameters.get(name) or ""
    return str(found[0] if isinstance(found, list) else found)
