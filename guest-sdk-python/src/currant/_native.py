"""No worker: what the test kit pretends that there is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from currant._host import Attribute, Execution, Span, TraceContext


@dataclass
class Attempt:
    """An attempt that is being made."""

    execution: Execution
    progress: str | None
    last_progress: str | None
    clock: Callable[[], float] | None


_attempts: list[Attempt] = []
"""Innermost last: the test kit runs a task inside the workflow that waits for it."""


@contextmanager
def attempt(execution: Execution, last_progress: str | None, clock: Callable[[], float] | None) -> Iterator[Attempt]:
    """What runs in the block is an attempt of this execution."""
    made = Attempt(execution, last_progress, last_progress, clock)
    _attempts.append(made)
    try:
        yield made
    finally:
        _attempts.pop()


def execution_of(
    function: str, number: int, attempt: int = 1, task_id: str | None = None, queue: str = "default"
) -> Execution:
    """An execution that nobody asked for."""
    id = f"00000000-0000-7000-8000-{number:012}"
    return Execution(id, task_id, function, queue, attempt, None, "0" * 64, None)


class Native:
    """An ordinary program."""

    in_component = False

    def execution(self) -> Execution:
        """The one of the test kit."""
        return _attempts[-1].execution if _attempts else execution_of("", 0)

    def trace(self) -> TraceContext:
        """None worth mentioning."""
        return TraceContext("0" * 32, "0" * 16, {})

    def is_cancelled(self) -> bool:
        """Nobody cancels."""
        return False

    def heartbeat(self, progress: str | None) -> bool:
        """Kept for the next attempt."""
        if _attempts:
            _attempts[-1].progress = progress
        return False

    def last_progress(self) -> str | None:
        """Of the previous attempt."""
        return _attempts[-1].last_progress if _attempts else None

    def now(self) -> float:
        """The workflow's time in the test kit."""
        clock = _attempts[-1].clock if _attempts else None
        return clock() if clock is not None else time.time()

    def log(self, level: str, message: str, attributes: list[Attribute]) -> None:
        """To stderr."""
        print(f"{level}: {message}", *(f"{name}={value}" for name, value in attributes), file=sys.stderr)

    def measure(self, kind: str, name: str, value: float, attributes: list[Attribute]) -> None:
        """Nowhere."""

    def span(self, name: str, attributes: list[Attribute]) -> Span:
        """Nowhere."""
        return NoSpan()


class NoSpan:
    """A span that nobody sees."""

    def set(self, attribute: Attribute) -> None:
        """Nothing."""

    def fail(self, message: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
