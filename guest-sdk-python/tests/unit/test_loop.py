"""What asyncio does on an event loop of durable operations, in the test kit."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import currant
from currant import Failure
from currant.testing import Run


@currant.task
def double(number: int) -> int:
    return 2 * number


@currant.task(retries=0)
def broken(reason: str) -> int:
    raise ValueError(reason)


def run(function: Any, *arguments: Any) -> tuple[Any, timedelta]:
    kit = Run()
    return kit.call(function(*arguments)), kit.elapsed()


def test_awaiting_a_call_is_calling_the_task() -> None:
    @currant.workflow
    async def flow(number: int) -> int:
        return await double(number) + 1

    assert run(flow, 4)[0] == 9


def test_gather_runs_calls_and_pauses_at_once() -> None:
    @currant.workflow
    async def flow() -> list[Any]:
        return list(await asyncio.gather(double(1), currant.sleep("2 h"), asyncio.sleep(3600, "slept"), double(3)))

    assert run(flow) == ([2, None, "slept", 6], timedelta(hours=2))


def test_a_failure_in_a_group_cancels_the_others() -> None:
    @currant.workflow
    async def flow() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(3600))
            group.create_task(broken("no"))

    with pytest.raises(Failure) as raised:
        run(flow)
    # The group's wrapping is taken off: what failed is the task.
    assert (raised.value.code, raised.value.message) == ("ValueError", "no")


def test_several_failures_are_named_together() -> None:
    @currant.workflow
    async def flow() -> None:
        async def rest() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                raise KeyError("cleaning up")

        async with asyncio.TaskGroup() as group:
            group.create_task(rest())
            group.create_task(broken("no"))

    with pytest.raises(Failure) as raised:
        run(flow)
    assert raised.value.code == "ExceptionGroup"
    assert "KeyError: 'cleaning up'" in raised.value.message
    assert "ValueError: no" in raised.value.message


def test_asyncios_timeout_cancels_what_takes_too_long() -> None:
    @currant.workflow
    async def flow() -> str:
        try:
            async with asyncio.timeout(30):
                await currant.sleep("1 day")
        except TimeoutError:
            return "too late"
        return "in time"

    assert run(flow) == ("too late", timedelta(seconds=30))


def test_a_timeout_that_is_not_needed_takes_no_time() -> None:
    @currant.workflow
    async def flow() -> int:
        async with asyncio.timeout(30):
            return await double(2)

    assert run(flow) == (4, timedelta(0))


def test_wait_for_and_shield() -> None:
    @currant.workflow
    async def flow() -> list[Any]:
        slow = asyncio.create_task(asyncio.sleep(60, "slow"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(slow), 10)
        return [await asyncio.wait_for(double(1), 10), await slow]

    assert run(flow) == ([2, "slow"], timedelta(seconds=60))


def test_the_first_of_several_operations() -> None:
    @currant.workflow
    async def flow() -> tuple[bool, int]:
        quick, slow = currant.start(currant.sleep(1)), currant.start(currant.sleep(100))
        done, pending = await asyncio.wait([slow, quick], return_when=asyncio.FIRST_COMPLETED)
        for loser in pending:
            loser.cancel()
        return done == {quick}, len(pending)

    assert run(flow) == ((True, 1), timedelta(seconds=1))


def test_a_started_call_goes_on_while_others_are_awaited() -> None:
    @currant.workflow
    async def flow() -> int:
        first, second = double(1).start(), double(2).start()
        return await second + await first

    assert run(flow)[0] == 6


def test_queues_events_and_locks_work() -> None:
    @currant.workflow
    async def flow(count: int) -> list[int]:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        ready, lock = asyncio.Event(), asyncio.Lock()

        async def produce() -> None:
            await ready.wait()
            for number in range(count):
                async with lock:
                    await queue.put(await double(number))

        producer = asyncio.create_task(produce())
        await currant.sleep(1)
        ready.set()
        got = [await queue.get() for _ in range(count)]
        await producer
        return got

    assert run(flow, 4)[0] == [0, 2, 4, 6]


def test_results_come_as_they_are_ready() -> None:
    @currant.workflow
    async def flow() -> list[int]:
        async def rest(seconds: int) -> int:
            await asyncio.sleep(seconds)
            return seconds

        return [await next_one for next_one in asyncio.as_completed([rest(3), rest(1), rest(2)])]

    assert run(flow) == ([1, 2, 3], timedelta(seconds=3))


def test_a_workflow_that_awaits_nothing_durable_is_stuck() -> None:
    @currant.workflow
    async def flow() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Failure, match="the workflow can never go on") as raised:
        run(flow)
    assert raised.value.code == "stuck"


def test_cancellation_is_raised_where_the_workflow_waits_and_can_be_survived() -> None:
    undone = []

    @currant.task
    def undo(what: str) -> None:
        undone.append(what)

    @currant.workflow
    async def flow() -> str:
        try:
            await asyncio.gather(currant.sleep("1 h"), currant.receive("never"))
        except asyncio.CancelledError:
            assert currant.is_cancelled()
            await undo("it")
            return "undone"
        return "done"

    kit = Run().cancel_after("5 s")
    assert kit.call(flow()) == "undone"
    assert undone == ["it"]
    assert kit.elapsed() == timedelta(seconds=5)


def test_a_cancellation_that_is_not_caught_ends_the_workflow() -> None:
    @currant.workflow
    async def flow() -> None:
        await currant.sleep("1 h")

    with pytest.raises(currant.Cancelled):
        Run().cancel_after("5 s").call(flow())


def test_a_timeout_still_works_after_a_cancellation_was_survived() -> None:
    @currant.workflow
    async def flow() -> str:
        try:
            await currant.sleep("1 h")
        except asyncio.CancelledError:
            pass
        try:
            async with asyncio.timeout(1):
                await currant.sleep("1 h")
        except TimeoutError:
            return "timed out"
        return "slept"

    assert Run().cancel_after("5 s").call(flow()) == "timed out"


def test_a_step_runs_when_everything_else_is_parked() -> None:
    order = []

    @currant.workflow
    async def flow() -> list[Any]:
        async def talk() -> None:
            order.append("beside, before")
            await asyncio.sleep(0)
            order.append("beside, parked")
            await currant.sleep(1)

        beside = asyncio.create_task(talk())
        await currant.step("look", lambda: order.append("step"))
        await beside
        return []

    run(flow)
    assert order == ["beside, before", "beside, parked", "step"]


def test_a_step_may_be_async_and_its_pauses_are_real() -> None:
    async def closure() -> list[int]:
        return list(await asyncio.gather(asyncio.sleep(0.001, 1), asyncio.sleep(0, 2)))

    @currant.workflow
    async def flow() -> list[int]:
        return await currant.step("rest", closure)

    assert run(flow)[0] == [1, 2]


def test_a_failing_step_fails_with_its_exception() -> None:
    def closure() -> None:
        raise LookupError("not there")

    @currant.workflow
    async def flow() -> None:
        await currant.step("look", closure)

    with pytest.raises(Failure) as raised:
        run(flow)
    assert raised.value.code == "LookupError"
    assert "in closure" in raised.value.details["traceback"]


def test_nothing_durable_is_possible_inside_a_step() -> None:
    @currant.workflow
    async def flow() -> None:
        await currant.step("too-much", lambda: currant.sleep(1).start())

    with pytest.raises(Failure, match=r"not possible inside a step \(`too-much`\)"):
        run(flow)


def test_what_needs_sockets_or_threads_is_refused_in_words() -> None:
    @currant.workflow
    async def connect() -> None:
        await asyncio.open_connection("localhost", 80)

    @currant.workflow
    async def thread() -> None:
        await asyncio.to_thread(print)

    for flow, words in ((connect, "a sandbox has neither"), (thread, "a sandbox has no threads")):
        with pytest.raises(Failure, match=words) as raised:
            run(flow)
        assert raised.value.code == "NotImplementedError"


def test_sets_of_tasks_have_the_same_order_every_time() -> None:
    @currant.workflow
    async def flow(garbage: int) -> list[int]:
        # Other addresses, same order.
        kept = [object() for _ in range(garbage)]

        async def number(value: int) -> int:
            return value

        done, _ = await asyncio.wait([asyncio.create_task(number(value)) for value in range(20)])
        del kept
        return [task.result() for task in done]

    assert run(flow, 0)[0] == run(flow, 7)[0] == run(flow, 1001)[0]


def test_a_call_can_be_awaited_only_once() -> None:
    @currant.workflow
    async def flow() -> int:
        call = double(1)
        await call
        return await call

    with pytest.raises(Failure, match="was awaited or started before"):
        run(flow)


def test_a_call_that_is_never_awaited_is_noticed() -> None:
    with pytest.warns(RuntimeWarning, match="the task `double` was called and never awaited: it never began"):
        double(1)


def test_a_call_that_is_cancelled_before_it_began_is_no_oversight() -> None:
    @currant.workflow
    async def flow() -> str:
        task = asyncio.create_task(double(1))
        task.cancel()
        await asyncio.sleep(1)
        return "cancelled" if task.cancelled() else "ran"

    assert run(flow)[0] == "cancelled"


def test_continue_as_new_begins_again_with_the_next_input() -> None:
    @currant.workflow
    async def count_down(left: int) -> str:
        if left == 0:
            return "lift-off"
        await currant.sleep(1)
        currant.continue_as_new(left - 1)

    assert run(count_down, 3) == ("lift-off", timedelta(seconds=3))


def test_an_async_task_runs_on_a_loop_that_blocks() -> None:
    @currant.task
    async def both() -> list[int]:
        return list(await asyncio.gather(asyncio.sleep(0.001, 1), asyncio.sleep(0.002, 2)))

    assert both().run() == [1, 2]


async def _in_a_loop() -> int:
    @currant.workflow
    async def flow() -> int:
        return await double(2)

    # An async test: the kit runs inside a loop, and awaiting outside of workflows just runs.
    return Run().call(flow()) + await double(1)


def test_the_kit_works_inside_another_loop() -> None:
    assert asyncio.run(_in_a_loop()) == 6
