"""Steps: what a workflow does itself in the outside world, recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

from currant import _failures, _loop, _random, _values
from currant._failures import Failure
from currant._host import Outcome, surroundings
from currant._loop import BlockingLoop, DurableLoop

T = TypeVar("T")


@overload
async def step(name: str, closure: Callable[[], Coroutine[Any, Any, T]], *, returns: Any = ...) -> T: ...
@overload
async def step(name: str, closure: Callable[[], T], *, returns: Any = ...) -> T: ...
async def step(name: str, closure: Callable[[], Any], *, returns: Any = None) -> Any:
    """Runs a closure once and records what it comes to; a replay has the record, and does not run it.

    In the closure the clocks and random are real and the module's grants hold, and nothing durable is possible. It runs while everything
    else in the workflow is parked, at least once, and is recorded once. It may be `async`.

    The result is JSON in between: a closure that answers more than plain values says its type, by its own annotation or by `returns`.

    ::

        number = await currant.step("pick-number", lambda: random.randrange(10))
    """
    loop = _loop.running()
    if loop is None and not surroundings().in_component:
        # A function that a test calls outside a workflow just runs.
        value = closure()
        return BlockingLoop().run(value) if inspect.iscoroutine(value) else value
    loop = _loop.current(f"the step `{name}`")
    await loop.turn()
    outcome = loop.host.begin_step(name)
    if outcome is None:
        outcome = _run(loop, name, closure, returns)
        loop.host.end_step(outcome)
    # Replayed or not, from here on the host's randomness is the same; generators that the closure drew from are not.
    _random.reseed()
    if isinstance(outcome, Failure):
        raise outcome
    # The live run reads the record as well: a value that does not come back as it went should show at once, not at a replay.
    return _values.decode("invalid-result", f"the result of step `{name}`", outcome, _type(closure, returns))


def _run(loop: DurableLoop, name: str, closure: Callable[[], Any], returns: Any) -> Outcome:
    what = f"the result of step `{name}`"
    try:
        with loop.in_step(name):
            value = closure()
            if inspect.iscoroutine(value):
                value = BlockingLoop().run(value)
        if _type(closure, returns) is Any and not _values.is_plain(value):
            kind = type(value).__name__
            raise _failures.NonRetryable(
                "invalid-result",
                f"{what} is of type {kind}, and a replay would not know: say `returns={kind}`, or annotate the closure",
            )
        return _values.encode(what, value)
    except Exception as error:
        return _failures.of_exception(error)


def _type(closure: Callable[[], Any], returns: Any) -> Any:
    if returns is not None:
        return returns
    annotated = getattr(closure, "__annotations__", {})
    return _values.hints_of(closure).get("return", Any) if "return" in annotated else Any
