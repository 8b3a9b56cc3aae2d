"""The event loops that run user code. asyncio is built on `call_soon`, futures and tasks; these supply them.

::

    run a callback ◄──────────────────────────────────────────┐
      │ none is ready                                          │
      ├─ a step is queued ── its turn: everything is parked ───┤
      ├─ operations are awaited ── the host's `wait` ──────────┤
      └─ none of these ── failure `stuck`

One thread, callbacks in the order in which they became ready: what runs next follows from the code and from the order of deliveries,
which the host records. So a replay takes the same way. For the same reason tasks and futures hash by their number, and not by their
address: sets of them, such as `asyncio.wait` returns, have the same order on every replay.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import heapq
import math
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, TypeVarTuple

from currant import _failures
from currant._failures import Failure
from currant._host import CancellationRequested, Completed, Host, Never, Number, Outcome, Request, Timer, surroundings

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

if TYPE_CHECKING:
    # To a type checker `AbstractEventLoop` is abstract; what ours lacks is refused in words (`_refuse`).
    _Base = asyncio.BaseEventLoop
else:
    _Base = asyncio.AbstractEventLoop


class Loop(_Base):
    """What both loops have in common: callbacks that are ready, and numbers for what is made."""

    def __init__(self) -> None:
        self._ready: collections.deque[asyncio.Handle] = collections.deque()
        self._made = 0
        self._over = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs until it is done. What it leaves behind is not run on."""
        with self._running():
            root = self.create_task(coroutine)
            self._begin(root)
            while not root.done():
                if self._ready:
                    handle = self._ready.popleft()
                    if not handle.cancelled():
                        handle._run()
                else:
                    self._idle()
            result: T = root.result()
            return result

    @contextmanager
    def _running(self) -> Iterator[None]:
        """It may run inside another: an async step in a workflow, a workflow under the test kit in an async test."""
        outer = asyncio._get_running_loop()
        task = asyncio.current_task(outer) if outer is not None else None
        if outer is not None and task is not None:
            asyncio.tasks._leave_task(outer, task)
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            self._over = True
            asyncio._set_running_loop(outer)
            if outer is not None and task is not None:
                asyncio.tasks._enter_task(outer, task)

    def _begin(self, root: asyncio.Task[Any]) -> None:
        pass

    def _idle(self) -> None:
        raise NotImplementedError

    def number(self) -> int:
        """Of the next future or task."""
        self._made += 1
        return self._made

    # What asyncio asks for.

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        # There is only one thread.
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return Task(coro, loop=self, **options)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._over

    def is_closed(self) -> bool:
        return self._over

    async def shutdown_asyncgens(self) -> None:
        pass

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        # What the workflow left behind when it ended is not worth a word.
        if self._over:
            return
        error = context.get("exception")
        message = str(context["message"])
        if isinstance(error, BaseException):
            message += "\n" + _failures.traceback_of(error)
        surroundings().log("error", message, [])


class Future(asyncio.Future[Any]):
    """A future with a number."""

    def __init__(self, *, loop: Loop) -> None:
        super().__init__(loop=loop)
        self._number = loop.number()

    def __hash__(self) -> int:
        return self._number


class Task(asyncio.Task[Any]):
    """A task with a number."""

    def __init__(self, coro: Any, *, loop: Loop, **options: Any) -> None:
        # First: asyncio puts it into a set while it is made.
        self._number = loop.number()
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refused(self: Loop, *args: Any, **options: Any) -> NoReturn:
        raise NotImplementedError(
            _WORDS.get(name, f"asyncio's `{name}` needs sockets or processes, and a sandbox has neither")
        )

    return refused


_WORDS = {
    "run_in_executor": "a sandbox has no threads: call the function directly, or make it a task of its own",
    "run_forever": "the loop runs already: await something",
    "run_until_complete": "the loop runs already: use `await`",
}
for _name in (
    *_WORDS, "getaddrinfo", "getnameinfo", "create_connection", "create_server", "create_unix_connection", "create_unix_server",
    "create_datagram_endpoint", "connect_accepted_socket", "connect_read_pipe", "connect_write_pipe", "subprocess_shell",
    "subprocess_exec", "add_reader", "remove_reader", "add_writer", "remove_writer", "sock_recv", "sock_recv_into", "sock_sendall",
    "sock_connect", "sock_accept", "sendfile", "sock_sendfile", "start_tls", "add_signal_handler", "remove_signal_handler",
):  # fmt: skip
    setattr(Loop, _name, _refuse(_name))


class BlockingLoop(Loop):
    """Runs an `async` task or step, which may simply block: a pause is a pause."""

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []

    def time(self) -> float:
        return time.monotonic()

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, self.number(), handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._timers = [timer for timer in self._timers if timer[2] is not handle]
        heapq.heapify(self._timers)

    def _idle(self) -> None:
        if not self._timers:
            raise _failures.NonRetryable(
                "stuck", "the task can never go on: it awaits something that nobody will ever do"
            )
        when, _, handle = heapq.heappop(self._timers)
        time.sleep(max(0.0, when - self.time()))
        self._ready.append(handle)


class DurableLoop(Loop):
    """Runs one run of a workflow: timers, tasks, signals and the rest are operations of its host."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host
        self.cancelled = False
        """Whether the cancellation of the workflow was requested."""
        self.step: str | None = None
        """The step that runs, if one does."""
        self._operations: dict[Number, Operation[Any]] = {}
        self._timers: dict[Number, asyncio.TimerHandle] = {}
        self._turns: collections.deque[asyncio.Future[None]] = collections.deque()
        self._root: asyncio.Task[Any] | None = None

    def time(self) -> float:
        return self.host.time()

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        length = math.ceil(round((when - self.time()) * 1000, 3))
        if length <= 0:
            self._ready.append(handle)
        else:
            self._timers[self.host.start(Timer(length))] = handle
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        for number, timer in self._timers.items():
            if timer is handle:
                del self._timers[number]
                self._give_up(number)
                return

    def start(self, request: Request, read: Callable[[Outcome], T], *, detached: bool = False) -> Operation[T]:
        """Begins an operation. `read` makes its value of the outcome, or raises."""
        return self._started(self.host.start(request), read, detached)

    def external(self, read: Callable[[Outcome], T]) -> tuple[Operation[T], str]:
        """Begins one that somebody outside completes."""
        number, token = self.host.external()
        return self._started(number, read, False), token

    def _started(self, number: Number, read: Callable[[Outcome], T], detached: bool) -> Operation[T]:
        operation = Operation(self, number, read, detached)
        self._operations[number] = operation
        return operation

    def forget(self, number: Number) -> Operation[Any] | None:
        """Nobody will ask for this operation again."""
        return self._operations.pop(number, None)

    def cancel_operation(self, operation: Operation[Any]) -> None:
        """The workflow gives it up."""
        if self.forget(operation.number) and not operation.detached:
            self._give_up(operation.number)

    def _give_up(self, number: Number) -> None:
        # What is given up after the end was not given up by the workflow.
        if not self._over:
            self.host.cancel(number)

    async def turn(self) -> None:
        """Waits until everything else is parked."""
        turn = self.create_future()
        self._turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._turns:
                self._turns.remove(turn)
            raise

    @contextmanager
    def in_step(self, name: str) -> Iterator[None]:
        """Until the end of the block nothing durable is possible."""
        self.step = name
        try:
            yield
        finally:
            self.step = None

    def _begin(self, root: asyncio.Task[Any]) -> None:
        self._root = root

    def _idle(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        awaited = self._awaited()
        if not awaited:
            raise _failures.stuck(
                "it awaits something that nothing durable will ever wake: only tasks, workflows, steps, timers, signals and what is "
                "made of them can be awaited"
            )
        match self.host.wait(awaited):
            case Completed(number, outcome):
                self._deliver(number, outcome)
            case CancellationRequested():
                self.cancelled = True
                assert self._root is not None
                self._root.cancel("the cancellation of this workflow was requested")
            case Never(reason):
                raise _failures.stuck(reason)

    def _awaited(self) -> list[Number]:
        """What somebody waits for, in the order in which it was started."""
        operations = (number for number, operation in self._operations.items() if operation._callbacks)
        return sorted([*operations, *self._timers])

    def _deliver(self, number: Number, outcome: Outcome) -> None:
        if handle := self._timers.pop(number, None):
            self._ready.append(handle)
        elif (operation := self.forget(number)) and not operation.done():
            operation.deliver(outcome)


class Operation(asyncio.Future[T]):
    """Something that a workflow has started: a future. Cancelling it gives it up: a task or workflow is cancelled, a timer or
    signal no longer waited for.
    """

    def __init__(self, loop: DurableLoop, number: Number, read: Callable[[Outcome], T], detached: bool) -> None:
        super().__init__(loop=loop)
        self.number = number
        self.detached = detached
        self._run = loop
        self._read = read

    def __hash__(self) -> int:
        return self.number

    def cancel(self, msg: Any = None) -> bool:
        """Gives it up. What is detached goes on, and only is no longer waited for."""
        if not super().cancel(msg):
            return False
        self._run.cancel_operation(self)
        return True

    def detach(self) -> None:
        """Lets it go on by itself: it is not cancelled, and nobody hears how it ends. A child workflow that should outlive its
        parent must be started `detached` as well.
        """
        self._run.forget(self.number)

    def deliver(self, outcome: Outcome) -> None:
        """Hands over how it ended."""
        try:
            value = self._read(outcome)
        except Failure as failure:
            self.set_exception(failure)
        else:
            self.set_result(value)


def running() -> DurableLoop | None:
    """The workflow that runs, if one does."""
    loop = asyncio._get_running_loop()
    return loop if isinstance(loop, DurableLoop) else None


def current(what: str) -> DurableLoop:
    """The workflow that runs; `what` is what cannot be done without one."""
    loop = running()
    if loop is None:
        raise _failures.no_workflow(what)
    if loop.step is not None:
        raise _failures.NonRetryable(
            "not-in-workflow", f"{what} is not possible inside a step (`{loop.step}`): do it before or after"
        )
    return loop
