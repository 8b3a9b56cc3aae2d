"""Decorators: what they take, and what they refuse."""

from datetime import timedelta
from typing import Any

import pytest

import currant
from currant import RetryPolicy, _functions
from currant._durations import milliseconds


def test_settings_are_kept() -> None:
    @currant.task(
        name="take-money", queue="payments", priority=5, retries=7, backoff="500ms", max_backoff="1 min", timeout=30,
        total_timeout="1h", queue_timeout=timedelta(minutes=10), heartbeat="5s",
    )  # fmt: skip
    def charge() -> None:
        """Takes the money."""

    settings, definition = charge.settings, charge._definition
    assert (definition.name, definition.kind, definition.description) == ("take-money", "task", "Takes the money.")
    assert (settings.queue, settings.priority) == ("payments", 5)
    assert settings.retry == RetryPolicy(7, "500ms", 2.0, "1 min")
    limits = settings.timeouts
    assert (limits.attempt, limits.total, limits.queue, limits.heartbeat) == (30_000, 3_600_000, 600_000, 5_000)


def test_without_settings_the_host_decides() -> None:
    @currant.task
    def plain() -> None: ...

    assert plain.settings.retry is None
    assert plain.settings.queue is None


def test_options_of_one_call_add_up() -> None:
    @currant.task(retries=9)
    def charge(amount: int) -> int:
        return amount

    urgent = charge.with_(priority=10, tags=["vip"]).with_(timeout="20s", tags=["november"], retries=1)
    options = urgent(1)
    assert (options.options.priority, options.options.tags, options.options.timeouts.attempt) == (
        10,
        ("vip", "november"),
        20_000,
    )
    assert options.options.retry == RetryPolicy(retries=1)
    assert options.run() == 1
    plain = charge(2)
    assert plain.options.priority is None
    plain.close()


def test_a_function_is_still_a_function() -> None:
    @currant.task
    def double(number: int) -> int:
        """Twice."""
        return 2 * number

    assert double(4).run() == 8
    assert double.__wrapped__(4) == 8
    assert (double.__name__, double.__doc__) == ("double", "Twice.")


def refused(decorate: Any, words: str, kind: type[Exception] = TypeError) -> None:
    with pytest.raises(kind, match=words):
        decorate()


def test_what_cannot_be_a_function_of_a_module_is_refused_where_it_stands() -> None:
    def stars(*values: int) -> None: ...
    def named_only(*, value: int) -> None: ...
    def method(self: Any) -> None: ...
    def not_async() -> None: ...

    refused(lambda: currant.task(stars), "`stars` cannot have the parameter")
    refused(lambda: currant.task(named_only), "Take a dataclass instead")
    refused(lambda: currant.task(method), "`method` is a method")
    refused(lambda: currant.workflow(not_async), "is not async: write `async def`")  # type: ignore[arg-type]
    refused(lambda: currant.task(name="My Task")(not_async), "task name 'My Task'", ValueError)
    refused(lambda: currant.task(queue="A B")(not_async), "queue name 'A B'", ValueError)
    refused(lambda: currant.task(retries=-1)(not_async), "retries=-1", ValueError)
    refused(lambda: currant.task(priority=99999)(not_async), "priority=99999", ValueError)
    refused(lambda: currant.task(timeout="soon")(not_async), "'soon' is not a length of time", ValueError)
    refused(lambda: currant.task(multiplier=0.5)(not_async), "must be at least 1", ValueError)


def test_two_functions_of_one_name_are_both_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_functions, "_registered", [])

    def one() -> None: ...
    def other() -> None: ...

    currant.task(name="same")(one)
    currant.task(name="same")(other)
    with pytest.raises(
        ValueError, match=r"two functions are called `same`: .*test_functions.py:\d+ and .*test_functions.py:\d+"
    ):
        _functions.all_functions()


def test_a_module_without_functions_is_told_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_functions, "_registered", [])
    with pytest.raises(ValueError, match=r"has no functions: mark at least one with `@currant.task`"):
        _functions.all_functions()


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ("30s", 30_000), ("500ms", 500), ("1 day", 86_400_000), ("1h 30m", 5_400_000), ("2 weeks", 1_209_600_000), ("1.5 min", 90_000),
        (30, 30_000), (0.3, 300), (0.0001, 1), (0, 0), (timedelta(minutes=2), 120_000), (timedelta(microseconds=1), 1),
        (float("inf"), 2**63 - 1),
    ],
)  # fmt: skip
def test_lengths_of_time(length: Any, expected: int) -> None:
    assert milliseconds(length) == expected


@pytest.mark.parametrize("length", ["", "soon", "5", "5 parsecs", "-1s", -1, float("nan"), timedelta(seconds=-1)])
def test_what_is_no_length_of_time_is_refused(length: Any) -> None:
    with pytest.raises(ValueError, match="is not a length of time"):
        milliseconds(length)


def test_a_flag_is_no_length_of_time() -> None:
    with pytest.raises(TypeError, match="is not a length of time"):
        milliseconds(True)
