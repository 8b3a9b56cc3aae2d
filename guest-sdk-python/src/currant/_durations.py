"""Lengths of time, as people write them."""

from __future__ import annotations

import math
import re
from datetime import timedelta

Duration = timedelta | float | int | str
"""A `timedelta`, a number of seconds, or a text such as ``"30s"``, ``"1 day"`` or ``"1h 30m"``."""

_UNITS = {
    "ms": 1, "millisecond": 1, "milliseconds": 1,
    "s": 1_000, "sec": 1_000, "second": 1_000, "seconds": 1_000,
    "m": 60_000, "min": 60_000, "minute": 60_000, "minutes": 60_000,
    "h": 3_600_000, "hour": 3_600_000, "hours": 3_600_000,
    "d": 86_400_000, "day": 86_400_000, "days": 86_400_000,
    "w": 604_800_000, "week": 604_800_000, "weeks": 604_800_000,
}  # fmt: skip
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.ASCII)

LONGEST = 2**63 - 1
"""More milliseconds than the contract's signed relatives in SQL can hold are refused early."""


def milliseconds(length: Duration) -> int:
    """As the contract counts time. Up, because a pause must not be shorter than what was asked for."""
    if isinstance(length, str):
        return _parse(length)
    if isinstance(length, timedelta):
        exact = length / timedelta(milliseconds=1)
    elif isinstance(length, (int, float)) and not isinstance(length, bool):
        exact = length * 1000
    else:
        raise TypeError(f"{length!r} is not a length of time: give seconds, a timedelta, or a text such as '30s'")
    if math.isnan(exact) or exact < 0:
        raise ValueError(f"{length!r} is not a length of time: it must not be negative")
    # 0.3 s are 300 ms, and not 301, although 0.3 * 1000 is a trifle more.
    return min(math.ceil(round(exact, 3)), LONGEST) if math.isfinite(exact) else LONGEST


def optional_milliseconds(length: Duration | None) -> int | None:
    """None stays None."""
    return None if length is None else milliseconds(length)


def seconds(length: Duration) -> float:
    """The same in seconds."""
    return milliseconds(length) / 1000


def _parse(text: str) -> int:
    lowered = text.strip().lower()
    total, position = 0.0, 0
    while position < len(lowered):
        part = _PART.match(lowered, position)
        if part is None or part[2] not in _UNITS:
            break
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not lowered or position < len(lowered):
        raise ValueError(f"{text!r} is not a length of time: write for example '500ms', '30s', '1h 30m' or '7 days'")
    return math.ceil(round(total, 3))
