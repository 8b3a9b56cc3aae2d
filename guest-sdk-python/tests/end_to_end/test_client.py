"""The clients, against a real database."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

import currant
from currant.client import InvalidRequest, NotFound, WrongState
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
            later = await client.enqueue("echo", 1, delay="1 h")
            assert await later.cancel() == "cancelled"
            assert await later.status() == "cancelled"
            async with await psycopg.AsyncConnection.connect(stack.url) as connection:
                undone = await client.enqueue("echo", 1, connection=connection)
                await connection.rollback()
            assert await undone.status() is None

    asyncio.run(main())
