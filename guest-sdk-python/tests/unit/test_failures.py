"""The tree of exceptions, and what becomes of the user's own."""

import pickle

import pytest

import currant
from currant import Failure, _failures
from currant.testing import Run


def test_a_failure_is_what_it_says() -> None:
    failure = Failure("busy", "line 3", details={"line": 3}, retry_after="1 min")
    assert (str(failure), failure.details, failure.retry_after_ms, failure.retryable) == (
        "busy: line 3",
        {"line": 3},
        60_000,
        True,
    )
    assert not currant.NonRetryable("gone").retryable
    assert currant.Cancelled().code == "cancelled"
    assert currant.TimedOut().code == "timed-out"


def test_details_that_cannot_be_written_are_left_out() -> None:
    assert Failure("busy", details=object()).details is None


def divide(number: int) -> float:
    return number / 0


def test_any_exception_is_a_retryable_failure_with_the_users_traceback() -> None:
    @currant.task(retries=0)
    def raising(number: int) -> float:
        return divide(number)

    with pytest.raises(Failure) as raised:
        Run().call(raising(1))
    failure = raised.value
    assert (failure.code, failure.message, failure.retryable) == ("ZeroDivisionError", "division by zero", True)
    lines = failure.details["traceback"].splitlines()
    # From the user's own code on: nothing of the SDK.
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith("in raising")
    assert "return number / 0" in failure.details["traceback"]
    assert "currant/_functions" not in failure.details["traceback"]


def test_errors_that_are_only_called_error_keep_their_module() -> None:
    import binascii
    import json

    assert _failures.code_of(binascii.Error) == "binascii.Error"
    assert _failures.code_of(json.JSONDecodeError) == "JSONDecodeError"
    assert _failures.code_of(ValueError) == "ValueError"


def test_sys_exit_is_a_failure_in_words() -> None:
    assert "the code called sys.exit(3)" in _failures.of_exception(SystemExit(3)).message


def received(code: str) -> Failure:
    return _failures.received(code, "no", '{"traceback": "Traceback: there"}', True, 5)


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ("declined", [currant.ChildFailed]),
        ("cancelled", [currant.ChildFailed, currant.Cancelled]),
        ("timed-out", [currant.ChildFailed, currant.TimedOut]),
    ],
)
def test_a_childs_failure_is_caught_as_such_and_as_what_it_was(code: str, kinds: list[type[Failure]]) -> None:
    failure = _failures.of_child("charge", received(code))
    assert all(isinstance(failure, kind) for kind in kinds)
    assert (failure.code, failure.message, failure.function, failure.retry_after_ms) == (code, "no", "charge", 5)
    assert failure.cause.code == code
    assert "Traceback: there" in "".join(failure.cause.__notes__)
    # Raised on, it is recorded byte for byte as the child said it.
    assert _failures.of_exception(failure).details_json == '{"traceback": "Traceback: there"}'


def test_a_child_that_failed_is_told_apart_from_a_failure_of_ones_own() -> None:
    @currant.task(retries=0)
    def broken() -> None:
        raise currant.NonRetryable("declined", "no money")

    @currant.workflow
    async def flow() -> str:
        try:
            await broken()
        except currant.ChildFailed as failure:
            return f"{failure.function}: {failure.code}, {failure.retryable}"
        return ""

    assert Run().call(flow()) == "broken: declined, False"


def test_failures_can_be_pickled_for_test_runners_that_do() -> None:
    assert str(pickle.loads(pickle.dumps(Failure("busy", "line 3")))) == "busy: line 3"
