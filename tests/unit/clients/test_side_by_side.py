"""Questions asked at once."""

from threading import Event

from payinfra.clients.side_by_side import ask_all


def test_each_question_has_its_answer_or_its_error() -> None:
    def breaks() -> int:
        raise ValueError("no")

    found = ask_all({"b": breaks, "a": lambda: 1}, 5.0)
    assert list(found) == ["b", "a"]
    assert found["a"] == 1
    assert isinstance(found["b"], ValueError)


def test_what_does_not_answer_in_time_is_not_waited_for() -> None:
    never = Event()
    found = ask_all({"late": never.wait, "early": lambda: True}, 0.05)
    never.set()
    assert found["early"] is True
    assert isinstance(found["late"], TimeoutError)


def test_nothing_asked_is_nothing_answered() -> None:
    assert ask_all({}, 0.0) == {}
