"""Runs workflows in an ordinary program: tasks just run, timers jump, signals are given in advance.

It shows what a workflow does, not that it survives a crash: nothing is recorded or replayed, and the standard library's clocks and
random are real (`currant.now` follows the workflow's time).

::

    run = Run().signal_after("20 s", "approved", "ada").mock(charge, lambda order: f"receipt for {order.amount}")
    assert run.call(checkout(order)) == "receipt for 1250"
    assert run.elapsed() == timedelta(seconds=20)
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

from currant import _durations, _failures, _functions, _native, _options, _values
from currant._calls import Call, Function
from currant._durations import Duration
from currant._failures import Failure
from currant._functions import Definition
from currant._host import (
    CancellationRequested,
    Completed,
    Delivery,
    Never,
    Number,
    Outcome,
    Request,
    Signal,
    StartTask,
    StartWorkflow,
    Timer,
)
from currant._loop import DurableLoop
from currant._options import RetryPolicy

__all__ = ["Run"]

T = TypeVar("T")


class Run:
    """A world for one call: what it is told, and what it may see."""

    def __init__(self) -> None:
        self._script = _Script()
        self._world = _World(self._script)

    def signal(self, name: str, payload: Any = None) -> Run:
        """This message is there from the beginning."""
        return self.signal_after(0, name, payload)

    def signal_after(self, after: Duration, name: str, payload: Any = None) -> Run:
        """This message comes after so much of the workflow's time."""
        self._script.signals.append(_Message(_durations.milliseconds(after), name, _values.encode("a signal", payload)))
        return self

    def complete_external(self, number: int, result: Any = None) -> Run:
        """The result that the `number`-th `external` of the workflow is given, at once: from 1."""
        self._script.externals[number] = _values.encode("a result", result)
        return self

    def fail_external(self, number: int, failure: Failure) -> Run:
        """The failure that the `number`-th `external` of the workflow is given, at once."""
        self._script.externals[number] = failure
        return self

    def cancel_after(self, after: Duration) -> Run:
        """Somebody cancels the workflow after so much of its time."""
        self._script.cancel_after = _durations.milliseconds(after)
        return self

    def mock(self, function: Function[..., Any] | str, body: Callable[..., Any]) -> Run:
        """Runs this instead of the function, which need not exist if it is named: it can be one of another module. What the body raises,
        the function fails with.
        """
        name = function if isinstance(function, str) else function.name
        self._script.mocks[name] = _Mock(body, None if isinstance(function, str) else function._definition)
        return self

    def call(self, call: Call[T]) -> T:
        """Runs a task or workflow to its end, with the retries that it asks for."""
        call._use()
        self._world = _World(self._script)
        ended = self._world.perform(_request(call), depth=0, now=0)
        self._world.now = ended.at
        return _value(call, ended.outcome)

    def elapsed(self) -> timedelta:
        """How much time the last call would have taken, if code took none."""
        return timedelta(milliseconds=self._world.now)

    def called(self, function: Function[..., Any] | str) -> int:
        """How many attempts of a task or workflow the last call made."""
        return self._world.attempts[function if isinstance(function, str) else function.name]

    def published(self) -> Any:
        """What the workflow published last."""
        return self._world.published


def run_alone(call: Call[T]) -> T:
    """A workflow that a test awaits or runs outside of any `Run`."""
    return _value(call, _World(_Script()).perform(_request(call), depth=0, now=0).outcome)


def _request(call: Call[Any]) -> StartTask | StartWorkflow:
    return (StartTask if call.kind == "task" else StartWorkflow)(call.name, call.input, call.options, call.definition)


def _value(call: Call[T], outcome: Outcome) -> T:
    # A failure is raised as what it is: the test is nobody's parent.
    if isinstance(outcome, Failure):
        raise outcome
    return call.read(outcome)


@dataclass
class _Message:
    after: int
    name: str
    payload: str


@dataclass
class _Mock:
    body: Callable[..., Any]
    definition: Definition[..., Any] | None

    def run(self, name: str, input: str) -> str:
        definition = self.definition or _find(name)
        if definition is not None:
            arguments = definition.decode_input(input)
        else:
            value = _values.decode("invalid-input", f"the input of `{name}`", input)
            arguments = [] if value is None else value if isinstance(value, list) else [value]
        return _values.encode(f"the result of the mock of `{name}`", self.body(*arguments))


@dataclass
class _Script:
    """What the test says in advance."""

    signals: list[_Message] = field(default_factory=list)
    externals: dict[int, Outcome] = field(default_factory=dict)
    cancel_after: int | None = None
    mocks: dict[str, _Mock] = field(default_factory=dict)


@dataclass
class _Ended:
    outcome: Outcome
    at: int


class _World:
    """What all executions of one call share."""

    def __init__(self, script: _Script) -> None:
        self.script = script
        self.now = 0
        self.began = time.time()
        self.executions = 0
        self.attempts: Counter[str] = Counter()
        self.published: Any = None

    def perform(self, request: StartTask | StartWorkflow, *, depth: int, now: int) -> _Ended:
        """Runs a task or workflow that was started at `now`, with its retries."""
        name, options = request.function, request.options
        definition: Definition[..., Any] | None = request.definition or _find(name)
        policy = _policy(request, definition)
        self.executions += 1
        number, attempt, pauses, progress = self.executions, 1, 0, None
        now += options.delay or 0
        while True:
            self.attempts[name] += 1
            queue = options.queue or (definition.settings.queue if definition else None) or "default"
            execution = _native.execution_of(name, number, attempt, options.task_id, queue)
            clock = _Clock(self, now)
            with _native.attempt(execution, progress, clock.read) as made:
                outcome = self._attempt(request, definition, depth, clock)
            progress, now = made.progress, clock.now
            if not isinstance(outcome, Failure):
                return _Ended(outcome, now)
            if isinstance(outcome, _failures.RateLimited) and _is_task(request) and pauses < 100:
                # As in a real queue it costs no retry, and ends some time.
                pauses += 1
                now += outcome.retry_after_ms or 0
            elif outcome.retryable and attempt <= policy.retries:
                now += policy.pause_ms(attempt) if outcome.retry_after_ms is None else outcome.retry_after_ms
                attempt += 1
            else:
                return _Ended(outcome, now)

    def _attempt(
        self, request: StartTask | StartWorkflow, definition: Definition[..., Any] | None, depth: int, clock: _Clock
    ) -> Outcome:
        try:
            if mock := self.script.mocks.get(request.function):
                return mock.run(request.function, request.input)
            if definition is None:
                # Says that there is none.
                definition = _functions.find(request.function)
            if definition.kind == "task":
                return definition.run_task(request.input)
            return self._run_workflow(definition, request.input, depth, clock)
        except asyncio.CancelledError:
            return _failures.Cancelled()
        except (Exception, SystemExit) as error:
            return _failures.of_exception(error)

    def _run_workflow(self, definition: Definition[..., Any], input: str, depth: int, clock: _Clock) -> str:
        while True:
            simulation = _Simulation(self, depth, clock)
            try:
                return DurableLoop(simulation).run(definition.run_workflow(input))
            except _ContinuedAsNew as next:
                input = next.input


def _is_task(request: Request) -> bool:
    return isinstance(request, StartTask)


def _find(name: str) -> Definition[..., Any] | None:
    try:
        return _functions.find(name)
    except Failure:
        return None


def _policy(request: StartTask | StartWorkflow, definition: Definition[..., Any] | None) -> RetryPolicy:
    own = definition.settings.retry if definition else None
    return request.options.retry or own or (_options.TASK if _is_task(request) else _options.WORKFLOW)


class _Clock:
    """The time of one execution."""

    def __init__(self, world: _World, now: int) -> None:
        self._world = world
        self.now = now

    def read(self) -> float:
        return self._world.began + self.now / 1000


class _ContinuedAsNew(BaseException):
    def __init__(self, input: str) -> None:
        super().__init__(input)
        self.input = input


@dataclass
class _Queued:
    """Not run yet: what is given up before the workflow waits never runs."""

    request: StartTask | StartWorkflow
    at: int


@dataclass
class _Waiting:
    signal: str


@dataclass
class _Open:
    """Nobody said how it ends."""

    what: str


class _Simulation:
    """One run of one workflow."""

    def __init__(self, world: _World, depth: int, clock: _Clock) -> None:
        self._world = world
        # 0 is the workflow that the test called. Only that one is given signals and cancelled.
        self._depth = depth
        self._clock = clock
        self._started = 0
        self._externals = 0
        self._operations: dict[Number, _Queued | _Ended | _Waiting | _Open] = {}
        script = world.script
        self._messages = sorted(script.signals, key=lambda message: message.after) if depth == 0 else []
        self._cancel_at = script.cancel_after if depth == 0 else None

    def _add(self, state: _Queued | _Ended | _Waiting | _Open) -> Number:
        self._started += 1
        self._operations[self._started] = state
        return self._started

    def start(self, request: Request) -> Number:
        match request:
            case Timer(length):
                return self._add(_Ended("null", self._clock.now + length))
            case Signal(name):
                return self._add(_Waiting(name))
            case _:
                return self._add(_Queued(request, self._clock.now))

    def external(self) -> tuple[Number, str]:
        self._externals += 1
        outcome = self._world.script.externals.get(self._externals) if self._depth == 0 else None
        state = _Open("the external result") if outcome is None else _Ended(outcome, self._clock.now)
        return self._add(state), f"external-{self._externals}"

    def wait(self, numbers: list[Number]) -> Delivery:
        self._run_what_is_queued()
        ends = [(end, number) for number in numbers if (end := self._end_of(number)) is not None]
        first = min(ends, default=None)
        if self._cancel_at is not None and (first is None or self._cancel_at <= first[0]):
            self._clock.now = max(self._clock.now, self._cancel_at)
            self._cancel_at = None
            return CancellationRequested()
        if first is None:
            return Never(f"the test never gives {' or '.join(self._name(number) for number in numbers)}")
        end, number = first
        self._clock.now = max(self._clock.now, end)
        return Completed(number, self._take(number))

    def _end_of(self, number: Number) -> int | None:
        """When this operation ends, if it does. Of two that wait for the same signal, the first gets the first message."""
        match self._operations.get(number):
            case _Ended(at=at):
                return at
            case _Waiting(name):
                return next((message.after for message in self._messages if message.name == name), None)
            case _:
                return None

    def _take(self, number: Number) -> Outcome:
        match self._operations.pop(number):
            case _Ended(outcome):
                return outcome
            case _Waiting(name):
                message = next(message for message in self._messages if message.name == name)
                self._messages.remove(message)
                return message.payload
            case other:
                raise AssertionError(other)

    def _name(self, number: Number) -> str:
        match self._operations.get(number):
            case _Waiting(name):
                return f"the signal `{name}`"
            case _Open(what):
                return what
            case _:
                return f"operation {number}"

    def _run_what_is_queued(self) -> None:
        """In the order in which they were started."""
        for number, state in list(self._operations.items()):
            if isinstance(state, _Queued):
                ended = self._world.perform(state.request, depth=self._depth + 1, now=state.at)
                self._operations[number] = ended

    def cancel(self, number: Number) -> None:
        self._operations.pop(number, None)

    def begin_step(self, name: str) -> Outcome | None:
        return None

    def end_step(self, outcome: Outcome) -> None:
        pass

    def version(self, change: str, minimum: int, maximum: int) -> int:
        return maximum

    def continue_as_new(self, input: str) -> NoReturn:
        raise _ContinuedAsNew(input)

    def publish(self, progress: str) -> None:
        self._world.published = _values.decode("invalid-value", "progress", progress)

    def time(self) -> float:
        return self._clock.now / 1000
