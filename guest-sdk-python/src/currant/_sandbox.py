"""What makes the standard library behave in a component: prepared once at build, when the interpreter's memory is the snapshot that every
instance begins with, and once more at each start.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import sys
import threading
from collections.abc import Coroutine
from typing import Any, NoReturn, cast

from currant import _failures, _loop, _objects, _random, _telemetry, _timers, _values
from currant._calls import Call
from currant._functions import Definition, Settings
from currant._host import Completed, Delivery, Host, Number, Request
from currant._options import CallOptions, Timeouts

_LATER = (
    # The standard library imports these when they are first needed, and a component has no files to import from.
    "_colorize", "_strptime", "copy", "decimal", "encodings.ascii", "encodings.idna", "encodings.latin_1", "encodings.punycode",
    "encodings.raw_unicode_escape", "encodings.unicode_escape", "encodings.utf_16", "encodings.utf_8", "encodings.utf_8_sig", "linecache",
    "locale", "stringprep", "traceback", "unicodedata", "warnings",
)  # fmt: skip


def prepare() -> None:
    """At build, before the user's modules are imported."""
    for name in _LATER:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    asyncio.run = _run
    asyncio.runners.run = _run
    asyncio.new_event_loop = _new_event_loop
    asyncio.events.new_event_loop = _new_event_loop
    threading.Thread.start = _start_thread  # type: ignore[method-assign, assignment]
    root = logging.getLogger()
    root.addHandler(_telemetry.LogHandler())
    root.setLevel(logging.INFO)


def seal(objects: str) -> None:
    """At build, after the user's modules were imported: the snapshot follows."""
    for stream in (sys.stdout, sys.stderr):
        # An instance is dropped without a word, and what was buffered with it.
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    _warm_up()
    # What lives now lives in every instance: collecting it again and again would only dirty its memory.
    gc.collect()
    with open(objects, "wb") as file:
        _objects.tell(file)
    gc.freeze()


def _warm_up() -> None:
    """Code that has run is specialised, and what it caches is there: both would otherwise be written anew in every instance, page by page."""
    task: Definition[..., Any] = Definition("task", _warm_task, "warm-up", _NO_SETTINGS)
    workflow: Definition[..., Any] = Definition("workflow", _warm_workflow, "warm-up", _NO_SETTINGS)
    for _ in range(_ROUNDS):
        _random.seed()
        task.run_task('{"text": "a", "numbers": [1, 2.5]}')
        _loop.DurableLoop(cast(Host, _Nobody())).run(workflow.run_workflow("1"))


_NO_SETTINGS = Settings(None, None, None, Timeouts())
_ROUNDS = 64
"""The interpreter specialises code after a few runs."""


def _warm_task(value: dict[str, Any]) -> list[str]:
    return [*value]


async def _warm_workflow(number: int) -> int:
    call: Call[int] = Call("task", "warm-up", _values.encode("", [number]), CallOptions(), returns=int)
    await asyncio.gather(call, asyncio.sleep(1), _timers.sleep(1))
    return number


class _Nobody:
    """As much of a host as that takes: it answers everything at once."""

    def __init__(self) -> None:
        self._started = 0

    def start(self, request: Request) -> Number:
        self._started += 1
        return self._started

    def wait(self, numbers: list[Number]) -> Delivery:
        return Completed(numbers[0], "1")

    def cancel(self, number: Number) -> None:
        pass

    def time(self) -> float:
        return 0.0


def begin() -> None:
    """At each start."""
    _random.reseed()


def end() -> None:
    """At each end."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _run(main: Coroutine[Any, Any, Any], **options: Any) -> Any:
    """`asyncio.run` makes a loop of sockets, which a sandbox has not; in a task ours does."""
    if isinstance(asyncio._get_running_loop(), _loop.DurableLoop):
        main.close()
        raise RuntimeError("asyncio.run() cannot be called in a workflow, which runs in a loop already: use `await`")
    return _loop.BlockingLoop().run(main)


def _new_event_loop() -> NoReturn:
    raise RuntimeError(
        "a sandbox cannot make an event loop: write `async def`, and use `await`; in a task, `asyncio.run` works too"
    )


def _start_thread(thread: threading.Thread) -> NoReturn:
    raise _failures.NonRetryable(
        "no-threads",
        f"the thread {thread.name!r} cannot be started: a sandbox has no threads. Call the function directly; in a workflow, run tasks at "
        "once with asyncio.gather",
    )
