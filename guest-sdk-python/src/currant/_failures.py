"""Why something did not succeed: one tree of exceptions.

::

    Failure                 another attempt may cure it
    ├── NonRetryable        no other attempt can
    ├── RateLimited         the whole queue pauses; costs no retry
    ├── Cancelled           somebody asked for it
    ├── TimedOut            a time limit was the reason
    └── ChildFailed         a task or workflow that was awaited did not succeed; `.cause` says why
        ├── (cancelled)     also a Cancelled
        └── (timed out)     also a TimedOut

Every other exception is a retryable failure whose code is the name of its class, and whose details are the traceback.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from currant import _durations, _places


class Failure(Exception):
    """Why a task, workflow or step did not succeed: stored, shown to people, and raised in the workflow that waits for it.

    `code` is for programs (at most 255 bytes), `message` for people. Another attempt is made, unless it is not `retryable`;
    no earlier than `retry_after`, if that is given. `details` is any value that can be written as JSON.

    >>> str(Failure("card-declined", "the bank said no"))
    'card-declined: the bank said no'
    """

    code: str
    message: str
    retryable: bool
    retry_after_ms: int | None

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        details: Any = None,
        retryable: bool = True,
        retry_after: _durations.Duration | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_ms = _durations.optional_milliseconds(retry_after)
        self._details: str | None = None if details is None else _details(details)

    @property
    def details(self) -> Any:
        """More about it."""
        return None if self._details is None else json.loads(self._details)

    @property
    def details_json(self) -> str | None:
        """The same as JSON text, byte for byte as the child said it."""
        return self._details

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


class NonRetryable(Failure):
    """A failure that no other attempt can cure: the execution fails at once.

    >>> NonRetryable("no-such-order", "42").retryable
    False
    """

    def __init__(self, code: str, message: str = "", *, details: Any = None) -> None:
        super().__init__(code, message, details=details, retryable=False)


class RateLimited(Failure):
    """What a task raises when its queue goes too fast for what it calls. The queue pauses for this long, and the same
    attempt is made again; it costs no retry. From a workflow it is an ordinary failure with the code ``rate-limited``.

    >>> RateLimited("30s").retry_after_ms
    30000
    """

    def __init__(self, after: _durations.Duration, message: str = "called too often") -> None:
        super().__init__("rate-limited", message, retry_after=after)


class Cancelled(Failure):
    """What a task raises when it stops because its cancellation was requested; and what a cancelled child is to the
    workflow that awaits it. (The cancellation of the workflow itself is asyncio's own ``CancelledError``.)
    """

    def __init__(self, message: str = "cancellation was requested") -> None:
        super().__init__("cancelled", message, retryable=False)


class TimedOut(Failure):
    """A time limit was the reason."""

    def __init__(self, message: str = "it took too long", *, code: str = "timed-out") -> None:
        super().__init__(code, message)


class ChildFailed(Failure):
    """A task or workflow that was awaited did not succeed. Code, message and details are those of the child; raised on,
    they are those of the parent.
    """

    function: str
    """The child."""

    def __init__(self, function: str, cause: Failure) -> None:
        Failure.__init__(self, cause.code, cause.message, retryable=cause.retryable)
        self.function = function
        self.retry_after_ms = cause.retry_after_ms
        self._details = cause._details
        self.__cause__ = cause

    @property
    def cause(self) -> Failure:
        """What the child said."""
        assert isinstance(self.__cause__, Failure)
        return self.__cause__


class _ChildCancelled(ChildFailed, Cancelled):
    pass


class _ChildTimedOut(ChildFailed, TimedOut):
    pass


_ChildCancelled.__name__ = _ChildCancelled.__qualname__ = "ChildFailed"
_ChildTimedOut.__name__ = _ChildTimedOut.__qualname__ = "ChildFailed"


def received(code: str, message: str, details: str | None, retryable: bool, retry_after_ms: int | None) -> Failure:
    """A failure as the host tells it."""
    cause = Failure.__new__(_class_of(code, retryable))
    Failure.__init__(cause, code, message, retryable=retryable)
    cause.retry_after_ms = retry_after_ms
    cause._details = details
    remote = cause.details.get("traceback") if details and isinstance(cause.details, dict) else None
    if isinstance(remote, str):
        cause.add_note(f"\nThere, it looked so:\n{remote}")
    return cause


def of_child(function: str, cause: Failure) -> ChildFailed:
    """The exception that the parent sees."""
    match cause.code:
        case "cancelled":
            return _ChildCancelled(function, cause)
        case "timed-out":
            return _ChildTimedOut(function, cause)
        case _:
            return ChildFailed(function, cause)


def _class_of(code: str, retryable: bool) -> type[Failure]:
    match code:
        case "cancelled":
            return Cancelled
        case "timed-out":
            return TimedOut
        case _:
            return Failure if retryable else NonRetryable


def no_workflow(what: str) -> Failure:
    """What a durable operation raises outside a workflow."""
    return NonRetryable("not-in-workflow", f"{what} is only possible in a workflow")


def stuck(reason: str) -> Failure:
    """What ends a workflow that waits for nothing that can happen."""
    return NonRetryable("stuck", f"the workflow can never go on: {reason}")


def of_exception(error: BaseException) -> Failure:
    """Any exception of user code, as a failure."""
    error = _only_one(error)
    if isinstance(error, Failure):
        return error
    if isinstance(error, MemoryError):
        # The host's own code for it: whoever catches it should not have to know the language.
        words = "the code needs more memory than it is given (CURRANT_WORKER_MEMORY_LIMIT)"
        return Failure("out-of-memory", words, details={"traceback": traceback_of(error)})
    if isinstance(error, SystemExit):
        message = f"the code called sys.exit({error.code!r}): return a result, or raise an exception"
    elif isinstance(error, BaseExceptionGroup):
        message = f"{error.message}: {'; '.join(_named(leaf) for leaf in _leaves(error))}"
    else:
        message = str(error)
    retryable = all(leaf.retryable for leaf in _leaves(error) if isinstance(leaf, Failure))
    return Failure(code_of(type(error)), message, details={"traceback": traceback_of(error)}, retryable=retryable)


def code_of(kind: type[BaseException]) -> str:
    """`ValueError`; half of all libraries call theirs just `Error`, so that one keeps its module: `binascii.Error`."""
    name = kind.__name__
    return f"{kind.__module__}.{name}" if name in {"Error", "Exception"} and kind.__module__ != "builtins" else name


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it, from the user's own code on."""
    return _places.shorten("".join(traceback.format_exception(type(error), error, _users(error.__traceback__))))


def _users(frames: TracebackType | None) -> TracebackType | None:
    """Without the frames of the SDK that lead to the user's code."""
    first = frames
    while first is not None and _places.is_sdk(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    return first or frames


def _only_one(error: BaseException) -> BaseException:
    """A task group wraps even a single failure."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _named(error: BaseException) -> str:
    return str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"


def _details(details: Any) -> str | None:
    # What cannot be written as JSON is left out: a failure must not fail.
    from currant import _values

    try:
        return _values.encode("details", details)
    except Failure:
        return None
