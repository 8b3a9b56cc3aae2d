"""How workflows are cancelled, change and go on."""

import asyncio

import currant
from currant import Json
from liveness import sleep
from waiting import sleep_flow


@currant.task(queue="undo")
def undo(what: str) -> str:
    """Takes back what was done."""
    return f"undid {what}"


@currant.workflow
async def compensate(what: str) -> None:
    """Waits for long. Cancelled, it takes back what it did, and then ends as cancelled."""
    try:
        await currant.sleep("1 hour")
    except asyncio.CancelledError:
        currant.publish(await undo(what))
        raise


@currant.workflow
async def survive_cancellation() -> str:
    """Cancelled, it ends well all the same, and answers what it saw."""
    try:
        await currant.sleep("1 hour")
    except asyncio.CancelledError:
        await currant.sleep("10 ms")
        return "cancelled, and finished all the same"
    return "slept"


@currant.workflow
async def cancel_with_children(milliseconds: int) -> None:
    """Waits for long with a child workflow and a task under way."""
    await asyncio.gather(sleep_flow(milliseconds), sleep(milliseconds))


@currant.workflow
async def versioned(pause_ms: int) -> tuple[int, int]:
    """Answers which side of a change it is on, before and after a pause."""
    before = currant.version("a-change", 1, 2)
    await currant.sleep(pause_ms / 1000)
    return before, currant.version("a-change", 1, 2)


@currant.workflow
async def published(rounds: int, pause_ms: int) -> None:
    """Publishes how far it is."""
    for number in range(rounds):
        currant.publish(number)
        await currant.sleep(pause_ms / 1000)


@currant.workflow
async def count_down(left: int) -> str:
    """Begins anew until nothing is left."""
    if left == 0:
        return "lift-off"
    await currant.sleep("10 ms")
    currant.continue_as_new(left - 1)


@currant.workflow
async def collect_signals(name: str, count: int, seen: list[Json]) -> list[Json]:
    """Begins anew with signals unread: they must follow. Answers them in order."""
    seen = [*seen, await currant.receive(name, Json)]
    if len(seen) == count:
        return seen
    currant.continue_as_new(name, count, seen)
