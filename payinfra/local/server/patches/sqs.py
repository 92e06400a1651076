"""The URLs of queues, and how their redrive policies are answered."""

import json
from collections.abc import Callable
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.server.ministack import Emulator

GET = "GetQueueAttributes"
REDRIVE = ("RedrivePolicy", "RedriveAllowPolicy")
Action = Callable[[dict[str, Any], str], dict[str, Any]]


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    sqs = emulator.service("sqs")
    # AWS: a queue's URL names the endpoint of its region (SQS developer guide, "Queue and message
    # identifiers"). ministack would name one host and port for all regions; without it, it names the endpoint
    # that it was asked at, which is one region's here.
    emulator.replace(sqs, "_HOST_EXPLICIT", False)
    emulator.replace(
        sqs, "_HANDLERS", {**sqs._HANDLERS, GET: redrive_policies_are_compact(sqs._HANDLERS[GET])}
    )


def redrive_policies_are_compact(original: Action) -> Action:
    """AWS: answers them as JSON without white space, in one order, however they were set.

    Terraform's provider compares them as texts: one that comes back as it was written looks changed. Source:
    AWS CLI command reference, "sqs get-queue-attributes", the example's output.
    """

    def get(wanted: dict[str, Any], url: str) -> dict[str, Any]:
        answer = original(wanted, url)
        attributes = dict(answer["Attributes"])
        for name in REDRIVE:
            if name in attributes:
                policy = parse_json(attributes[name])
                attributes[name] = json.dumps(policy, separators=(",", ":"), sort_keys=True)
        return {**answer, "Attributes": attributes}

    return get
