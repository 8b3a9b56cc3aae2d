"""Workflows: deterministic functions that coordinate, and survive crashes by replay; and what they can say about themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Generic, NoReturn, ParamSpec, Protocol, TypeVar, overload

from currant import _calls, _functions, _loop, _options, _values
from currant._calls import Call, Function
from currant._durations import Duration
from currant._functions import Definition, Settings
from currant._options import CallOptions, RetryPolicy

__all__ = ["Workflow", "continue_as_new", "named", "publish", "version", "workflow"]

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
T = TypeVar("T")


class Workflow(Function[P, R], Generic[P, R]):
    """A workflow. ``await checkout(order)`` in another one calls it as its child."""

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
        detached: bool = False,
    ) -> Workflow[P, R]:
        """The same workflow, with what holds for calls made through it. A `detached` child goes on when its parent ends or is
        cancelled: ``follow_up.with_(detached=True)(order).start()``.
        """
        return Workflow(
            self._definition,
            _calls.options(
                self._options,
                _options.WORKFLOW,
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
                detached=detached,
            ),
        )


class _Decorator(Protocol):
    def __call__(self, function: Callable[P, Coroutine[Any, Any, T]], /) -> Workflow[P, T]: ...


@overload
def workflow(function: Callable[P, Coroutine[Any, Any, T]], /) -> Workflow[P, T]: ...
@overload
def workflow(
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
) -> _Decorator: ...
def workflow(
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
) -> Any:
    """Makes a workflow of an `async` function. The docstring is its description.

    >>> from currant import sleep
    >>> @workflow
    ... async def remind(whom: str) -> str:
    ...     await sleep("7 days")
    ...     return f"do not forget, {whom}"
    >>> remind("Ann").run()
    'do not forget, Ann'
    """
    settings = Settings.of(
        "workflow",
        queue=queue,
        priority=priority,
        retries=retries,
        backoff=backoff,
        multiplier=multiplier,
        max_backoff=max_backoff,
        timeout=timeout,
        queue_timeout=queue_timeout,
        total_timeout=total_timeout,
    )

    def decorate(body: Callable[..., Any]) -> Workflow[Any, Any]:
        if not inspect.iscoroutinefunction(body):
            raise TypeError(f"the workflow `{getattr(body, '__name__', body)}` is not async: write `async def`")
        return Workflow(_functions.register(Definition("workflow", body, name, settings)), CallOptions())

    return decorate if function is None else decorate(function)


@overload
def named(function: str, *arguments: Any, returns: type[T], options: CallOptions = ...) -> Call[T]: ...
@overload
def named(function: str, *arguments: Any, returns: Any = Any, options: CallOptions = ...) -> Call[Any]: ...
def named(function: str, *arguments: Any, returns: Any = Any, options: CallOptions = CallOptions()) -> Call[Any]:  # noqa: B008
    """Calls a workflow by its name: one of another module, perhaps in another language."""
    input = _values.encode(f"the input of `{function}`", _functions._packed(list(arguments)))
    return Call("workflow", function, input, options, returns=returns)


def continue_as_new(*arguments: Any) -> NoReturn:
    """Ends this run and starts the same execution again with these arguments, an empty journal and the current deployment of the
    workflow. Unread signals stay. For workflows that never end, so that their journal does; does not return.

    ::

        @currant.workflow
        async def count_down(left: int) -> str:
            if left == 0:
                return "lift-off"
            await currant.sleep(1)
            currant.continue_as_new(left - 1)
    """
    run = _loop.current("`continue_as_new`")
    run.host.continue_as_new(_values.encode("the next input", _functions._packed(list(arguments))))


def version(change: str, minimum: int, maximum: int) -> int:
    """Which side of a change of its own code this run is on: `maximum` when a run passes here for the first time, afterwards what
    was recorded then. So the code of runs that began before a change can stay as it was for them.

    ::

        by = "mail" if currant.version("by-mail", 1, 2) >= 2 else "fax"
    """
    return _loop.current("`version`").host.version(change, minimum, maximum)


def publish(progress: Any) -> None:
    """Shows a value as the workflow's progress in `currant status`. The last one wins."""
    _loop.current("`publish`").host.publish(_values.encode("progress", progress))
