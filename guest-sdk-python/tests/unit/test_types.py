"""What a type checker sees: `assert_type` is checked by mypy, and does nothing when it runs."""

import asyncio
from typing import Any, assert_type

import currant
from currant import Call, Json, Operation
from currant.client import Client, Handle
from currant.tasks import Task
from currant.testing import Run
from currant.workflows import Workflow


@currant.task
def plain(number: int) -> str:
    return str(number)


@currant.task(retries=3)
async def asynchronous(number: int, more: float = 1.0) -> list[str]:
    return [str(number)]


@currant.workflow
async def flow(number: int) -> tuple[str, list[str], bool | None]:
    one, other = await asyncio.gather(plain(1), asynchronous(2, more=2.0))
    assert_type(one, str)
    assert_type(other, list[str])
    assert_type(plain.with_(priority=1)(1), Call[str])
    assert_type(plain(1).start(), Operation[str])
    assert_type(await currant.step("text", lambda: "a"), str)
    assert_type(await currant.receive("go", Json), Json)
    assert_type(await currant.receive("go", bool, timeout=1), bool | None)
    assert_type(await currant.external(int), int)
    assert_type(await currant.tasks.named("other", 1, returns=int), int)
    assert_type(await currant.tasks.named("other", 1), Any)
    async with asyncio.TaskGroup() as group:
        assert_type(group.create_task(plain(3)), asyncio.Task[str])
    assert_type(await currant.sleep(1), None)
    return one, other, None


def typed_calls(client: Client, kit: Run) -> None:
    assert_type(asynchronous(1), Call[list[str]])
    assert_type(flow(1), Call[tuple[str, list[str], bool | None]])
    assert_type(plain(1).run(), str)
    assert_type(kit.call(plain(1)), str)
    assert_type(client.enqueue(plain, 1, task_id="a"), Handle[str])
    assert_type(client.enqueue("plain", 1).result(), Any)
    # What does not fit is an error: without it, the ignore itself would be one.
    plain("x")  # type: ignore[arg-type]
    asynchronous()  # type: ignore[call-arg]
    flow.with_(colour="red")  # type: ignore[call-arg]


def test_the_decorators_keep_what_they_are() -> None:
    assert isinstance(plain, Task)
    assert isinstance(flow, Workflow)
