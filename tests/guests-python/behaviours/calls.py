"""Workflows that call."""

import asyncio
from dataclasses import dataclass
from typing import Any

import currant
from currant import Failure, Json, RetryPolicy
from liveness import sleep
from outcomes import Fault, echo, fail
from waiting import sleep_flow


@currant.workflow
async def echo_flow(value: Json) -> Json:
    """Calls `echo`."""
    return await echo(value)


@currant.workflow
async def json_bytes(value: Json) -> Json:
    """Answers its input, byte for byte, and does nothing else."""
    return value


@dataclass
class Call:
    """Any task, by name."""

    function: str
    input: Json | None = None


@currant.workflow
async def call_task(call: Call) -> Any:
    """Calls a task by its name."""
    return await currant.tasks.named(call.function, call.input)


@currant.workflow
async def call_workflow(call: Call) -> Any:
    """Calls a workflow by its name."""
    return await currant.workflows.named(call.function, call.input)


@currant.workflow
async def sequence(tasks: int) -> int:
    """So many tasks, one after the other. Answers their sum."""
    total = 0
    for number in range(tasks):
        total += (await echo(Json.of(number))).read(int)
    return total


@currant.workflow
async def fan_out(tasks: int) -> list[int]:
    """So many tasks at once. Answers their results in the order of their calls."""
    calls = [currant.start(echo(Json.of(number))) for number in range(tasks)]
    return [(await call).read(int) for call in calls]


@currant.workflow
async def fan_out_joined(tasks: int) -> list[int]:
    """The same by `gather`, in which each result wakes its own call only."""
    results = await asyncio.gather(*(echo(Json.of(number)) for number in range(tasks)))
    return [result.read(int) for result in results]


@currant.workflow
async def joined() -> tuple[Json, Json]:
    """Two tasks at once, by `gather`."""
    first, second = await asyncio.gather(echo(Json.of("a")), echo(Json.of("b")))
    return first, second


@currant.workflow
async def call_with_options(value: Json) -> Json:
    """One call with everything that can be said about one."""
    call = echo.with_(
        queue="aside",
        priority=7,
        delay="50ms",
        task_id=f"{currant.context().id}-echo",
        retry=RetryPolicy(retries=1, backoff="10ms"),
        timeout="10s",
        total_timeout="60s",
        queue_timeout="30s",
        concurrency_key="a-tenant",
        tags=["blue", "round"],
    )
    return await call(value)


@currant.workflow
async def attach(value: Json) -> tuple[Json, Json]:
    """Calls a task twice under one id: the second call attaches to what the first one started."""
    once = echo.with_(task_id=f"{currant.context().id}-once")
    first, second = await asyncio.gather(once(value), once(value))
    return first, second


@currant.workflow
async def child_flow(value: Json) -> Json:
    """A child workflow. Answers what it answers."""
    return await echo_flow(value)


@currant.workflow
async def detached_child(milliseconds: int) -> None:
    """Starts a child that outlives it, and answers at once."""
    sleep_flow.with_(detached=True)(milliseconds).start().detach()


@currant.workflow
async def attached_child(milliseconds: int) -> None:
    """Starts a child that does not outlive it, and answers when a task has run."""
    sleep_flow(milliseconds).start().detach()
    await echo(Json.of(0))


@dataclass
class Seen:
    """What a workflow sees of a failure."""

    code: str
    message: str
    details: str | None
    cancelled: bool
    timed_out: bool


@currant.workflow
async def catch_failure(fault: Fault) -> Seen | str:
    """Calls a task that fails, and answers how."""
    try:
        await fail(fault)
    except Failure as failure:
        return seen(failure)
    return "it did not fail"


@currant.workflow
async def catch_timeout(limit_ms: int) -> Seen | str:
    """Calls a task that takes too long, and answers how that looks."""
    try:
        await sleep.with_(timeout=limit_ms / 1000)(60_000)
    except Failure as failure:
        return seen(failure)
    return "it was quick enough"


@currant.workflow
async def pass_failure_on(fault: Fault) -> None:
    """Calls a task that fails, and fails with it."""
    await fail(fault)


def seen(failure: Failure) -> Seen:
    cancelled, timed_out = isinstance(failure, currant.Cancelled), isinstance(failure, currant.TimedOut)
    return Seen(failure.code, failure.message, failure.details_json, cancelled, timed_out)
