"""The clients, against a real database."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

import currant
from currant.client import Handle, InvalidRequest, NotFound, WrongState
from tests.end_to_end.stack import Stack


@currant.task
def echo(value: dict[str, int]) -> dict[str, int]:
    """Known to this program as well, so that arguments and result are typed."""
    return value


def test_a_function_of_this_program_can_be_enqueued_as_itself(stack: Stack) -> None:
    handle = stack.client.enqueue(echo, {"x": 1})
    assert handle.result(timeout="60s") == {"x": 1}
    assert handle.status() == "completed"


def test_the_same_task_id_is_the_same_execution(stack: Stack) -> None:
    key = str(uuid.uuid4())
    first = stack.start("echo", 1, task_id=key)
    again, other = stack.start("echo", 1, task_id=key), stack.start("echo", 2, task_id=key)
    assert (first.created, again.created, other.created) == (True, False, False)
    assert (again.conflict, other.conflict) == (False, True)
    assert first.id == again.id == other.id
    assert other.result(timeout="60s") == 1


def _in_status(stack: Stack, status: str, key: str) -> tuple[Handle[Any], str, tuple[Any, ...]]:
    """An execution under this key in this status; its function, and its arguments."""
    ways: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
        "pending": ("echo", (1,), {"delay": "1 hour"}),
        "running": ("watch_for_cancellation", (), {}),
        "suspended": ("wait_signal", ("go",), {}),
        "completed": ("echo", (1,), {}),
        "failed": ("fail", ({"code": "declined"},), {"retries": 0}),
        "cancelled": ("echo", (1,), {"delay": "1 hour"}),
        "timed_out": ("watch_for_cancellation", (), {"timeout": "100ms", "retries": 0}),
    }
    function, arguments, options = ways[status]
    handle = stack.start(function, *arguments, task_id=key, **options)
    if status == "cancelled":
        assert handle.cancel() == "cancelled"
    stack.until_status(handle, status)
    return handle, function, arguments


@pytest.mark.parametrize("status", ["pending", "running", "suspended", "completed"])
def test_a_key_of_what_is_open_or_completed_answers_it_and_tells_a_conflict(stack: Stack, status: str) -> None:
    key = str(uuid.uuid4())
    first, function, arguments = _in_status(stack, status, key)
    same = stack.start(function, *arguments, task_id=key)
    other_input = stack.start(function, "another", task_id=key)
    other_function = stack.start("sleep_flow", *arguments, task_id=key)
    assert {first.id} == {same.id, other_input.id, other_function.id}
    assert [handle.created for handle in (first, same, other_input, other_function)] == [True, False, False, False]
    assert [handle.conflict for handle in (same, other_input, other_function)] == [False, True, True]
    assert (same.result(timeout="60s") == 1) if status == "completed" else first.cancel() in ("cancelled", "requested")


@pytest.mark.parametrize("status", ["failed", "cancelled", "timed_out"])
def test_a_key_of_what_did_not_complete_starts_anew(stack: Stack, status: str) -> None:
    key = str(uuid.uuid4())
    first, _, _ = _in_status(stack, status, key)
    again = stack.start("echo", 2, task_id=key)
    assert (again.created, again.conflict) == (True, False)
    assert again.id != first.id
    assert again.result(timeout="60s") == 2


def test_many_are_started_in_one_call_and_in_their_order(stack: Stack) -> None:
    handles = stack.client.enqueue_many("echo", [1, {"b": 2}, ("alone",)], queue="many", tags=["blue"], retries=1)
    assert [handle.result(timeout="60s") for handle in handles] == [1, {"b": 2}, "alone"]
    assert [handle.id for handle in handles] == sorted(handle.id for handle in handles)
    (typed,) = stack.client.enqueue_many(echo, [{"x": 1}])
    assert typed.result(timeout="60s") == {"x": 1}
    rows = stack.rows("select queue, tags, retry ->> 'retries' from currant.requests where id = %s", handles[0].id)
    assert rows == [("many", ["blue"], "1")]
    with psycopg.connect(stack.url) as connection:
        undone = stack.client.enqueue_many("echo", [1], connection=connection)
        connection.rollback()
    assert undone[0].status() is None


def test_a_queue_is_configured_paused_and_reset(stack: Stack) -> None:
    name = f"queue-{uuid.uuid4()}"

    def settings() -> dict[str, Any]:
        return stack.value("select command_settings from currant.queues where name = %s", name)  # type: ignore[no-any-return]

    stack.client.configure_queue(name, rate_limit="100/s", concurrency=3, retention="7d", retention_failed="forever")
    assert settings() == {
        "rate_limit": "100/sec", "concurrency": 3, "retention_tasks": 604_800_000, "retention_workflows": 604_800_000,
        "retention_failed": 315_576_000_000_000,
    }  # fmt: skip
    stack.client.configure_queue(name, without=["concurrency"])
    assert settings()["concurrency"] is None
    stack.client.reset_queue(name, "concurrency", "retention_failed")
    assert sorted(settings()) == ["rate_limit", "retention_tasks", "retention_workflows"]
    stack.client.reset_queue(name)
    assert settings() == {}

    stack.client.pause_queue(name)
    held = stack.start("echo", 1, queue=name)
    assert stack.result("echo", 2) == 2
    assert held.status() == "pending"
    stack.client.resume_queue(name)
    assert held.result(timeout="60s") == 1
    with pytest.raises(InvalidRequest, match="'fast' is not a rate") as raised:
        stack.client.configure_queue(name, rate_limit="fast")
    assert raised.value.hint == "write for example 100/sec, 1000/min or 5/hour"
    with pytest.raises(TypeError, match="there is no setting 'speed' of queues"):
        stack.client.configure_queue(name, speed=1)  # type: ignore[call-arg]


def test_enqueueing_commits_with_the_callers_transaction(stack: Stack) -> None:
    with psycopg.connect(stack.url) as connection:
        with pytest.raises(ZeroDivisionError), connection.transaction():
            undone = stack.client.enqueue("echo", 1, connection=connection)
            raise ZeroDivisionError
        assert undone.status() is None
        with connection.transaction():
            done = stack.client.enqueue("echo", 2, connection=connection)
            assert stack.client.handle(done.id).status() is None
    assert done.result(timeout="60s") == 2


def test_when_and_where_it_runs_can_be_said(stack: Stack) -> None:
    later = stack.start("echo", 1, delay="1 hour", queue="aside", priority=7, tags=["blue"], timeout="1 min", retries=2)
    at = stack.start("echo", 1, run_at=datetime.now(UTC) + timedelta(hours=1))
    assert later.status() == at.status() == "pending"
    row = stack.rows(
        "select queue, priority, tags, run_at > currant.now() + interval '59 min' from currant.executions where id = %s",
        later.id,
    )
    assert row == [("aside", 7, ["blue"], True)]
    assert [handle.cancel() for handle in (later, at)] == ["cancelled", "cancelled"]
    with pytest.raises(currant.Cancelled):
        later.result()


def test_waiting_has_an_end(stack: Stack) -> None:
    handle = stack.start("wait_signal", "go")
    with pytest.raises(TimeoutError, match="has not ended within 100ms"):
        handle.result(timeout="100ms")
    handle.signal("go", "now")
    assert handle.result(timeout="60s") == "now"


def test_what_failed_can_be_retried(stack: Stack) -> None:
    handle = stack.start("fail", {"code": "declined"}, retries=0)
    with pytest.raises(currant.NonRetryable):
        handle.result(timeout="60s")
    handle.retry()
    with pytest.raises(currant.NonRetryable):
        handle.result(timeout="60s")
    with pytest.raises(WrongState, match="only what failed"):
        stack.client.handle(_completed(stack)).retry()


def _completed(stack: Stack) -> uuid.UUID:
    handle = stack.start("echo", 1)
    handle.result(timeout="60s")
    return handle.id


def test_refusals_are_said_in_words(stack: Stack) -> None:
    nobody = stack.client.handle(uuid.uuid4())
    with pytest.raises(NotFound, match="there is no execution"):
        nobody.signal("go")
    with pytest.raises(NotFound, match="there is no execution"):
        nobody.result()
    with pytest.raises(InvalidRequest, match="the function name 'Not A Name' is not valid") as raised:
        stack.start("Not A Name")
    assert raised.value.hint == "names are 1 to 100 of a-z 0-9 _ . -"
    with pytest.raises(InvalidRequest, match="not a token"):
        stack.client.complete("nonsense")
    with pytest.raises(WrongState, match="only workflows receive signals|receives no more signals"):
        stack.start("echo", 1).signal("go")


def test_a_database_without_the_schema_says_what_to_do(stack: Stack) -> None:
    with psycopg.connect(stack.url, autocommit=True) as connection:
        connection.execute("create database empty")
    with currant.Client(stack.url.removesuffix("postgres") + "empty") as client:
        with pytest.raises(currant.client.ClientError, match="has not the schema `currant`") as raised:
            client.enqueue("echo", 1)
    assert raised.value.hint == "currant-host migrate up"


def test_a_database_that_is_not_there_is_an_error_at_once() -> None:
    with (
        currant.Client("postgres://postgres@127.0.0.1:9/postgres") as client,
        pytest.raises(psycopg.OperationalError, match="127.0.0.1"),
    ):
        client.enqueue("echo", 1)


def test_the_async_client_waits_for_many_at_once(stack: Stack) -> None:
    async def main() -> list[int]:
        async with currant.AsyncClient(stack.url) as client:
            handles = await asyncio.gather(*(client.enqueue("echo", number) for number in range(40)))
            results = await asyncio.gather(*handles)
            waiting = await client.enqueue("wait_signal", "go")
            with pytest.raises(TimeoutError):
                await waiting.result(timeout="100ms")
            assert await waiting.signal("go", 41)
            return [*results, await waiting]

    assert asyncio.run(main()) == [*range(40), 41]


def test_the_async_client_cancels_fails_and_takes_part_in_transactions(stack: Stack) -> None:
    async def main() -> None:
        async with currant.AsyncClient(stack.url) as client:
            handle = await client.enqueue("fail", {"code": "declined", "message": "no"})
            with pytest.raises(currant.Failure, match="declined: no"):
                await handle
            await client.configure_queue("async", concurrency=1)
            both = await client.enqueue_many("echo", [1, 2], queue="async")
            assert await asyncio.gather(*both) == [1, 2]
            await client.reset_queue("async")
            later = await client.enqueue("echo", 1, delay="1 h")
            assert await later.cancel() == "cancelled"
            assert await later.status() == "cancelled"
            async with await psycopg.AsyncConnection.connect(stack.url) as connection:
                undone = await client.enqueue("echo", 1, connection=connection)
                await connection.rollback()
            assert await undone.status() is None

    asyncio.run(main())
