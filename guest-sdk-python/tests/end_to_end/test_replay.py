"""Workers that are lost, and what a replay must do again in the same way."""

import pytest

import currant
from tests.end_to_end.stack import Stack, wait_until


def test_executions_draw_different_numbers(stack: Stack) -> None:
    drawn = [stack.result("read_random") for _ in range(3)]
    for kind in ("system", "generator", "map_order", "uuids"):
        assert len({str(one[kind]) for one in drawn}) == 3, kind
    one, other = stack.result("random_and_clock", 10), stack.result("random_and_clock", 10)
    assert one["draws_before"] != other["draws_before"]
    assert one["draws_before"] != one["draws_after"]


def test_a_workflows_clock_moves_by_what_is_delivered(stack: Stack) -> None:
    seen = stack.result("random_and_clock", 300)
    assert seen["after_ms"] - seen["before_ms"] >= 300
    assert abs(seen["monotonic_ms"] - (seen["after_ms"] - seen["before_ms"])) <= 1


def test_sets_have_the_same_order_on_a_replay(stack: Stack) -> None:
    handle = stack.start("hash_order", 1_500)
    wait_until("it pauses", lambda: "timer" in stack.journal(handle))
    stack.kill_worker()
    stack.start_worker()
    before, after = handle.result(timeout="60s")
    assert sorted(before) == sorted(after) == list(range(16))


def test_a_workflow_goes_on_where_it_was_when_its_worker_is_killed(stack: Stack) -> None:
    handle = stack.start("fan_out", 60)
    query = "select count(*) from currant.executions where parent_workflow_id = %s and status = 'completed'"
    wait_until("some are done", lambda: stack.value(query, handle.id) >= 3)
    stack.kill_worker()
    stack.start_worker()
    assert handle.result(timeout="60s") == list(range(60))
    assert stack.value("select count(*) from currant.executions where parent_workflow_id = %s", handle.id) == 60


def test_of_two_workers_one_goes_on_with_what_the_other_ran_when_it_is_killed(stack: Stack) -> None:
    stack.start_worker()
    task, workflow = stack.start("sleep", 600_000, retries=1), stack.start("fan_out", 60)
    lost = wait_until("somebody runs the task", lambda: stack.worker_of(task))
    lost.kill()
    [stack.worker] = [worker for worker in stack.workers if worker.is_running]
    wait_until("the other one runs it", lambda: stack.worker_of(task) is stack.worker)
    attempts = "select attempt from currant.attempts where id = %s"
    assert stack.value(attempts, task.id) == 1, "the attempt that was lost counts"
    assert workflow.result(timeout="60s") == list(range(60))
    task.cancel()
    with pytest.raises(currant.Cancelled):
        task.result(timeout="60s")


def test_a_worker_takes_the_settings_of_its_program(stack: Stack) -> None:
    alone = currant.Worker(
        stack.url, slots=3, queues=["only-mine"], environment=stack.environment(), cwd=stack.folder, log="warn"
    )
    query = "select slots, queues from currant.worker_heartbeats where pid = %s"
    with alone:
        wait_until("it has introduced itself", lambda: stack.rows(query, alone.pid))
        assert stack.rows(query, alone.pid) == [(3, ["only-mine"])]
        handle = stack.start("echo", 1, queue="only-mine")
        assert handle.result(timeout="60s") == 1
    assert alone.wait() == 0
    assert not alone.is_running


def test_two_workers_share_the_work(stack: Stack) -> None:
    first = stack.worker
    second = stack.start_worker()
    handles = [stack.start("sleep", 300) for _ in range(150)]
    for handle in handles:
        handle.result(timeout="60s")
    ids = [handle.id for handle in handles]
    assert stack.value("select count(distinct worker_id) from currant.executions where id = any(%s)", ids) == 2
    assert first.stop(timeout="30s") == 0
    assert stack.worker is second
