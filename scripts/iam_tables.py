"""Writes the tables about IAM that the policy checks carry.

python -m scripts.iam_tables [FILE]

Actions and ARNs come from the installed policy_sentry, which carries AWS's Service Authorization Reference.
AWS's own policies come from FILE, the module `moto/iam/aws_managed_policies.py` of moto (5.2.5 was taken),
which carries what `aws iam get-policy-version` answers; without FILE their table stays as it is.
"""

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import policy_sentry

from payinfra.checks.manifest import Manifest, PolicyDocument, Statement
from payinfra.checks.policy.iam_tables import ACTIONS, ARNS, FOLDER, MANAGED, ManagedPolicy
from payinfra.checks.policy.policy_breadth import is_wide, narrower_actions, whole_services
from payinfra.checks.policy.policy_conditions import matches

_NOTE = "# Written by `python -m scripts.iam_tables` from policy_sentry; changes are lost.\n"
_SERVICE_LINKED = "/aws-service-role/"
TELEMETRY = frozenset(
    {
        "cloudwatch:putmetricdata",
        "ec2:assignprivateipaddresses",
        "ec2:createnetworkinterface",
        "ec2:deletenetworkinterface",
        "ec2:describenetworkinterfaces",
        "ec2:describesubnets",
        "ec2:unassignprivateipaddresses",
        "ecr:batchchecklayeravailability",
        "ecr:batchgetimage",
        "ecr:getdownloadurlforlayer",
        "logs:createloggroup",
        "logs:createlogstream",
        "logs:describeloggroups",
        "logs:describelogstreams",
        "logs:putlogevents",
        "logs:putretentionpolicy",
    }
)
"""What a role of AWS's may do everywhere and still reads nobody's data: it writes its own logs, metrics and
network interfaces, and reads images."""
_ENOUGH = frozenset({"AmazonAPIGatewayPushToCloudWatchLogs"})
"""Wider than need be, and the only one that AWS offers for the purpose."""


def definition() -> Mapping[str, Any]:
    """The Service Authorization Reference, by the prefixes of its services."""
    file = Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json"
    data: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return {prefix: one for prefix, one in data.items() if "privileges" in one}


def actions_table(services: Mapping[str, Any]) -> str:
    """One line a service: prefix, actions that take every resource only, the others."""
    lines = []
    for prefix, service in sorted(services.items()):
        every: list[str] = []
        narrow: list[str] = []
        for name, action in service["privileges"].items():
            (narrow if any(action["resource_types"]) else every).append(name.lower())
        lines.append("\t".join((prefix, " ".join(sorted(every)), " ".join(sorted(narrow)))))
    return _NOTE + "\n".join(lines) + "\n"


def arns_table(services: Mapping[str, Any]) -> str:
    """One line a service as ARNs name it: the forms of its ARNs with `$` for what is free."""
    forms: dict[str, set[str]] = {}
    for service in services.values():
        for resource in service["resources"].values():
            parts = str(resource["arn"]).split(":", 3)
            if len(parts) == 4 and parts[0] == "arn" and "$" not in parts[2]:
                forms.setdefault(parts[2], set()).add(_dollars(parts[3]))
    lines = (f"{name}\t{' '.join(sorted(found))}" for name, found in sorted(forms.items()))
    return _NOTE + "\n".join(lines) + "\n"


def _dollars(form: str) -> str:
    parts = form.split("${")
    return parts[0] + "".join("$" + part.partition("}")[2] for part in parts[1:])


def managed_table(module: str) -> str:
    """What each of AWS's own policies allows, from the text of moto's module."""
    (data,) = (
        node.value
        for node in ast.walk(ast.parse(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lstrip()[:1] == "{"
    )
    policies = {
        name: judged
        for name, policy in sorted(json.loads(data).items())
        if policy["Path"] != _SERVICE_LINKED
        for judged in (judge(name, policy["Document"]),)
    }
    lines = ",\n".join(
        f"    {json.dumps(name)}: {json.dumps([one.whole_service, one.every_resource, one.uses_keys])}"
        for name, one in policies.items()
    )
    note = "Written by `python -m scripts.iam_tables` from moto's copy of AWS's policies; changes are lost."
    return f'{{\n  "note": {json.dumps(note)},\n  "policies": {{\n{lines}\n  }}\n}}\n'


def judge(name: str, document: object) -> ManagedPolicy:
    """What one policy allows."""
    policy = Manifest.from_json({}).policy_of(json.dumps(document), name)
    if not isinstance(policy, PolicyDocument):
        raise TypeError(f"{name}: {policy.why}")
    allowing = [statement for statement in policy.statements if statement.allows]
    whole = next((one for statement in allowing for one in _whole(statement)), "")
    every = "" if name in _ENOUGH else next((one for each in allowing for one in _every(each)), "")
    keys = any(
        matches(pattern, "kms:decrypt", fold=True) or pattern.lower().startswith("kms:")
        for statement in allowing
        for pattern in statement.actions
    )
    return ManagedPolicy(whole, every, keys or any(statement.not_actions for statement in allowing))


def _whole(statement: Statement) -> Iterator[str]:
    if statement.not_actions:
        yield "*"
    yield from whole_services(statement)


def _every(statement: Statement) -> Iterator[str]:
    if any(map(is_wide, statement.resources)) or statement.not_resources:
        yield from (
            one.action
            for one in narrower_actions(statement)
            if not one.partly and one.action.lower() not in TELEMETRY
        )


def main() -> None:
    """Write the tables."""
    services = definition()
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ACTIONS).write_text(actions_table(services), encoding="utf-8")
    (FOLDER / ARNS).write_text(arns_table(services), encoding="utf-8")
    if len(sys.argv) > 1:
        (FOLDER / MANAGED).write_text(
            managed_table(Path(sys.argv[1]).read_text(encoding="utf-8")), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
