"""What comes from outside while a workflow runs: messages, and results that somebody else delivers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar, cast, overload

from currant import _loop, _timers, _values
from currant._deferred import Deferred
from currant._durations import Duration
from currant._host import Outcome, Signal
from currant._loop import DurableLoop, Operation

T = TypeVar("T", covariant=True)
V = TypeVar("V")


class Receive(Deferred[T]):
    """A message, to be awaited."""

    def __init__(self, name: str, type: Any) -> None:
        super().__init__(f"receiving the signal `{name}`")
        self.name = name
        self._type = type

    def _start(self, loop: DurableLoop) -> Operation[T]:
        return loop.start(Signal(self.name), self._read)

    def _read(self, outcome: Outcome) -> T:
        return cast(T, _read(f"the signal `{self.name}`", outcome, self._type))


@overload
def receive(name: str, type: type[V]) -> Receive[V]: ...
@overload
def receive(name: str, type: Any = ...) -> Receive[Any]: ...
@overload
def receive(name: str, type: type[V], *, timeout: Duration) -> Coroutine[Any, Any, V | None]: ...
@overload
def receive(name: str, type: Any = ..., *, timeout: Duration) -> Coroutine[Any, Any, Any]: ...
def receive(name: str, type: Any = Any, *, timeout: Duration | None = None) -> Any:
    """Waits for one message of this name (``currant signal ID NAME``). Messages that came earlier are kept, and handed out in the order
    of their arrival. With a `timeout` it waits no longer than that; then there is no message, but None.

    ::

        editor = await currant.receive("approved", str)
        remark = await currant.receive("remark", str, timeout="1 hour")
    """
    message: Receive[Any] = Receive(name, type)
    return message if timeout is None else _in_time(message, timeout)


async def _in_time(message: Receive[V], timeout: Duration) -> V | None:
    first, timer = message.start(), _timers.sleep(timeout).start()
    try:
        both: list[asyncio.Future[Any]] = [first, timer]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return first.result() if first.done() else None
    finally:
        # The loser is given up.
        first.cancel()
        timer.cancel()


class External(Generic[T]):
    """A result that somebody outside delivers, who has the token: await it."""

    token: str
    """For ``currant.complete(token, …)`` and ``currant.fail(token, …)``."""

    def __init__(self, operation: Operation[T], token: str) -> None:
        self._operation = operation
        self.token = token

    def __await__(self) -> Generator[Any, None, T]:
        return self._operation.__await__()

    def start(self) -> Operation[T]:
        """The future, for `asyncio.wait` and its kin: it has begun already."""
        return self._operation


@overload
def external(type: type[V]) -> External[V]: ...
@overload
def external(type: Any = ...) -> External[Any]: ...
def external(type: Any = Any) -> External[Any]:
    """Begins an operation that somebody outside completes.

    ::

        answer = currant.external(bool)
        await ask_by_mail(answer.token)
        if await answer: ...
    """
    loop = _loop.current("an external operation")
    operation, token = loop.external(lambda outcome: _read("the external result", outcome, type))
    return External(operation, token)


def _read(what: str, outcome: Outcome, type: Any) -> Any:
    if isinstance(outcome, Exception):
        raise outcome
    return _values.decode("invalid-result", what, outcome, type)
