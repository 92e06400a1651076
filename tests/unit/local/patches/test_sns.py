"""An address gets nothing before its owner has confirmed it."""

import logging
import re
from typing import Any
from urllib.parse import urlencode

import pytest


def sns(world: Any, **wanted: str) -> str:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = world.call("sns", "POST", "/", urlencode(wanted).encode(), headers)
    assert answer.status == 200, answer
    return bytes(answer.body).decode()


@pytest.fixture
def topic(world: Any) -> str:
    return str(re.findall("<TopicArn>(.*?)<", sns(world, Action="CreateTopic", Name="alarms"))[0])


def listed(world: Any, topic: str) -> list[str]:
    said = sns(world, Action="ListSubscriptionsByTopic", TopicArn=topic)
    arns = re.findall("<SubscriptionArn>(.*?)<", said)
    assert re.findall("<SubscriptionArn>(.*?)<", sns(world, Action="ListSubscriptions")) == arns
    return arns


@pytest.mark.parametrize("asked", ["true", "false"])
def test_an_address_is_pending_until_its_token_comes_back(
    world: Any, topic: str, asked: str, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = {"Action": "Subscribe", "TopicArn": topic, "Protocol": "email", "Endpoint": "ops@example.com"}
    with caplog.at_level(logging.WARNING):
        made = sns(world, **wanted, ReturnSubscriptionArn=asked)
    said = re.findall("<SubscriptionArn>(.*?)<", made)
    assert (said == ["pending confirmation"]) is (asked == "false")
    assert listed(world, topic) == ["PendingConfirmation"]
    (token,) = re.findall("with the token (.+)\\.", caplog.text)
    sns(world, Action="ConfirmSubscription", TopicArn=topic, Token=token)
    (arn,) = listed(world, topic)
    assert arn.startswith(f"{topic}:")


def test_a_queue_needs_no_confirmation(world: Any, topic: str) -> None:
    queue = "arn:aws:sqs:us-east-1:000000000000:alarms"
    sns(world, Action="Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=queue)
    assert listed(world, topic)[0].startswith(f"{topic}:")
