"""The test kit."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

import currant
from currant import Failure
from currant.testing import Run


@currant.task(retries=3, backoff="1 s")
def charge(amount: int) -> str:
    if currant.context().attempt < 3:
        raise Failure("busy", "again")
    return f"paid {amount}"


@currant.workflow
async def pay(amount: int) -> str:
    await currant.sleep("1 day")
    return await charge(amount)


def test_timers_jump_and_retries_are_made_with_their_pauses() -> None:
    run = Run()
    assert run.call(pay(12)) == "paid 12"
    assert run.called(charge) == run.called("charge") == 3
    assert run.elapsed() == timedelta(days=1, seconds=3)


def test_a_mock_stands_for_a_task_and_may_fail() -> None:
    answers: Iterator[Failure | str] = iter([Failure("busy", "no"), "mocked"])

    def mock(amount: int) -> str:
        answer = next(answers)
        if isinstance(answer, Failure):
            raise answer
        return answer

    run = Run().mock(charge, mock)
    assert run.call(pay(12)) == "mocked"
    assert run.called(charge) == 2


def test_a_mock_may_stand_for_a_function_of_another_module() -> None:
    @currant.workflow
    async def convert(euros: int) -> int:
        return await currant.tasks.named("dollars", euros, returns=int)

    assert Run().mock("dollars", lambda euros: euros * 2).call(convert(4)) == 8


def test_a_function_that_nobody_has_fails() -> None:
    @currant.workflow
    async def convert() -> int:
        return await currant.tasks.named("not-there", 1, returns=int)

    with pytest.raises(Failure, match="this module has no function `not-there`"):
        Run().call(convert())


def test_signals_come_when_they_are_said_to() -> None:
    @currant.workflow
    async def listen() -> list[str | None]:
        first = await currant.receive("name", str, timeout="10 s")
        second = await currant.receive("name", str, timeout="10 s")
        return [first, second, await currant.receive("name", str)]

    run = Run().signal_after("30 s", "name", "late").signal("name", "early")
    assert run.call(listen()) == ["early", None, "late"]
    assert run.elapsed() == timedelta(seconds=30)


def test_a_signal_that_never_comes_is_named() -> None:
    @currant.workflow
    async def listen() -> None:
        await currant.receive("name")

    with pytest.raises(Failure, match="the test never gives the signal `name`"):
        Run().call(listen())


def test_external_results_are_given_by_number() -> None:
    @currant.workflow
    async def ask() -> list[int]:
        first, second = currant.external(int), currant.external(int)
        assert first.token != second.token
        return [await second, await first]

    assert Run().complete_external(1, 10).complete_external(2, 20).call(ask()) == [20, 10]
    with pytest.raises(Failure, match="refused"):
        Run().complete_external(1, 10).fail_external(2, Failure("refused", "no")).call(ask())


def test_progress_and_versions_and_the_clock() -> None:
    @currant.workflow
    async def work() -> float:
        currant.publish({"done": 0.5})
        assert currant.version("a-change", 1, 2) == 2
        before = currant.now()
        await currant.sleep("1 h")
        return (currant.now() - before).total_seconds()

    run = Run()
    assert run.call(work()) == 3600
    assert run.published() == {"done": 0.5}


def test_heartbeats_are_there_for_the_next_attempt() -> None:
    @currant.task(retries=1)
    def copy(files: int) -> int:
        done = currant.last_progress(int) or 0
        for number in range(done, files):
            currant.heartbeat(number)
            if done == 0 and number == 3:
                raise OSError("the cable fell out")
        return done

    assert Run().call(copy(5)) == 3


def test_a_queue_that_goes_too_fast_costs_no_retry() -> None:
    @currant.task(retries=0)
    def call() -> str:
        if currant.last_progress() is None:
            currant.heartbeat(True)
            raise currant.RateLimited("30 s")
        return "done"

    run = Run()
    assert run.call(call()) == "done"
    assert run.elapsed() == timedelta(seconds=30)


def test_children_have_children() -> None:
    @currant.workflow
    async def leaf(number: int) -> int:
        await currant.sleep(number)
        return number

    @currant.workflow
    async def tree(depth: int) -> int:
        if depth == 0:
            return await leaf(1)
        return sum(await asyncio.gather(tree(depth - 1), tree(depth - 1)))

    run = Run()
    assert run.call(tree(3)) == 8
    assert run.elapsed() == timedelta(seconds=1)


def test_outside_a_workflow_durable_things_are_refused() -> None:
    with pytest.raises(Failure, match="receiving the signal `name` is only possible in a workflow"):
        currant.receive("name").start()
    with pytest.raises(Failure, match="`publish` is only possible in a workflow"):
        currant.publish(1)


def test_telemetry_natively_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with currant.trace.span("counting", lines=1) as span:
        currant.log.info("charged", order=42)
        currant.metrics.increment("orders")
        span.set(done=True)
    assert "info: charged order=42" in capsys.readouterr().err
    with pytest.raises(ValueError, match="cannot go back"):
        currant.metrics.increment("orders", -1)
