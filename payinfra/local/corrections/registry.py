"""All corrections, in the order in which they are made."""

from payinfra.local.app import Correction
from payinfra.local.emulator import Emulator

WIRE: tuple[Correction, ...] = ()
"""Those that look at one request and its answer, and at nothing else."""


def install(emulator: Emulator) -> tuple[Correction, ...]:
    """Makes those that reach into a service, and gives those that work on its answers."""
    del emulator
    return WIRE
