"""Clients for ordinary programs: start executions, wait for them, signal and cancel them. Needs psycopg 3 (``pip install 'currant[client]'``).

They call the SQL functions of the schema `currant`, and hold no logic of their own.

::

    client = currant.Client("postgres://localhost/shop")
    order = client.enqueue("checkout", {"order": 42}, task_id="order-42")
    print(order.result(timeout="1 min"))

    with connection.transaction():  # yours: the order and its checkout are stored together, or neither is
        connection.execute("insert into orders …")
        client.enqueue("checkout", {"order": 42}, connection=connection)
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Generic, TypedDict, TypeVar, Unpack, cast, overload
from uuid import UUID

from currant import _durations, _failures, _functions, _values
from currant._calls import Function
from currant._durations import Duration

try:
    import psycopg
    import psycopg_pool
    from psycopg.rows import tuple_row
except ImportError as error:
    raise ImportError(f"currant.client needs psycopg 3 and its pool ({error}): pip install 'currant[client]'") from None

__all__ = [
    "AsyncClient", "AsyncHandle", "Client", "ClientError", "EnqueueOptions", "Handle", "InvalidRequest", "NotFound", "QueueSettings",
    "WrongState",
]  # fmt: skip

T = TypeVar("T")
Row = tuple[Any, ...]

POLL = 1.0
"""Seconds between two looks while waiting for a notification, which may be lost."""


class ClientError(Exception):
    """The database refused a request. `hint` says what to do, if it is known."""

    hint: str | None = None


class InvalidRequest(ClientError):
    """The arguments are wrong."""


class NotFound(ClientError):
    """There is no such execution or token."""


class WrongState(ClientError):
    """The state of the execution does not allow it."""


_CODES: dict[str, type[ClientError]] = {"CU400": InvalidRequest, "CU404": NotFound, "CU409": WrongState}


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if (kind := _CODES.get(error.sqlstate or "")) is not None:
            refused = kind(error.diag.message_primary or str(error))
            refused.hint = error.diag.message_hint
            raise refused from None
        if error.sqlstate in ("42883", "3F000"):
            missing = ClientError("this database has not the schema `currant`, or an older one")
            missing.hint = "currant-host migrate up"
            raise missing from error
        raise


# --- statements, and what their rows mean


@dataclass(frozen=True)
class _Statement:
    sql: str
    parameters: tuple[Any, ...]


def _enqueue(
    function: Function[..., Any] | str, arguments: tuple[Any, ...], task_id: str | None, options: dict[str, Any]
) -> _Statement:
    name, encode = _inputs(function)
    said, parameters = _options(**options)
    return _Statement(
        f"select id, status, result::text, created, conflict from currant.enqueue(%s, %s::json, task_id => %s, {said})",
        (name, encode(arguments), task_id, *parameters),
    )


def _enqueue_many(function: Function[..., Any] | str, inputs: Iterable[Any], options: dict[str, Any]) -> _Statement:
    name, encode = _inputs(function)
    texts = [encode(input if isinstance(input, tuple) else (input,)) for input in inputs]
    said, parameters = _options(**options)
    return _Statement(
        f"select unnest(currant.enqueue_many(%s, %s::text[]::json[], {said}))", (name, texts, *parameters)
    )


def _inputs(function: Function[..., Any] | str) -> tuple[str, Callable[[tuple[Any, ...]], str]]:
    """The function's name, and what makes of its arguments the text of an input."""
    if isinstance(function, Function):
        definition = function._definition
        return definition.name, lambda arguments: definition.encode_input(definition.bind(*arguments))
    what = f"the input of `{function}`"
    return function, lambda arguments: _values.encode(what, _functions._packed(list(arguments)))


def _options(
    queue: str | None,
    priority: int | None,
    run_at: datetime | None,
    delay: Duration | None,
    timeout: Duration | None,
    queue_timeout: Duration | None,
    total_timeout: Duration | None,
    retries: int | None,
    concurrency_key: str | None,
    tags: Sequence[str],
    trace_id: str | None,
    baggage: dict[str, str] | None,
) -> tuple[str, tuple[Any, ...]]:
    """What both functions take."""
    context = {name: value for name, value in (("trace_id", trace_id), ("baggage", baggage)) if value is not None}
    return (
        "queue => %s, priority => %s, run_at => coalesce(%s::timestamptz, currant.now() + %s::interval), timeout => %s,"
        " queue_timeout => %s, total_timeout => %s, retries => %s, concurrency_key => %s, tags => %s, trace_context => %s::json",
        (
            queue,
            priority,
            run_at,
            _interval(delay),
            _interval(timeout),
            _interval(queue_timeout),
            _interval(total_timeout),
            retries,
            concurrency_key,
            list(tags),
            _values.encode("the trace context", context) if context else None,
        ),
    )


class EnqueueOptions(TypedDict, total=False):
    """What can be said about executions that are started. What is not said is as their function says."""

    queue: str | None
    priority: int | None
    """Higher goes first."""
    run_at: datetime | None
    """Not before this time …"""
    delay: Duration | None
    """… or not before this much time has passed."""
    timeout: Duration | None
    """How long one attempt may take."""
    queue_timeout: Duration | None
    """How long it may wait for its first attempt."""
    total_timeout: Duration | None
    """How long it may take from its start to its end."""
    retries: int | None
    """Retries after the first attempt."""
    concurrency_key: str | None
    """Executions with the same key share the queue's concurrency limit per key."""
    tags: Sequence[str]
    """Marks it for ``currant list --tag``."""
    trace_id: str | None
    """The trace that it belongs to (W3C), …"""
    baggage: dict[str, str] | None
    """… and what travels with it."""


_NOTHING_SAID: EnqueueOptions = {
    "queue": None, "priority": None, "run_at": None, "delay": None, "timeout": None, "queue_timeout": None, "total_timeout": None,
    "retries": None, "concurrency_key": None, "tags": (), "trace_id": None, "baggage": None,
}  # fmt: skip


class QueueSettings(TypedDict, total=False):
    """Settings of a queue. What is not named is left alone; what is named holds at once, and stands before the workers' currant.toml."""

    paused: bool
    """Holds first claims of attempts back."""
    rate_limit: str
    """How many attempts may begin in a time, in all workers together: ``100/sec``, ``1000/min``, ``5/hour``."""
    burst: int
    """How many may begin at once when the queue was quiet."""
    concurrency: int
    """How many run at once, in all workers together."""
    concurrency_per_key: int
    """How many of them with the same concurrency key."""
    retention: Duration
    """How long what has ended is kept, tasks and workflows; ``"forever"`` is a length too."""
    retention_tasks: Duration
    retention_workflows: Duration
    retention_failed: Duration
    retention_cancelled: Duration
    without: Sequence[str]
    """Names of settings that are not to hold."""


_FOREVER = timedelta(days=3_652_500)


def _configure_queue(name: str, settings: QueueSettings) -> _Statement:
    said: dict[str, Any] = dict(settings)
    if (both := said.pop("retention", None)) is not None:
        said = {"retention_tasks": both, "retention_workflows": both, **said}
    if unknown := said.keys() - QueueSettings.__annotations__.keys():
        raise TypeError(
            f"there is no setting {min(unknown)!r} of queues; there are {', '.join(QueueSettings.__annotations__)}"
        )
    for setting, value in said.items():
        if setting.startswith("retention") and value is not None:
            said[setting] = _FOREVER if value == "forever" else _interval(value)
        elif setting == "without":
            said[setting] = list(value)
    named = "".join(f", {setting} => %s" for setting in said)
    return _Statement(f"select currant.configure_queue(%s{named})", (name, *said.values()))


def _reset_queue(name: str, settings: tuple[str, ...]) -> _Statement:
    return _Statement("select currant.reset_queue(%s, %s::text[])", (name, list(settings) or None))


def _interval(length: Duration | None) -> timedelta | None:
    return None if length is None else timedelta(milliseconds=_durations.milliseconds(length))


def _result(id: UUID) -> _Statement:
    return _Statement("select status, result::text, failure::text from currant.result(%s)", (id,))


def _signal(id: UUID, name: str, payload: Any, dedup_id: str | None) -> _Statement:
    text = _values.encode("the payload", payload)
    return _Statement("select currant.signal(%s, %s, %s::json, %s)", (id, name, text, dedup_id))


def _status(id: UUID) -> _Statement:
    return _Statement("select currant.status_of(%s)", (id,))


def _cancel(id: UUID) -> _Statement:
    return _Statement("select currant.cancel(%s)", (id,))


def _retry(id: UUID, from_start: bool) -> _Statement:
    return _Statement("select currant.retry(%s, %s)", (id, from_start))


def _complete(token: str, result: Any) -> _Statement:
    return _Statement("select currant.complete(%s, %s::json)", (token, _values.encode("the result", result)))


def _fail(token: str, failure: _failures.Failure) -> _Statement:
    said = {"code": failure.code, "message": failure.message or failure.code, "details": failure.details}
    return _Statement("select currant.fail(%s, %s::json)", (token, _values.encode("the failure", said)))


def _ended(id: UUID, row: Row | None) -> str | _failures.Failure | None:
    """How it ended; None if it has not."""
    if row is None:
        raise NotFound(f"there is no execution {id}")
    status, result, failure = row
    if status == "completed":
        return cast(str, result)
    if status in ("failed", "cancelled", "timed_out"):
        said = _values.read(failure, Any)
        details = said.get("details")
        text = None if details is None else _values.encode("details", details)
        return _failures.received(said["code"], said["message"], text, bool(said.get("retryable")), None)
    return None


def _value(what: str, ended: str | _failures.Failure, type: Any) -> Any:
    if isinstance(ended, _failures.Failure):
        raise ended
    return _values.decode("invalid-result", what, ended, type)


def _returns(function: Function[..., Any] | str) -> Any:
    return function._definition.returns if isinstance(function, Function) else Any


# --- for programs that block


class Client:
    """Starts executions, and asks about them. May be shared by threads; connects when it is first used."""

    def __init__(self, url: str, *, max_connections: int = 4) -> None:
        self.url = url
        self._pool = psycopg_pool.ConnectionPool(
            # Nothing is kept in a session, so that a pooler may stand in between.
            url, min_size=0, max_size=max_connections, open=False, kwargs={"autocommit": True, "prepare_threshold": None}
        )  # fmt: skip
        self._opening = threading.Lock()
        self._opened = False

    def close(self) -> None:
        """Ends its connections."""
        self._pool.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        with self._opening:
            if not self._opened:
                # A pool tries for long, and does not say why it failed.
                psycopg.connect(self.url).close()
                self._pool.open()
                self._opened = True

    def _row(self, statement: _Statement, connection: psycopg.Connection[Any] | None = None) -> Row | None:
        return next(iter(self._rows(statement, connection)), None)

    def _rows(self, statement: _Statement, connection: psycopg.Connection[Any] | None = None) -> list[Row]:
        with _in_words(), contextlib.ExitStack() as stack:
            if connection is None:
                self._open()
                connection = stack.enter_context(self._pool.connection())
            cursor = stack.enter_context(connection.cursor(row_factory=tuple_row))
            return cursor.execute(statement.sql, statement.parameters).fetchall()

    @overload
    def enqueue(self, function: Function[..., T], *arguments: Any, **options: Any) -> Handle[T]: ...
    @overload
    def enqueue(self, function: str, *arguments: Any, **options: Any) -> Handle[Any]: ...
    def enqueue(
        self,
        function: Function[..., Any] | str,
        *arguments: Any,
        task_id: str | None = None,
        connection: psycopg.Connection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> Handle[Any]:
        """Starts a task or workflow, by its name or as the function itself.

        With a `task_id` that an open or completed execution has, it is that one: `created` of the handle is false then, and `conflict` says
        that function or input differ. With a `connection` of yours it is part of your transaction.
        """
        row = self._row(_enqueue(function, arguments, task_id, {**_NOTHING_SAID, **options}), connection)
        assert row is not None
        return Handle(self, row[0], row[3], row[4], _returns(function))

    def enqueue_many(
        self,
        function: Function[..., Any] | str,
        inputs: Iterable[Any],
        *,
        connection: psycopg.Connection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> list[Handle[Any]]:
        """Starts one for each of `inputs`, in one transaction and in their order. A tuple is all arguments, anything else the only one."""
        rows = self._rows(_enqueue_many(function, inputs, {**_NOTHING_SAID, **options}), connection)
        return [Handle(self, row[0], True, False, _returns(function)) for row in rows]

    def configure_queue(self, name: str, **settings: Unpack[QueueSettings]) -> None:
        """Creates a queue, or changes those of its settings that are named: they hold at once, in every worker, until they are reset."""
        self._row(_configure_queue(name, settings))

    def reset_queue(self, name: str, *settings: str) -> None:
        """Takes back what was set by command, all of it if nothing is named: what the workers' files say holds again, or the default."""
        self._row(_reset_queue(name, settings))

    def pause_queue(self, name: str) -> None:
        """Starts nothing new from this queue. What runs goes on, and workflows that began are woken."""
        self._row(_configure_queue(name, {"paused": True}))

    def resume_queue(self, name: str) -> None:
        """Ends a pause."""
        self._row(_configure_queue(name, {"paused": False}))

    def handle(self, id: UUID | str, returns: Any = Any) -> Handle[Any]:
        """Of an execution that somebody else started."""
        return Handle(self, id if isinstance(id, UUID) else UUID(id), False, False, returns)

    def complete(self, token: str, result: Any = None) -> None:
        """Completes the external operation that the token was made for."""
        self._row(_complete(token, result))

    def fail(self, token: str, failure: _failures.Failure) -> None:
        """Fails the external operation that the token was made for."""
        self._row(_fail(token, failure))


@dataclass(frozen=True)
class Handle(Generic[T]):
    """An execution."""

    client: Client
    id: UUID
    created: bool
    """Whether it was started, and not found under its task_id."""
    conflict: bool
    """Whether what was found differs from what was asked for."""
    _type: Any = Any

    def status(self) -> str | None:
        """pending, running, suspended, completed, failed, cancelled or timed_out; None if it is not kept any more."""
        row = self.client._row(_status(self.id))
        return None if row is None else row[0]

    def result(self, timeout: Duration | None = None) -> T:
        """Waits for its end. What it failed with is raised; `TimeoutError` if it takes longer than `timeout`."""
        until = None if timeout is None else time.monotonic() + _durations.seconds(timeout)
        ended = _ended(self.id, self.client._row(_result(self.id)))
        if ended is None:
            # A session of its own: a pooler would lose the LISTEN.
            with psycopg.connect(self.client.url, autocommit=True) as listener:
                listener.execute("listen currant_ended")
                while (ended := _ended(self.id, self.client._row(_result(self.id)))) is None:
                    left = POLL if until is None else min(POLL, until - time.monotonic())
                    if left <= 0:
                        raise TimeoutError(f"execution {self.id} has not ended within {timeout}")
                    for notice in listener.notifies(timeout=left):
                        if str(self.id) in notice.payload.split(","):
                            break
        return cast(T, _value(f"the result of execution {self.id}", ended, self._type))

    def cancel(self) -> str:
        """Cancels it and what it started: `cancelled`, `requested`, or the status in which it had ended.

        A workflow that was asked to stop before is ended at once, and undoes nothing more.
        """
        row = self.client._row(_cancel(self.id))
        assert row is not None
        return cast(str, row[0])

    def signal(self, name: str, payload: Any = None, *, dedup_id: str | None = None) -> bool:
        """Sends a signal. False if one with this `dedup_id` was sent before."""
        row = self.client._row(_signal(self.id, name, payload, dedup_id))
        assert row is not None
        return cast(bool, row[0])

    def retry(self, *, from_start: bool = False) -> None:
        """Tries it again, if it failed, was cancelled or timed out."""
        self.client._row(_retry(self.id, from_start))


# --- for programs that await


class AsyncClient:
    """The same for asyncio: ``order = await client.enqueue(…)``, ``await order.result()``. One connection listens for all that wait."""

    def __init__(self, url: str, *, max_connections: int = 4) -> None:
        self.url = url
        self._pool = psycopg_pool.AsyncConnectionPool(
            url,
            min_size=0,
            max_size=max_connections,
            open=False,
            kwargs={"autocommit": True, "prepare_threshold": None},
        )
        self._listener = _Listener(url)
        self._opening = asyncio.Lock()
        self._opened = False

    async def close(self) -> None:
        """Ends its connections."""
        await self._listener.close()
        await self._pool.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        await self.close()

    async def _open(self) -> None:
        async with self._opening:
            if not self._opened:
                await (await psycopg.AsyncConnection.connect(self.url)).close()
                await self._pool.open()
                self._opened = True

    async def _row(self, statement: _Statement, connection: psycopg.AsyncConnection[Any] | None = None) -> Row | None:
        return next(iter(await self._rows(statement, connection)), None)

    async def _rows(self, statement: _Statement, connection: psycopg.AsyncConnection[Any] | None = None) -> list[Row]:
        with _in_words():
            async with contextlib.AsyncExitStack() as stack:
                if connection is None:
                    await self._open()
                    connection = await stack.enter_async_context(self._pool.connection())
                assert connection is not None
                cursor = await stack.enter_async_context(connection.cursor(row_factory=tuple_row))
                await cursor.execute(statement.sql, statement.parameters)
                return await cursor.fetchall()

    @overload
    async def enqueue(self, function: Function[..., T], *arguments: Any, **options: Any) -> AsyncHandle[T]: ...
    @overload
    async def enqueue(self, function: str, *arguments: Any, **options: Any) -> AsyncHandle[Any]: ...
    async def enqueue(
        self,
        function: Function[..., Any] | str,
        *arguments: Any,
        task_id: str | None = None,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> AsyncHandle[Any]:
        """Starts a task or workflow, by its name or as the function itself.

        With a `task_id` that an open or completed execution has, it is that one: `created` of the handle is false then, and `conflict` says
        that function or input differ. With a `connection` of yours it is part of your transaction.
        """
        row = await self._row(_enqueue(function, arguments, task_id, {**_NOTHING_SAID, **options}), connection)
        assert row is not None
        return AsyncHandle(self, row[0], row[3], row[4], _returns(function))

    async def enqueue_many(
        self,
        function: Function[..., Any] | str,
        inputs: Iterable[Any],
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> list[AsyncHandle[Any]]:
        """Starts one for each of `inputs`, in one transaction and in their order. A tuple is all arguments, anything else the only one."""
        rows = await self._rows(_enqueue_many(function, inputs, {**_NOTHING_SAID, **options}), connection)
        return [AsyncHandle(self, row[0], True, False, _returns(function)) for row in rows]

    async def configure_queue(self, name: str, **settings: Unpack[QueueSettings]) -> None:
        """Creates a queue, or changes those of its settings that are named: they hold at once, in every worker, until they are reset."""
        await self._row(_configure_queue(name, settings))

    async def reset_queue(self, name: str, *settings: str) -> None:
        """Takes back what was set by command, all of it if nothing is named: what the workers' files say holds again, or the default."""
        await self._row(_reset_queue(name, settings))

    async def pause_queue(self, name: str) -> None:
        """Starts nothing new from this queue. What runs goes on, and workflows that began are woken."""
        await self._row(_configure_queue(name, {"paused": True}))

    async def resume_queue(self, name: str) -> None:
        """Ends a pause."""
        await self._row(_configure_queue(name, {"paused": False}))

    def handle(self, id: UUID | str, returns: Any = Any) -> AsyncHandle[Any]:
        """Of an execution that somebody else started."""
        return AsyncHandle(self, id if isinstance(id, UUID) else UUID(id), False, False, returns)

    async def complete(self, token: str, result: Any = None) -> None:
        """Completes the external operation that the token was made for."""
        await self._row(_complete(token, result))

    async def fail(self, token: str, failure: _failures.Failure) -> None:
        """Fails the external operation that the token was made for."""
        await self._row(_fail(token, failure))


@dataclass(frozen=True)
class AsyncHandle(Generic[T]):
    """An execution. Awaiting it is awaiting its result."""

    client: AsyncClient
    id: UUID
    created: bool
    """Whether it was started, and not found under its task_id."""
    conflict: bool
    """Whether what was found differs from what was asked for."""
    _type: Any = Any

    async def status(self) -> str | None:
        """pending, running, suspended, completed, failed, cancelled or timed_out; None if it is not kept any more."""
        row = await self.client._row(_status(self.id))
        return None if row is None else row[0]

    async def result(self, timeout: Duration | None = None) -> T:
        """Waits for its end. What it failed with is raised; `TimeoutError` if it takes longer than `timeout`."""
        try:
            async with asyncio.timeout(None if timeout is None else _durations.seconds(timeout)):
                ended = await self._end()
        except TimeoutError:
            raise TimeoutError(f"execution {self.id} has not ended within {timeout}") from None
        return cast(T, _value(f"the result of execution {self.id}", ended, self._type))

    async def _end(self) -> str | _failures.Failure:
        async with self.client._listener.of(self.id) as news:
            while (ended := _ended(self.id, await self.client._row(_result(self.id)))) is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), POLL)
                news.clear()
            return ended

    def __await__(self) -> Generator[Any, Any, T]:
        return self.result().__await__()

    async def cancel(self) -> str:
        """Cancels it and what it started: `cancelled`, `requested`, or the status in which it had ended.

        A workflow that was asked to stop before is ended at once, and undoes nothing more.
        """
        row = await self.client._row(_cancel(self.id))
        assert row is not None
        return cast(str, row[0])

    async def signal(self, name: str, payload: Any = None, *, dedup_id: str | None = None) -> bool:
        """Sends a signal. False if one with this `dedup_id` was sent before."""
        row = await self.client._row(_signal(self.id, name, payload, dedup_id))
        assert row is not None
        return cast(bool, row[0])

    async def retry(self, *, from_start: bool = False) -> None:
        """Tries it again, if it failed, was cancelled or timed out."""
        await self.client._row(_retry(self.id, from_start))


class _Listener:
    """Hears of ends while somebody waits. A hint only: who waits looks every second anyway."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._news: dict[str, list[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def of(self, id: UUID) -> AsyncIterator[asyncio.Event]:
        """An event that is set when this execution may have ended."""
        news = asyncio.Event()
        self._news.setdefault(str(id), []).append(news)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())
        try:
            yield news
        finally:
            waiting = self._news[str(id)]
            waiting.remove(news)
            if not waiting:
                del self._news[str(id)]

    async def _listen(self) -> None:
        with contextlib.suppress(psycopg.Error):
            async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
                await connection.execute("listen currant_ended")
                # What ended before it listened.
                for waiting in self._news.values():
                    for news in waiting:
                        news.set()
                async for notice in connection.notifies():
                    for id in notice.payload.split(","):
                        for news in self._news.get(id, ()):
                            news.set()
        # The connection is gone; the next who waits makes another, and until then polling goes on.

    async def close(self) -> None:
        """Stops listening."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
