"""Where code stands, in words that its author knows.

In a component, files lie in folders that the toolchain numbered (``/0/shop.py``), and none of them can be read when it runs.
`python -m currant build` therefore keeps their lines, and says which folder was which.
"""

from __future__ import annotations

import linecache
import os
import re

_SDK = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.dirname(_SDK)
"""In which this package lies."""
_prefixes: list[tuple[str, str]] = []


def is_sdk(file: str) -> bool:
    """Whether a file is one of this package."""
    return file.startswith((_SDK, "<frozen ")) or file.endswith("/importlib/__init__.py")


def keep(file: str, text: str) -> None:
    """Keeps the lines of a file for tracebacks."""
    # No time of change: such an entry is never checked against a file that is not there.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)


def rename(folder: str, name: str) -> None:
    """From now on, tracebacks show files of this folder under that name."""
    _prefixes.append((f"{folder}/", "" if name == "." else f"{name}/"))
    _prefixes.sort(key=lambda prefix: -len(prefix[0]))


def rename_sdk() -> None:
    """This package is called by its name."""
    rename(_SDK, "currant")


def shorten(text: str) -> str:
    """A text about places, with the names that their author knows."""
    for folder, name in _prefixes:
        text = re.sub(rf'(?m)(^|File "){re.escape(folder)}', rf"\g<1>{name}", text)
    return text
