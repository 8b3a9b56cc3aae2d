"""What a run needs from whoever runs it: the `workflow` interface of the contract in this package's own types.

Two things can run a workflow: the worker, through the component's imports (`_component`), and the test kit, which moves a clock of its
own (`testing`). The event loop knows neither.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from currant._failures import Failure
from currant._options import CallOptions

Number = int
"""The number of an operation in its own run."""

Outcome = str | Failure
"""How something ended: JSON text, or why it did not succeed."""


@dataclass(frozen=True)
class StartTask:
    """A task is asked for."""

    function: str
    input: str
    options: CallOptions
    definition: Any = None
    """The function itself, if it is one of this program: what the test kit runs."""


@dataclass(frozen=True)
class StartWorkflow:
    """A child workflow is asked for."""

    function: str
    input: str
    options: CallOptions
    definition: Any = None
    """The function itself, if it is one of this program: what the test kit runs."""


@dataclass(frozen=True)
class Timer:
    """A pause is asked for."""

    milliseconds: int


@dataclass(frozen=True)
class Signal:
    """A message is asked for."""

    name: str


Request = StartTask | StartWorkflow | Timer | Signal
"""What can be started. Each gets the next number."""


@dataclass(frozen=True)
class Completed:
    """This operation ended so."""

    number: Number
    outcome: Outcome


@dataclass(frozen=True)
class CancellationRequested:
    """Somebody asked for the cancellation of the workflow."""


@dataclass(frozen=True)
class Never:
    """Nothing that is waited for can ever happen. Only the test kit can know this."""

    reason: str


Delivery = Completed | CancellationRequested | Never
"""What ended a wait."""


class Host(Protocol):
    """Whoever runs a workflow."""

    @abstractmethod
    def start(self, request: Request) -> Number:
        """Begins an operation."""

    @abstractmethod
    def external(self) -> tuple[Number, str]:
        """Begins an operation that somebody outside completes, with the token."""

    @abstractmethod
    def wait(self, numbers: list[Number]) -> Delivery:
        """Waits for one of these."""

    @abstractmethod
    def cancel(self, number: Number) -> None:
        """Gives an operation up."""

    @abstractmethod
    def begin_step(self, name: str) -> Outcome | None:
        """What is on record, or None: run it."""

    @abstractmethod
    def end_step(self, outcome: Outcome) -> None:
        """Records what a step came to."""

    @abstractmethod
    def version(self, change: str, minimum: int, maximum: int) -> int:
        """Which side of a change this run is on."""

    @abstractmethod
    def continue_as_new(self, input: str) -> NoReturn:
        """Ends this run, and begins the next."""

    @abstractmethod
    def publish(self, progress: str) -> None:
        """Shows progress."""

    @abstractmethod
    def time(self) -> float:
        """Seconds, of a clock that never goes back."""


@dataclass(frozen=True)
class Execution:
    """The facts about an execution that stay the same during an attempt. In a workflow they are the same on every replay."""

    id: str
    """A UUID. Stable over attempts: use it as the idempotency key of calls to the outside world."""
    task_id: str | None
    """The key under which the caller asked for it, if any."""
    function: str
    queue: str
    attempt: int
    """1 for the first attempt. Always 1 in a workflow."""
    parent: str | None
    """The id of the workflow that started it, if any."""
    module: str
    """SHA-256 of the component, in hexadecimal."""
    deadline_ms: int | None
    """When the attempt must have ended, if it has a limit: milliseconds since 1970. None in a workflow."""


@dataclass(frozen=True)
class TraceContext:
    """Where an execution stands in a distributed trace (W3C Trace Context and Baggage)."""

    trace_id: str
    """32 hexadecimal digits, shared by a workflow and everything that it starts."""
    span_id: str
    """16 hexadecimal digits: the span of this execution."""
    baggage: dict[str, str]
    """What travels with the trace, such as a tenant."""


Attribute = tuple[str, str]
"""A name, and a value as JSON text."""


class Span(Protocol):
    """A stretch of time in a trace."""

    def set(self, attribute: Attribute) -> None:
        """Adds an attribute."""

    def fail(self, message: str) -> None:
        """Marks it as failed."""

    def end(self) -> None:
        """Ends it."""


class Surroundings(Protocol):
    """What tasks and workflows alike can ask and tell."""

    in_component: bool
    """Whether this is a component, or an ordinary program."""

    def execution(self) -> Execution:
        """Who runs."""

    def trace(self) -> TraceContext:
        """Where in its trace."""

    def is_cancelled(self) -> bool:
        """Whether this task should stop."""

    def heartbeat(self, progress: str | None) -> bool:
        """Tells that the task is alive."""

    def last_progress(self) -> str | None:
        """What the previous attempt told."""

    def now(self) -> float:
        """Seconds since 1970."""

    def log(self, level: str, message: str, attributes: list[Attribute]) -> None:
        """Writes a log line."""

    def measure(self, kind: str, name: str, value: float, attributes: list[Attribute]) -> None:
        """Counts, records or sets a metric."""

    def span(self, name: str, attributes: list[Attribute]) -> Span:
        """Begins a span."""


def surroundings() -> Surroundings:
    """The worker in a component, the test kit's pretence anywhere else."""
    return _surroundings


def set_surroundings(found: Surroundings) -> None:
    """Called once, by the component's entry."""
    global _surroundings
    _surroundings = found


def _native() -> Any:
    from currant import _native

    return _native.Native()


_surroundings: Surroundings = _native()
