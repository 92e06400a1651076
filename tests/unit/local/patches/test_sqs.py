"""A queue's URL is that of the endpoint that it was asked for at."""

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
