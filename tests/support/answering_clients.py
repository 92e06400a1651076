"""Clients of AWS whose every operation is a question to the environment that a test has made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from payinfra.clients.aws import Aws


class AnswersCalls(Protocol):
    """What a test's environment says to a call; it raises what a client would."""

    def answer(self, service: str, operation: str, region: str, call: dict[str, Any]) -> Any:
        """The answer; a list for a paginator's pages."""
        ...


@dataclass(frozen=True)
class AnsweringAws(Aws):
    """Clients that give an environment's answers."""

    fake: Any = None

    def client(self, service: str, region: str) -> Any:
        return AnsweringClient(self.fake, service, region)

    def s3_without_tls(self, region: str) -> Any:
        return AnsweringClient(self.fake, "s3-plain", region)


@dataclass(frozen=True)
class AnsweringClient:
    """One client: every operation is a question to the environment."""

    fake: AnswersCalls
    service: str
    region: str

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **call: self.fake.answer(self.service, operation, self.region, call)

    def get_paginator(self, operation: str) -> "AnsweringPaginator":
        return AnsweringPaginator(self, operation)


@dataclass(frozen=True)
class AnsweringPaginator:
    """A paginator of one page, or of those that the answer is a list of."""

    client: AnsweringClient
    operation: str

    def paginate(self, **call: Any) -> list[Any]:
        call.pop("PaginationConfig", None)
        answer = getattr(self.client, self.operation)(**call)
        return answer if isinstance(answer, list) else [answer]
