"""The URLs of queues."""

from payinfra.local.server.ministack import Emulator


def install(emulator: Emulator) -> None:
    """Makes the correction."""
    # AWS: a queue's URL names the endpoint of its region (SQS developer guide, "Queue and message
    # identifiers"). ministack would name one host and port for all regions; without it, it names the endpoint
    # that it was asked at, which is one region's here.
    emulator.replace(emulator.service("sqs"), "_HOST_EXPLICIT", False)
