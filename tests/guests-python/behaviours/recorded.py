"""Steps, clocks and random: what must be the same on every replay. Each waits in between, so that it is replayed."""

import asyncio
import functools
import itertools
import time
from dataclasses import asdict, dataclass

import currant
from currant import Failure, Json
from outcomes import Fault, echo
from outside import Draws, draw, milliseconds


@currant.workflow
async def steps(count: int) -> int:
    """So many steps, one after the other. Answers the sum of their results."""
    total = 0
    for number in range(count):
        total += await currant.step(f"step-{number}", functools.partial(abs, number))
    return total


@currant.workflow
async def failing_step(fault: Fault) -> str:
    """A step that fails. Answers the failure that the workflow saw."""

    def broken() -> None:
        raise fault.failure()

    try:
        await currant.step("broken", broken)
    except Failure as failure:
        return str(failure)
    return ""


@currant.workflow
async def retried_step(failures: int) -> int:
    """A step that fails so often is tried again after a pause. Answers at which try it succeeded."""

    def attempt(number: int) -> int:
        if number <= failures:
            raise Failure("not-yet", f"try {number}")
        return number

    for number in itertools.count(1):
        try:
            return await currant.step(f"try-{number}", functools.partial(attempt, number))
        except Failure as failure:
            if failure.code != "not-yet":
                raise
            await currant.sleep("10 ms")
    raise AssertionError("there is always another number")


@currant.workflow
async def step_among_others() -> tuple[int, Json]:
    """A step beside a timer and a task: it runs when both are under way."""
    step, task, _ = await asyncio.gather(
        currant.step("among-others", lambda: 7), echo(Json.of("x")), currant.sleep("10 ms")
    )
    return step, task


@dataclass
class Observed:
    """What the clocks and the generators said around a pause."""

    before_ms: int
    after_ms: int
    monotonic_ms: int
    draws_before: Draws
    draws_after: Draws


@currant.workflow
async def random_and_clock(pause_ms: int) -> Observed:
    """Looks at clocks and random before and after a pause."""
    before_ms, begin, draws_before = milliseconds(), time.monotonic(), draw()
    await currant.sleep(pause_ms / 1000)
    monotonic_ms = round((time.monotonic() - begin) * 1000)
    return Observed(before_ms, milliseconds(), monotonic_ms, draws_before, draw())


def observe() -> Json:
    """Everything that a workflow can observe."""
    random, uuid = currant.random(), str(currant.uuid())
    return Json.of({"draws": asdict(draw()), "random": random, "uuid": uuid, "now_ms": milliseconds()})


@currant.workflow
async def observed_twice(pause_ms: int) -> tuple[bool, int]:
    """Observes everything, tells a task what it observed, runs a step that draws, and observes again.

    The task answers what the live run told it: whatever a replay observes must be the same. Answers whether it is, and how many different
    observations there were.
    """
    same, seen = True, set()
    for number in range(3):
        for after_step in (False, True):
            if after_step:
                await currant.step(f"draw-{number}", lambda: [asdict(draw()), currant.random()])
            observed = observe()
            told = await echo.with_(queue="told")(observed)
            same = same and told.text == observed.text
            seen.add(observed.text)
        await currant.sleep(pause_ms / 1000)
    return same, len(seen)


@currant.workflow
async def hash_order(pause_ms: int) -> tuple[list[int], list[int]]:
    """The order of a set of asyncio's own objects, before and after a pause."""

    async def number(value: int) -> int:
        return value

    async def order() -> list[int]:
        done, _ = await asyncio.wait([asyncio.create_task(number(value)) for value in range(16)])
        return [task.result() for task in done]

    before = await order()
    await currant.sleep(pause_ms / 1000)
    return before, await order()


@currant.workflow
async def clock_stands_still() -> bool:
    """The same clock read a thousand times without waiting: the workflow's time stands still meanwhile."""
    now, begin = milliseconds(), time.monotonic()
    return all(milliseconds() == now and time.monotonic() == begin for _ in range(1000))


@currant.workflow
async def clock_in_step(pause_ms: int) -> int:
    """The real clock inside a step, with real time passing there."""

    def look() -> int:
        begin = time.monotonic()
        time.sleep(pause_ms / 1000)
        return int((time.monotonic() - begin) * 1000)

    return await currant.step("look", look)
