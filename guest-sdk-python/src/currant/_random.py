"""Random numbers. A component's memory is a snapshot of its build, generators included: without new seeds every execution would draw
the same numbers.
"""

from __future__ import annotations

import os
import random as _generator
import sys
import uuid as _uuid

from currant._host import surroundings


def reseed() -> None:
    """Gives every generator of the standard library that has a state a new seed from the host: real randomness in a task; in a workflow
    what is the same on every replay.
    """
    if surroundings().in_component:
        seed()


def seed() -> None:
    """Draws new seeds."""
    # From a number, and not from bytes: those are hashed first, which costs an instance more than all the rest of its start.
    _generator.seed(int.from_bytes(os.urandom(32)))
    # What `uuid` remembers from one call to the next.
    for name in [name for name in vars(_uuid) if name.startswith("_last_")]:
        setattr(_uuid, name, None if "timestamp" in name else 0)
    _uuid._node = None  # type: ignore[attr-defined]
    # `tempfile` draws its names from a generator of its own.
    if "tempfile" in sys.modules:
        sys.modules["tempfile"]._name_sequence = None  # type: ignore[attr-defined]


def random() -> float:
    """A random number from 0 to 1: real randomness in a task and inside a step; in a workflow one that is the same on every replay.
    The standard library's `random`, `secrets` and `uuid` are as good.
    """
    return _generator.random()


def uuid() -> _uuid.UUID:
    """A random UUID (version 4), by the same rules as `random`."""
    return _uuid.uuid4()
