"""What only Python has: asyncio, exceptions with tracebacks, types."""

import asyncio
import datetime
import logging
import sys
import threading
import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, NotRequired, TypedDict

import currant
import currant.http
import lazily
from outcomes import fail_by_error


@currant.workflow
async def in_a_group(texts: list[str]) -> list[int]:
    """Tasks in a task group: if one fails, the others are cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fail_by_error(text)) for text in texts]
    return [task.result() for task in tasks]


@currant.workflow
async def in_time(limit_ms: int) -> str:
    """A pause under asyncio's own timeout."""
    try:
        async with asyncio.timeout(limit_ms / 1000):
            await asyncio.sleep(3600)
    except TimeoutError:
        return "too late"
    return "in time"


@currant.workflow
async def through_a_queue(count: int) -> list[int]:
    """A producer and a consumer that share a queue."""
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

    async def produce() -> None:
        for number in range(count):
            await asyncio.sleep(0.001)
            await queue.put(number)

    producer = asyncio.create_task(produce())
    got = [await queue.get() for _ in range(count)]
    await producer
    return got


@currant.task(retries=0)
async def async_task(pause_ms: int) -> list[int]:
    """A task may be async, and do several things at once."""

    async def rest(number: int) -> int:
        await asyncio.sleep(pause_ms / 1000)
        return number

    return list(await asyncio.gather(*(rest(number) for number in range(3))))


@currant.workflow
async def async_step() -> int:
    """A step may be async."""

    async def rest() -> int:
        await asyncio.sleep(0.001)
        return 7

    return await currant.step("rest", rest)


@currant.task(retries=0)
def raise_in_depth(number: int) -> int:
    """Fails three calls deep."""
    return divide(number)


def divide(number: int) -> int:
    try:
        return number // 0
    except ZeroDivisionError as error:
        raise ValueError(f"cannot divide {number}") from error


@currant.workflow
async def raise_in_workflow(number: int) -> int:
    """Fails after a pause, with a traceback of its own."""
    await currant.sleep("1 ms")
    return divide(number)


@currant.task(retries=0)
def sys_exit(status: int) -> None:
    """Ends the program, as far as there is one."""
    sys.exit(status)


@currant.task(retries=0)
def start_thread() -> None:
    """Starts a thread."""
    threading.Thread(target=print).start()


@currant.task(retries=0)
def asyncio_run() -> str:
    """Runs a loop in a task that is not async."""

    async def main() -> str:
        await asyncio.sleep(0)
        return "ran"

    return asyncio.run(main())


@currant.workflow
async def asyncio_run_in_workflow() -> str:
    """Runs a loop in a loop."""

    async def main() -> str:
        return "ran"

    return asyncio.run(main())


@currant.workflow
async def operation_in_step() -> int:
    """Does something durable inside a step."""

    def closure() -> int:
        currant.start(currant.sleep(1))
        return 1

    return await currant.step("too-much", closure)


@currant.workflow
async def untyped_step() -> int:
    """A step that answers more than plain values, and does not say so."""
    await currant.step("thing", lambda: Thing("a"))
    return 0


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Thing:
    name: str
    colour: Colour = Colour.RED
    made: datetime.datetime | None = None
    sizes: dict[str, list[float]] = field(default_factory=dict)
    kind: Literal["small", "large"] = "small"
    id: uuid.UUID | None = None


class Parcel(TypedDict):
    things: list[Thing]
    note: NotRequired[str]


@currant.task(retries=0)
def typed(parcel: Parcel) -> Parcel:
    """Takes and answers what is typed."""
    assert all(isinstance(thing, Thing) and isinstance(thing.colour, Colour) for thing in parcel["things"])
    return parcel


@currant.workflow
async def typed_flow(parcel: Parcel) -> int:
    """Hands types to a task and back."""
    back = await typed(parcel)
    assert back == parcel, back
    return len(back["things"])


@currant.task(retries=0)
def defaults(first: int, second: int = 2, third: str = "three") -> list[int | str]:
    """Arguments that may be left out."""
    return [first, second, third]


@currant.task(retries=0)
def std_logging() -> None:
    """Logs by the standard library."""
    logging.getLogger("shop").warning("only %d left", 3)
    print("printed")


@currant.task(retries=0)
def late_import(text: str) -> float:
    """Imports inside the function: the build saw it."""
    import fractions

    return float(fractions.Fraction(text))


@currant.task(retries=0)
def late_import_of_a_package(text: str) -> str:
    """Calls a package that imports inside its functions."""
    return lazily.shout(text)


@currant.workflow
async def https_in_step(url: str) -> int:
    """Asks a server from a step."""
    return await currant.step("ask", lambda: currant.http.get(url).status)


_TABLE = {"a": [1, 2]}


@currant.task
def immortal() -> list[bool]:
    """Whether what the module is made of is no longer counted, and what a call makes is."""
    objects: list[object] = [immortal, _TABLE, _TABLE["a"], {"made": "now"}]
    return [sys.getrefcount(found) >= 1 << 30 for found in objects]
