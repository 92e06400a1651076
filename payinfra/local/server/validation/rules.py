"""The rules of every service, by service and operation."""

from collections.abc import Mapping

from payinfra.local.server.validation.calls import Rules

RULES: Mapping[str, Rules] = {}
