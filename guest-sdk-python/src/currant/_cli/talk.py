"""What is said to people: to stderr, so that stdout is for data; and errors that end with what to do next."""

from __future__ import annotations

import sys


class Problem(Exception):
    """The command cannot be done. `status`: 1, it failed; 2, it was given wrongly; 3, no answer, or a defect of ours."""

    def __init__(self, message: str, *, hint: str | None = None, status: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status


def say(line: str) -> None:
    """A line for people."""
    print(line, file=sys.stderr, flush=True)


def size(bytes: int) -> str:
    """For people: 18.4 MB."""
    return f"{bytes / 1e6:.1f} MB"
