"""The stacks that are judged: every switch, the longest names, and regions of either kind."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from payinfra.core.setting_declarations import ENV_MAX
from payinfra.core.settings import Settings
from payinfra.stacks import cdktf_bindings, synthesize

LONGEST = "n" * ENV_MAX
DOMAIN = "d" * (64 - len(f"failover.payment-{LONGEST}.") - len(".example.com")) + ".example.com"

VARIANTS: Mapping[str, Mapping[str, object]] = {
    "protected": {
        "env": "prod",
        "domain": "pay.example.com",
        "hosted_zone_id": "Z0123456789ABC",
        "alarm_email": "oncall@example.com",
        "reserved_concurrency": 50,
        "keep_source_ip": True,
        "cors_origins": "https://shop.example.com",
    },
    "ephemeral": {"env": "pr-123"},
    "other regions": {"env": "pr-7", "primary_region": "eu-central-1", "secondary_region": "ap-southeast-3"},
    "bounded and locked": {
        "env": "prod",
        "permissions_boundary": "arn:aws:iam::123456789012:policy/payinfra-boundary",
        "object_lock_days": 30,
        "state_bucket": "our-states",
        "role_arn": "arn:aws:iam::123456789012:role/payinfra-ci",
    },
    "longest names": {
        "env": LONGEST,
        "primary_region": "ap-northeast-3",
        "secondary_region": "ap-southeast-7",
        "owner": "o" * 128,
    },
}


def stacks(folder: Path) -> Mapping[str, Any]:
    """Each variant's synthesized stack, made in a folder of its own."""
    cdktf_bindings.prepare()
    made = {}
    for number, (name, values) in enumerate(VARIANTS.items()):
        settings = Settings.resolve({**values, "target": "aws"}, folder=folder, environ={})
        out = synthesize(settings, out=folder / str(number))
        made[name] = json.loads((out / "cdk.tf.json").read_text(encoding="utf-8"))
    return made
