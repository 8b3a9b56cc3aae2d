"""Which execution this is."""

from __future__ import annotations

from currant import _loop
from currant._host import Execution, surroundings


def context() -> Execution:
    """This execution. In an ordinary program: the one that the test kit made up.

    Its `id` is the same for every attempt: given to another service as the idempotency key, it tells a repeated call from a new one.
    """
    return surroundings().execution()


def is_cancelled() -> bool:
    """Whether the cancellation of this task or workflow was requested. A task should then stop soon, and raise `Cancelled`. In a
    workflow it tells whether the workflow itself was meant, or a child.
    """
    run = _loop.running()
    return run.cancelled if run is not None else surroundings().is_cancelled()
