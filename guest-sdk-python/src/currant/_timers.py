"""Durable pauses, and the time."""

from __future__ import annotations

from datetime import UTC, datetime

from currant import _durations
from currant._deferred import Deferred
from currant._durations import Duration
from currant._host import Outcome, Timer, surroundings
from currant._loop import DurableLoop, Operation


class Pause(Deferred[None]):
    """A pause, to be awaited."""

    def __init__(self, length: Duration) -> None:
        super().__init__("a durable pause")
        self._milliseconds = _durations.milliseconds(length)

    def _start(self, loop: DurableLoop) -> Operation[None]:
        return loop.start(Timer(self._milliseconds), _nothing)

    def _outside(self) -> None:
        return None


def sleep(length: Duration) -> Pause:
    """A pause that survives crashes and costs nothing while it lasts, be it a second or a year: ``await currant.sleep("1 day")``.

    `asyncio.sleep` does the same in a workflow. In a task there is `time.sleep`.
    """
    return Pause(length)


def now() -> datetime:
    """The time, in UTC. In a workflow it is that of the last result that was delivered to it, the same on every replay, and it stands
    still while code runs. The standard library's clocks follow it as well.
    """
    return datetime.fromtimestamp(surroundings().now(), UTC)


def _nothing(outcome: Outcome) -> None:
    if isinstance(outcome, Exception):
        raise outcome
