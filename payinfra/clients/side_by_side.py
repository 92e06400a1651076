"""Questions that are asked at once, each in a thread of its own, and an end to waiting for their answers."""

import time
from collections.abc import Callable, Hashable, Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


def ask_all(questions: Mapping[Key, Callable[[], Answer]], within_s: float) -> dict[Key, Answer | Exception]:
    """Ask everything at once; each answer, or the exception that came instead, in the questions' order.

    Args:
        questions: what to call.
        within_s: seconds after which nothing is waited for any more. What has not answered by then is a
            TimeoutError; its thread is left to end by itself.
    """
    answers: SimpleQueue[tuple[Key, Answer | Exception]] = SimpleQueue()

    def ask(key: Key, question: Callable[[], Answer]) -> None:
        try:
            answers.put((key, question()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this question's answer
            answers.put((key, error))

    ends = time.monotonic() + within_s
    for key, question in questions.items():
        Thread(target=ask, args=(key, question), daemon=True).start()
    found: dict[Key, Answer | Exception] = {}
    while len(found) < len(questions):
        try:
            key, answer = answers.get(timeout=max(0.0, ends - time.monotonic()))
        except Empty:
            break
        found[key] = answer
    late = TimeoutError(f"no answer within {within_s:g} s")
    return {key: found.get(key, late) for key in questions}
