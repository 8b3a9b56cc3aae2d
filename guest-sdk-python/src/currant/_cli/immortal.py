"""Makes what lives in a component's snapshot immortal.

Python counts references in the objects themselves, so that merely using a function or a string writes to it. In an instance, which begins as a
mapping of the snapshot, each first write to a page costs an interrupt and a copy of 4 KiB: a third of the time of a small task. Objects that
are immortal (PEP 683) are not counted. The interpreter makes its own ones so; what the user's modules are made of outlives every instance just
as well, but Python has no function that would say so. In the snapshot a count is a word at a known address: it is set here, in the finished
component, whose size does not change.

`currant._objects` names the addresses at the end of the build. What has died between then and the snapshot is recognised, and left alone.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator

IMMORTAL = 5 << 28
"""What the interpreter gives its own, on machines of 32 bits."""
MOST = 0xFFFF
"""A count beyond is no count: where an object was freed stands an address, and immortal ones have far more."""

_CORE_MODULE, _DATA = 1, 11


def make(component: bytearray, objects: bytes) -> int:
    """Sets the counts of these objects, pairs of the addresses of an object and of its type. Answers how many."""
    memory = _Memory(component)
    made = 0
    for address, kind in set(struct.iter_unpack("<II", objects)):
        place = memory.place(address, 8)
        if place is None:
            continue
        count, found = struct.unpack_from("<II", component, place)
        if found == kind and 0 < count <= MOST:
            struct.pack_into("<I", component, place, IMMORTAL)
            made += 1
    return made


class _Memory:
    """Where the bytes of the memory stand in the file."""

    def __init__(self, component: bytearray) -> None:
        self._segments = sorted(_segments(component))
        self._starts = [start for start, _, _ in self._segments]

    def place(self, address: int, size: int) -> int | None:
        """The place of some bytes; None if they are not all there, because some are zero."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        start, length, place = self._segments[index]
        return place + address - start if address + size <= start + length else None


def _segments(component: bytearray) -> Iterator[tuple[int, int, int]]:
    """Of the largest data section of all core modules, which is the snapshot: address, length, and place in the file."""
    data = max(
        (
            inner
            for kind, start, end in _sections(component, 0, len(component))
            if kind == _CORE_MODULE
            for inner in _sections(component, start, end)
            if inner[0] == _DATA
        ),
        key=lambda section: section[2] - section[1],
    )
    count, at = _number(component, data[1])
    for _ in range(count):
        # 0, i32.const, the address, end: what a snapshot consists of.
        if component[at : at + 2] != b"\x00\x41":
            return
        address, at = _signed(component, at + 2)
        length, at = _number(component, at + 1)
        yield address, length, at
        at += length


def _sections(code: bytearray, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    at = start + 8
    while at < end:
        length, content = _number(code, at + 1)
        yield code[at], content, content + length
        at = content + length


def _number(code: bytearray, at: int) -> tuple[int, int]:
    """LEB128, and where it ends."""
    value = shift = 0
    while True:
        byte = code[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _signed(code: bytearray, at: int) -> tuple[int, int]:
    value, end = _number(code, at)
    # An address of 32 bits.
    bits = 7 * (end - at)
    return (value - (1 << bits) if value >> (bits - 1) else value) & 0xFFFF_FFFF, end
