"""Tasks: functions that run once per attempt, and may touch the outside world."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from currant import _calls, _functions, _options, _values
from currant._calls import Call, Function
from currant._durations import Duration
from currant._functions import Definition, Settings
from currant._options import CallOptions, RetryPolicy

__all__ = ["Task", "named", "task"]

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
T = TypeVar("T")


class Task(Function[P, R], Generic[P, R]):
    """A task. ``await charge(order)`` in a workflow calls it; ``charge(order).run()`` runs its body in place."""

    def with_(
        self,
        *,
        queue: str | None = None,
        priority: int | None = None,
        delay: Duration | None = None,
        retries: int | None = None,
        retry: RetryPolicy | None = None,
        timeout: Duration | None = None,
        total_timeout: Duration | None = None,
        queue_timeout: Duration | None = None,
        task_id: str | None = None,
        concurrency_key: str | None = None,
        tags: tuple[str, ...] | list[str] = (),
    ) -> Task[P, R]:
        """The same task, with what holds for calls made through it: ``await charge.with_(priority=10)(order)``."""
        return Task(
            self._definition,
            _calls.options(
                self._options,
                _options.TASK,
                queue=queue,
                priority=priority,
                delay=delay,
                retries=retries,
                retry=retry,
                timeout=timeout,
                total_timeout=total_timeout,
                queue_timeout=queue_timeout,
                task_id=task_id,
                concurrency_key=concurrency_key,
                tags=tags,
            ),
        )


class _Decorator(Protocol):
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, T]], /) -> Task[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> Task[P, T]: ...


@overload
def task(function: Callable[P, Coroutine[Any, Any, T]], /) -> Task[P, T]: ...
@overload
def task(function: Callable[P, T], /) -> Task[P, T]: ...
@overload
def task(
    *,
    name: str | None = None,
    queue: str | None = None,
    priority: int | None = None,
    retries: int | None = None,
    backoff: Duration | None = None,
    multiplier: float | None = None,
    max_backoff: Duration | None = None,
    timeout: Duration | None = None,
    queue_timeout: Duration | None = None,
    total_timeout: Duration | None = None,
    heartbeat: Duration | None = None,
) -> _Decorator: ...
def task(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    queue: str | None = None,
    priority: int | None = None,
    retries: int | None = None,
    backoff: Duration | None = None,
    multiplier: float | None = None,
    max_backoff: Duration | None = None,
    timeout: Duration | None = None,
    queue_timeout: Duration | None = None,
    total_timeout: Duration | None = None,
    heartbeat: Duration | None = None,
) -> Any:
    """Makes a task of a function, which may be `async`. The docstring is its description.

    `queue`, `priority`: where its executions wait. `retries`, `backoff`, `multiplier`, `max_backoff`: what follows a failed attempt.
    `timeout`: of one attempt; `heartbeat`: between two heartbeats; `queue_timeout`, `total_timeout`: of the waiting, and of all.

    >>> @task(queue="payments", retries=5, timeout="30s")
    ... def charge(order: int, amount: int) -> str:
    ...     return f"receipt for order {order}: {amount}"
    >>> charge(42, 1250).run()
    'receipt for order 42: 1250'
    """
    settings = Settings.of(
        "task",
        queue=queue,
        priority=priority,
        retries=retries,
        backoff=backoff,
        multiplier=multiplier,
        max_backoff=max_backoff,
        timeout=timeout,
        queue_timeout=queue_timeout,
        total_timeout=total_timeout,
        heartbeat=heartbeat,
    )

    def decorate(body: Callable[..., Any]) -> Task[Any, Any]:
        return Task(_functions.register(Definition("task", body, name, settings)), CallOptions())

    return decorate if function is None else decorate(function)


@overload
def named(function: str, *arguments: Any, returns: type[T], options: CallOptions = ...) -> Call[T]: ...
@overload
def named(function: str, *arguments: Any, returns: Any = Any, options: CallOptions = ...) -> Call[Any]: ...
def named(function: str, *arguments: Any, returns: Any = Any, options: CallOptions = CallOptions()) -> Call[Any]:  # noqa: B008
    """Calls a task by its name: one of another module, perhaps in another language.

    ::

        chart = await currant.tasks.named("draw-chart", figures, returns=str)
    """
    input = _values.encode(f"the input of `{function}`", _functions._packed(list(arguments)))
    return Call("task", function, input, options, returns=returns)
