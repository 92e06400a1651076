"""The JSON documents on stdout: one convention, and the shape of each.

Every document says in `schema` what it is and in `version` which edition of that: `payinfra/plan-1` is
version 1 of a plan. A new field is no new version; one that goes, or changes its meaning, is. What is a
list, or lines, has both marks in each element. Two say otherwise, because they did before there was a
convention: `payinfra version` says payinfra's own version in `version`, and `local env` prints variables,
which are all that is in it.

The shapes below become JSON Schema files in docs/schemas. A test holds what every renderer writes against
them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast


@dataclass(frozen=True)
class MapOf:
    """An object whose names are data; each value has this shape."""

    values: object


@dataclass(frozen=True)
class Optional:
    """This shape, or null."""

    shape: object


@dataclass(frozen=True)
class Occasional:
    """A field with this shape, which is left out where there is nothing to say."""

    shape: object


ANYTHING = object
"""Whatever it is: a value of Terraform's, or what a function answered."""

_ATTRIBUTE = {
    "path": str,
    "before": ANYTHING,
    "after": ANYTHING,
    "known": bool,
    "sensitive": bool,
    "replaces": bool,
}
_CHANGE = {
    "address": str,
    "type": str,
    "action": str,
    "reason": str,
    "service": str,
    "region": Optional(str),
    "attributes": [_ATTRIBUTE],
}
_PLAN = {
    "summary": {"add": int, "change": int, "destroy": int},
    "has_changes": bool,
    "first": bool,
    "changes": [_CHANGE],
    "costs": Optional(
        {"currency": str, "monthly_now": float, "monthly_then": float, "not_priced": Occasional(MapOf(int))}
    ),
    "outputs": [{"name": str, "action": str, "sensitive": bool}],
}
_NAME = {
    "name": str,
    "answers": [{"server": str, "region": str, "data": [str], "ttl_s": ANYTHING}],
}
_KEY = Optional({"id": str, "created": Optional(str)})
_DRILL = {
    "id": str,
    "began": str,
    "scenarios": [str],
    "reverse": bool,
    "time_scale": float,
    "passed": bool,
    "resilience": str,
    "restored": str,
    "measured_s": Optional(float),
    "predicted_s": float,
    "objective_s": float,
}
_RULE = {
    "id": str,
    "severity": str,
    "title": str,
    "risk": str,
    "fix": str,
    "controls": [str],
    "types": [str],
}
_CONFLICTING = {
    "fingerprint": str,
    "timestamp": int,
    "amount": ANYTHING,
    "currency": str,
    "customer_id": str,
    "status": str,
    "region": str,
    "holds_key": bool,
}

SHAPES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "stack": {
            "folder": str,
            "total": int,
            "resources": [{"service": str, "region": str, "count": int}],
        },
        "plan": _PLAN,
        "deployment": {
            "environment": str,
            "target": str,
            "plan": _PLAN,
            "outputs": MapOf(str),
            "payments": [{"written_in": str, "read_in": str, "payment_id": str, "lag_s": float}],
            "verified": MapOf(int),
            "seconds": float,
        },
        "destruction": {"environment": str, "destroyed": int, "seconds": float},
        "adoption": {
            "environment": str,
            "target": str,
            "adopted": [{"address": str, "id": str}],
            "refused": [{"address": str, "reason": str}],
            "left_over": [str],
            "plan": _PLAN,
            "outputs": Optional(MapOf(str)),
            "seconds": float,
        },
        "outputs": {"primary_region": str, "secondary_region": str},
        "settings": {"env": {"value": str, "from": str}},
        "status": {
            "environment": str,
            "target": str,
            "failover_domain": str,
            "names": [
                {
                    "name": str,
                    "leads_to": [str],
                    "answers": [str],
                    "ttl_s": int,
                    "name_servers": int,
                    "unknown": str,
                }
            ],
            "failback": str,
            "delegation": Optional(
                {
                    "zone": str,
                    "name_servers": [str],
                    "hosted_zone_name_servers": [str],
                    "problem": str,
                }
            ),
            "deployed": Optional(str),
            "drill": Optional(_DRILL),
            "unrestored": [str],
            "next_steps": [str],
            "regions": [
                {
                    "region": str,
                    "role": str,
                    "answers": bool,
                    "flag": Optional({"region": str, "since": str, "by": str}),
                    "endpoint": str,
                    "checkers": int,
                    "healthy": int,
                    "ringing": [str],
                    "unknown": [str],
                }
            ],
        },
        "drills": {
            "drills": [_DRILL],
            "trends": [
                {
                    "kind": str,
                    "measured_s": [float],
                    "latest_s": float,
                    "usual_s": Optional(float),
                    "predicted_s": float,
                }
            ],
            "skipped": [{"id": str, "reason": str}],
        },
        "restored": {
            "restored": [
                {
                    "drill": str,
                    "whole": bool,
                    "undone": [str],
                    "left": [str],
                    "problem": str,
                    "payments": Optional(
                        {
                            "sent": int,
                            "acknowledged": int,
                            "removed": int,
                            "not_removed": [str],
                            "fates": MapOf(int),
                        }
                    ),
                }
            ]
        },
        "evacuation": {
            "environment": str,
            "evacuated": str,
            "survivor": str,
            "since": ANYTHING,
            "by": str,
            "moved": bool,
            "seconds": float,
            "moves_within_s": float,
            "forgotten_within_s": float,
            "page": ANYTHING,
            "health": ANYTHING,
            "names": [_NAME],
            "capacity": [{"what": str, "limit": str, "needed": str, "enough": Optional(bool)}],
        },
        "return": {
            "environment": str,
            "region": str,
            "survivor": str,
            "evacuated_since": ANYTHING,
            "lifted": bool,
            "back": bool,
            "seconds": float,
            "latency_s": Optional(float),
            "payments": Optional(int),
            "open": [{"payment_id": str, "what": str, "next_step": str}],
            "not_copied": Optional(int),
            "names": [_NAME],
        },
        "payment": {
            "environment": str,
            "region": str,
            "request": {
                "method": str,
                "url": str,
                "idempotency_key": str,
                "api_key_parameter": str,
                "body": MapOf(ANYTHING),
            },
            "answers": [
                {
                    "status": int,
                    "seconds": float,
                    "region": Optional(str),
                    "replayed": bool,
                    "body": ANYTHING,
                }
            ],
        },
        "log-event": {"time": str, "region": str, "group": str, "stream": str, "message": str},
        "reconciliation": {
            "environment": str,
            "from": str,
            "to": str,
            "payments": int,
            "missing": [str],
            "written": [str],
            "not_copied": MapOf([str]),
        },
        "conflicts": {"conflicts": [{"payment_id": str, "payments": [_CONFLICTING]}]},
        "resolution": {"payment_id": str, "kept": str},
        "environments": {
            "account": str,
            "target": str,
            "regions": [str],
            "environments": [
                {
                    "environment": str,
                    "owner": Optional(str),
                    "regions": [str],
                    "state": str,
                    "lacks": [str],
                    "protection": str,
                    "created": Optional(str),
                    "age_s": Optional(float),
                    "resources": int,
                    "costs": MapOf(int),
                    "monthly_usd": float,
                    "not_priced": Occasional(MapOf(int)),
                    "unknown": [str],
                }
            ],
            "departing_keys": int,
            "unknown": [str],
        },
        "reaped": {
            "dry_run": bool,
            "environments": [
                {
                    "environment": str,
                    "age_s": Optional(float),
                    "fate": str,
                    "why": str,
                    "next": str,
                    "resources": int,
                }
            ],
        },
        "key-rotation": {
            "environment": str,
            "stage": str,
            "regions": [{"region": str, "current": _KEY, "next": _KEY, "former": _KEY}],
        },
        "key-removal": {"environment": str, "removed": MapOf(str)},
        "local": {
            "running": bool,
            "endpoints": MapOf(str),
            "dns": Optional(str),
            "https": MapOf({"address": str, "listens": str}),
            "authority": Optional(str),
            "pid": Optional(int),
            "faults": [MapOf(ANYTHING)],
        },
        "local-trust": {
            "authority": str,
            "dns": str,
            "domains": [{"name": str, "region": str, "address": str, "listens": str}],
        },
        "local-zone": {"id": str, "domain": str, "made": bool},
        "local-rules": {},
        "fault": {"id": str, "kind": str, "since": str},
        "doctor": {
            "targets": MapOf(bool),
            "findings": [
                {
                    "name": str,
                    "good": bool,
                    "known": bool,
                    "found": str,
                    "needed": str,
                    "fix": str,
                    "targets": [str],
                }
            ],
        },
        "project-files": {"dry_run": bool, "files": [{"path": str, "deed": str, "why": str}]},
        "account-changes": {"dry_run": bool, "changes": [str]},
        "role": {
            "role_name": str,
            "role_arn": str,
            "trust_policy": MapOf(ANYTHING),
            "policies": MapOf(ANYTHING),
        },
        "checks": {"checks": [_RULE]},
        "explanation": {**_RULE, "judges": str, "within_s": Optional(float), "docs": str},
        "version": {"version": str},
    }
)
"""Each document by its name, without its marks. Fields may be added to what is listed."""

VERSIONS: Mapping[str, int] = MappingProxyType({})
"""Versions above 1."""

ELSEWHERE: Mapping[str, str] = MappingProxyType({"findings-1": "findings-1.json", "drill-2": "drill-2.json"})
"""Documents whose schema is a file of its own in `payinfra/report/schemas`."""

COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "synth": ("stack-1",),
        "plan": ("plan-1",),
        "deploy": ("deployment-1",),
        "verify": ("findings-1",),
        "status": ("status-1",),
        "destroy": ("destruction-1",),
        "adopt": ("adoption-1",),
        "outputs": ("outputs-1",),
        "settings": ("settings-1",),
        "failover-drill": ("drill-2", "restored-1"),
        "evacuate": ("evacuation-1",),
        "return": ("return-1",),
        "drills list": ("drills-1",),
        "drills show": ("drill-2",),
        "check": ("findings-1",),
        "checks list": ("checks-1",),
        "checks explain": ("checks-1",),
        "explain": ("explanation-1",),
        "pay": ("payment-1",),
        "logs": ("log-event-1",),
        "audit reconcile": ("reconciliation-1",),
        "conflicts list": ("conflicts-1",),
        "conflicts resolve": ("resolution-1",),
        "envs": ("environments-1",),
        "reap": ("reaped-1",),
        "rotate-key": ("key-rotation-1", "key-removal-1"),
        "doctor": ("doctor-1",),
        "init": ("project-files-1",),
        "version": ("version-1",),
        "bootstrap": ("account-changes-1",),
        "ci-role": ("account-changes-1", "role-1"),
        "local up": ("local-1",),
        "local status": ("local-1",),
        "local env": (),
        "local trust": ("local-trust-1",),
        "local zone": ("local-zone-1",),
        "local rules": ("local-rules-1",),
        "local fault list": ("fault-1",),
        "local fault inject": ("fault-1",),
        "local fault clear": ("fault-1",),
    }
)
"""What each command writes with `--format json`."""


def document(name: str, fields: Mapping[str, object]) -> dict[str, object]:
    """A document of a kind, with its marks first."""
    version = VERSIONS.get(name, 1)
    return {"schema": f"payinfra/{name}-{version}", "version": version, **fields}


def schemas() -> Mapping[str, dict[str, object]]:
    """The JSON Schema of each shape, by the document's name with its version."""
    return {f"{name}-{VERSIONS.get(name, 1)}": _published(name, shape) for name, shape in SHAPES.items()}


_PROMISE = "Fields may be added within this version; none is renamed, removed or given another meaning."


def _published(name: str, shape: Mapping[str, object]) -> dict[str, object]:
    version = VERSIONS.get(name, 1)
    marks = {"schema": {"const": f"payinfra/{name}-{version}"}, "version": {"const": version}}
    fields = _schema(shape)
    own = cast(dict[str, object], fields["properties"])
    writers = [
        f"`payinfra {command}`" for command, written in COMMANDS.items() if f"{name}-{version}" in written
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:payinfra:{name}:{version}",
        "title": f"What {', '.join(writers)} write{'s' if len(writers) == 1 else ''} with --format json",
        "description": _PROMISE,
        "type": "object",
        "required": ["schema", "version", *(one for one in shape if one != "version")],
        "properties": {**marks, **own},
    }


_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _schema(shape: object) -> dict[str, object]:
    match shape:
        case Optional(inner):
            return {"anyOf": [_schema(inner), {"type": "null"}]}
        case Occasional(inner):
            return _schema(inner)
        case MapOf(values):
            return {"type": "object", "additionalProperties": _schema(values)}
        case [element]:
            return {"type": "array", "items": _schema(element)}
        case Mapping():
            return {
                "type": "object",
                "required": [name for name, one in shape.items() if not isinstance(one, Occasional)],
                "properties": {name: _schema(one) for name, one in shape.items()},
            }
        case type() if shape in _PLAIN:
            return {"type": _PLAIN[shape]}
        case _:
            return {}
