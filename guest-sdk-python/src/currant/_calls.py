"""A function called with its arguments, and not started yet."""

from __future__ import annotations

from typing import Any, Generic, ParamSpec, TypeVar, cast

from currant import _failures, _values
from currant._deferred import Deferred
from currant._durations import Duration, optional_milliseconds
from currant._functions import Definition, Kind, Settings
from currant._host import Outcome, StartTask, StartWorkflow, surroundings
from currant._loop import DurableLoop, Operation
from currant._options import CallOptions, RetryPolicy, Timeouts, retry_policy

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
T = TypeVar("T")


class Call(Deferred[R]):
    """A function called with its arguments. Await it in a workflow: it begins then, and has the outcome of the task or child workflow.
    A call that is cancelled while it is awaited, by a timeout for example, cancels what it began.
    """

    def __init__(
        self,
        kind: Kind,
        name: str,
        input: str,
        options: CallOptions,
        *,
        definition: Definition[..., Any] | None = None,
        arguments: list[Any] | None = None,
        returns: Any = Any,
    ) -> None:
        super().__init__(f"the {kind} `{name}`")
        self.kind: Kind = kind
        self.name = name
        self.input = input
        self.options = options
        self.definition = definition
        self._arguments = arguments
        self._returns = returns

    def run(self) -> R:
        """Runs the body here and now, as the plain function that it is: no queue, no retry, no record. In a task, and in tests."""
        self._use()
        return self._run_here()

    def _run_here(self) -> R:
        if self.definition is None or self._arguments is None:
            raise _failures.NonRetryable(
                "unknown-function", f"`{self.name}` was called by its name: it cannot be run here"
            )
        if self.kind == "workflow":
            if surroundings().in_component:
                raise _failures.NonRetryable("wrong-kind", "a workflow cannot be run in place: start it")
            from currant import testing

            return testing.run_alone(self)
        return cast(R, self.definition.run_body(self._arguments))

    def _outside(self) -> R:
        return self._run_here()

    def _start(self, loop: DurableLoop) -> Operation[R]:
        kind = StartTask if self.kind == "task" else StartWorkflow
        request = kind(self.name, self.input, self.options, self.definition)
        return loop.start(request, self.read, detached=self.options.detached)

    def read(self, outcome: Outcome) -> R:
        """The value that an outcome stands for."""
        if isinstance(outcome, _failures.Failure):
            raise _failures.of_child(self.name, outcome)
        return cast(R, _values.decode("invalid-result", f"the result of `{self.name}`", outcome, self._type()))

    def _type(self) -> Any:
        return self._returns if self.definition is None else self.definition.returns

    def __repr__(self) -> str:
        return f"<call of {self.kind} {self.name}>"


class Function(Generic[P, R]):
    """What a decorator makes of a function. Calling it in a workflow gives a call, to be awaited."""

    def __init__(self, definition: Definition[P, R], options: CallOptions) -> None:
        self._definition = definition
        self._options = options
        self.__wrapped__ = definition.body
        self.__name__ = definition.body.__name__
        self.__qualname__ = definition.body.__qualname__
        self.__doc__ = definition.body.__doc__
        self.__module__ = definition.body.__module__

    @property
    def name(self) -> str:
        """The name by which clients start it."""
        return self._definition.name

    @property
    def settings(self) -> Settings:
        """What holds when a caller says nothing else."""
        return self._definition.settings

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Calls it: await what this returns, or `.run()` it in place."""
        definition = self._definition
        arguments = definition.bind(*args, **kwargs)
        return Call(
            definition.kind,
            definition.name,
            definition.encode_input(arguments),
            self._options,
            definition=definition,
            arguments=arguments,
        )

    def __repr__(self) -> str:
        return f"<{self._definition.kind} {self.name}>"

    # Two functions are one if they were decorated once.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Function) and other._definition is self._definition and other._options == self._options

    def __hash__(self) -> int:
        return hash(self.name)


def options(
    before: CallOptions,
    standard: RetryPolicy,
    *,
    queue: str | None,
    priority: int | None,
    delay: Duration | None,
    retries: int | None,
    retry: RetryPolicy | None,
    timeout: Duration | None,
    total_timeout: Duration | None,
    queue_timeout: Duration | None,
    task_id: str | None,
    concurrency_key: str | None,
    tags: tuple[str, ...] | list[str],
    detached: bool = False,
) -> CallOptions:
    """What `with_` says, on top of what was said before."""
    limits = before.timeouts
    return CallOptions(
        queue=queue if queue is not None else before.queue,
        priority=priority if priority is not None else before.priority,
        delay=before.delay if delay is None else optional_milliseconds(delay),
        retry=retry_policy(retry or before.retry or standard, retries, None, None, None) or retry or before.retry,
        timeouts=Timeouts(
            queue=limits.queue if queue_timeout is None else optional_milliseconds(queue_timeout),
            attempt=limits.attempt if timeout is None else optional_milliseconds(timeout),
            heartbeat=limits.heartbeat,
            total=limits.total if total_timeout is None else optional_milliseconds(total_timeout),
        ),
        task_id=task_id if task_id is not None else before.task_id,
        concurrency_key=concurrency_key if concurrency_key is not None else before.concurrency_key,
        tags=(*before.tags, *tags),
        detached=detached or before.detached,
    )


def start(call: Deferred[T]) -> Operation[T]:
    """Begins a call, a pause or a message now, to be awaited later: a future, as `asyncio.wait` takes them. The same as
    ``call.start()``.
    """
    return call.start()
