"""Runs at the end of the build: says where the objects are that live in the snapshot, for `_cli/immortal`."""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator
from types import CodeType
from typing import Any, BinaryIO

_CHUNK = 4096


def tell(file: BinaryIO) -> None:
    """Writes the addresses of each object and of its type. Some stand there several times: to know which, memory would have to be taken that
    would then be a part of the snapshot.
    """
    buffer = bytearray()
    for tracked in gc.get_objects():
        for found in _with_parts(tracked):
            buffer += struct.pack("<II", id(found), id(type(found)))
            if len(buffer) >= _CHUNK:
                file.write(buffer)
                buffer.clear()
    file.write(buffer)


def _with_parts(found: Any) -> Iterator[Any]:
    """An object, and what it refers to that the collector does not know by itself."""
    yield found
    parts = gc.get_referents(found)
    if isinstance(found, CodeType):
        parts = [found.co_consts, found.co_names, found.co_name, found.co_qualname, found.co_filename]
        parts += [found.co_linetable, found.co_exceptiontable]
    for part in parts:
        if not gc.is_tracked(part):
            yield from _with_parts(part)
