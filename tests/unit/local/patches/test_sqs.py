"""A queue's URL is that of the endpoint that it was asked for at; redrive policies are answered compactly."""

import json
from typing import Any


def test_a_queue_is_at_the_port_of_its_region(world: Any) -> None:
    said = {}
    for port in ("127.0.0.1:4601", "127.0.0.1:4602"):
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "AmazonSQS.CreateQueue",
            "host": port,
        }
        answer = world.call("sqs", "POST", "/", json.dumps({"QueueName": "orders"}).encode(), headers)
        said[port] = json.loads(answer.body)["QueueUrl"]
    assert said == {port: f"http://{port}/000000000000/orders" for port in said}


def test_redrive_policies_come_back_without_white_space_and_in_one_order(world: Any) -> None:
    def call(action: str, **wanted: object) -> Any:
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{action}"}
        return json.loads(world.call("sqs", "POST", "/", json.dumps(wanted).encode(), headers).body)

    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 5}
    call("CreateQueue", QueueName="dead")
    spaced = {"RedrivePolicy": json.dumps(dict(reversed(policy.items())), indent=1), "DelaySeconds": "1"}
    url = call("CreateQueue", QueueName="orders", Attributes=spaced)["QueueUrl"]
    answered = call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert answered["RedrivePolicy"] == json.dumps(policy, separators=(",", ":"))
    assert answered["DelaySeconds"] == "1"
