"""Waits for files to change, by looking at them: works everywhere, and a build takes seconds anyway."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from currant._cli import talk

EVERY = 0.3
"""Seconds between two looks."""


def changes(files: Callable[[], list[Path]]) -> Iterator[None]:
    """Now, and whenever one of the files has changed, until it is interrupted."""
    seen: dict[Path, int] | None = None
    while True:
        now = {file: _changed(file) for file in files()}
        if now != seen:
            # As it was before: what changes meanwhile is seen the next time.
            seen = now
            yield
            talk.say("watching; Ctrl-C ends it")
        time.sleep(EVERY)


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
