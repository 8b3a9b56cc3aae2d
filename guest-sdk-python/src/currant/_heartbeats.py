"""What a task tells while it runs."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from currant import _failures, _values
from currant._host import surroundings

T = TypeVar("T")


def heartbeat(progress: Any = None) -> bool:
    """Says that the task is alive, and how far it is. Returns whether its cancellation was requested.

    The progress is shown by `currant status`, and the next attempt can read it by `last_progress`. Cheap: the host writes at most one a
    second, and always the last one. For tasks only.
    """
    return surroundings().heartbeat(None if progress is None else _values.encode("progress", progress))


@overload
def last_progress(type: type[T]) -> T | None: ...
@overload
def last_progress(type: Any = ...) -> Any: ...
def last_progress(type: Any = Any) -> Any:
    """What the previous attempt said last by `heartbeat`, if there was one and it is of that type."""
    said = surroundings().last_progress()
    try:
        return None if said is None else _values.decode("invalid-value", "the last progress", said, type)
    except _failures.Failure:
        return None
