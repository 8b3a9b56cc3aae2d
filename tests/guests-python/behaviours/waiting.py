"""Workflows that wait."""

import asyncio
import time
from typing import Any

import currant
from currant import Json
from liveness import sleep


@currant.workflow
async def sleep_flow(milliseconds: int) -> int:
    """A durable pause. Answers how long it was by the workflow's clock."""
    begin = time.monotonic()
    await currant.sleep(milliseconds / 1000)
    return round((time.monotonic() - begin) * 1000)


@currant.workflow
async def std_sleep_flow(milliseconds: int) -> int:
    """The same by the standard library, which knows nothing of durability."""
    begin = time.monotonic()
    time.sleep(milliseconds / 1000)
    return round((time.monotonic() - begin) * 1000)


@currant.workflow
async def sleep_often(times: int, milliseconds: int) -> None:
    """So many pauses, one after the other."""
    for _ in range(times):
        await asyncio.sleep(milliseconds / 1000)


@currant.workflow
async def wait_signal(name: str) -> Json:
    """Waits for a signal, and answers its payload."""
    return await currant.receive(name, Json)


@currant.workflow
async def signal_or_timeout(name: str, milliseconds: int) -> Json | None:
    """Waits for a signal, but not for ever."""
    return await currant.receive(name, Json, timeout=milliseconds / 1000)


@currant.workflow
async def two_signals_in_order(name: str) -> tuple[Json, Json]:
    """Two signals of one name, in the order of their arrival."""
    return await currant.receive(name, Json), await currant.receive(name, Json)


@currant.workflow
async def signal_after_giving_up(name: str, milliseconds: int) -> tuple[bool, Json]:
    """Gives up waiting for a signal, and gets it when it asks again."""
    early = await currant.receive(name, Json, timeout=milliseconds / 1000)
    return early is not None, await currant.receive(name, Json)


@currant.workflow
async def race(task_ms: int, timer_ms: int) -> str:
    """A task against a timer: answers who won. The loser is cancelled."""
    task, timer = currant.start(sleep(task_ms)), currant.start(currant.sleep(timer_ms / 1000))
    both: list[asyncio.Future[Any]] = [task, timer]
    done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for loser in pending:
        loser.cancel()
    for winner in done:
        winner.result()
    return "task" if task in done else "timer"


@currant.workflow
async def delivery_order(timers: int, milliseconds: int) -> list[int]:
    """So many timers of the same length at once. Answers the order in which they were delivered."""
    pending: dict[asyncio.Future[Any], int] = {
        currant.start(currant.sleep(milliseconds / 1000)): number for number in range(timers)
    }
    order: list[int] = []
    while pending:
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        order += [pending.pop(timer) for timer in done]
    return order


@currant.workflow
async def as_they_complete(pauses_ms: list[int]) -> list[int]:
    """Pauses, in the order in which they end."""

    async def rest(milliseconds: int) -> int:
        await asyncio.sleep(milliseconds / 1000)
        return milliseconds

    # As tasks, so that they begin in this order: `as_completed` makes a set of what it is given.
    pauses = [asyncio.create_task(rest(pause)) for pause in pauses_ms]
    return [await done for done in asyncio.as_completed(pauses)]


@currant.workflow
async def wait_external() -> Json:
    """Waits for somebody outside, who finds the token in the workflow's progress."""
    result = currant.external(Json)
    currant.publish(result.token)
    return await result


@currant.workflow
async def stuck() -> None:
    """Awaits something that never happens."""
    await asyncio.Event().wait()
