"""What a workflow must not do, or cannot do twice in the same way."""

import os
from pathlib import Path

import currant
from currant import Json
from network import talk
from outcomes import echo


@currant.workflow
async def network_in_workflow(host: str, port: int) -> str:
    """Connects outside a step. Answers what the error said."""
    try:
        return talk(host, port)
    except OSError as error:
        return str(error)


@currant.workflow
async def network_in_step(host: str, port: int) -> str:
    """Connects inside a step, where the module's grants hold."""

    def attempt() -> str:
        try:
            return talk(host, port)
        except OSError as error:
            return str(error)

    return await currant.step("connect", attempt)


@currant.workflow
async def file_in_workflow(path: str) -> str:
    """Reads a file outside a step. Answers what the error said."""
    try:
        return Path(path).read_text()
    except OSError as error:
        return str(error)


@currant.workflow
async def print_in_workflow(pause_ms: int) -> None:
    """Writes to stdout before and after a pause: a replay must not say it again."""
    print("before")
    currant.log.info("before, by log")
    await currant.sleep(pause_ms / 1000)
    print("after")
    currant.log.info("after, by log")


@currant.workflow
async def nondeterministic(pause_ms: int) -> str:
    """Calls another task if the environment variable `BRANCH` says `other`: what a test changes between two runs."""
    branch = os.environ.get("BRANCH", "")
    if branch == "other":
        await currant.tasks.named("fail_until_attempt", 1)
    else:
        await echo(Json.of("usual"))
    await currant.sleep(pause_ms / 1000)
    return branch


@currant.workflow
async def heartbeat_in_workflow() -> None:
    """Says something about the current task, as only tasks may: traps."""
    currant.heartbeat(1)


@currant.workflow
async def panic_flow(message: str) -> None:
    """Aborts after a pause."""
    await currant.sleep("1 ms")
    print(message)
    os.abort()


@currant.workflow
async def loop_flow() -> None:
    """Never ends, and never yields."""
    while True:
        pass
