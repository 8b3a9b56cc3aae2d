"""What begins when it is awaited."""

from __future__ import annotations

import warnings
from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar

from currant import _failures, _loop
from currant._host import surroundings
from currant._loop import DurableLoop, Operation

T = TypeVar("T", covariant=True)


class Deferred(Coroutine[Any, Any, T]):
    """Something durable that begins when it is awaited, or by `start()`. A coroutine: whatever takes one takes this, such as
    `asyncio.gather` and `TaskGroup.create_task`.
    """

    _what: str

    def __init__(self, what: str) -> None:
        self._what = what
        self._used = False
        self._steps: Generator[Any, Any, T] | None = None

    def start(self) -> Operation[T]:
        """Begins it now, to be awaited later."""
        self._use()
        return self._start(_loop.current(self._what))

    def _start(self, loop: DurableLoop) -> Operation[T]:
        """Begins it in this workflow."""
        raise NotImplementedError

    def _outside(self) -> T:
        """What it comes to in an ordinary program, where there is no workflow."""
        raise _failures.no_workflow(self._what)

    def _use(self) -> None:
        if self._used:
            raise RuntimeError(f"{self._what} was awaited or started before: it can be only once")
        self._used = True

    def _go(self) -> Generator[Any, Any, T]:
        self._use()
        if _loop.running() is None and not surroundings().in_component:
            return self._outside()
        return (yield from self._start(_loop.current(self._what)))

    def __await__(self) -> Generator[Any, Any, T]:
        return self._go()

    # The rest of what makes a coroutine.

    def send(self, value: Any) -> Any:
        """Goes on to where it waits next."""
        if self._steps is None:
            self._steps = self._go()
        return self._steps.send(value)

    def throw(self, kind: Any, value: Any = None, traceback: TracebackType | None = None) -> Any:
        """Raises an exception where it waits."""
        # Cancelled before it began: that is no oversight.
        self._used = self._used or self._steps is None
        if self._steps is None:
            self._steps = self._go()
        return self._steps.throw(kind if value is None else value)

    def close(self) -> None:
        """Gives it up."""
        self._used = True
        if self._steps is not None:
            self._steps.close()

    def __del__(self) -> None:
        if not getattr(self, "_used", True):
            warnings.warn(
                f"{self._what} was called and never awaited: it never began", RuntimeWarning, stacklevel=2, source=self
            )
