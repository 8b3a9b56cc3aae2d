"""What `currant-host bench` deploys, in Python: the least that a task, a step and a wait can do, so that what is measured is Currant."""

from typing import Any

import currant

currant.module("bench-python", version="0.1.0")


@currant.task
def noop(_order: Any = None) -> None:
    """Does nothing."""


@currant.workflow
async def steps(count: int) -> None:
    """So many steps, one after the other, each of which does nothing."""
    for _ in range(count):
        await currant.step("step", lambda: None)


@currant.workflow
async def tasks(count: int) -> None:
    """So many tasks, one after the other, each of which does nothing."""
    for _ in range(count):
        await noop()


@currant.workflow
async def wait() -> currant.Json:
    """Waits for the signal `go`."""
    return await currant.receive("go", currant.Json)
