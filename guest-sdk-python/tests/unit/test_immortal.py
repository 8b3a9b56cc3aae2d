"""Counts of references in a finished component: what is set, and what is left alone."""

import gc
import struct

from currant import _objects
from currant._cli import immortal

TYPE = 0x20000


def leb(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append((value & 0x7F) | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + leb(len(content)) + content


def component(*segments: tuple[int, bytes]) -> bytearray:
    """A component with a module whose memory begins so, and a smaller one beside it."""

    def module(*segments: tuple[int, bytes]) -> bytes:
        # An address is signed: one more byte keeps the sign away.
        parts = [b"\x00\x41" + padded(at) + b"\x0b" + leb(len(data)) + data for at, data in segments]
        return b"\0asm\1\0\0\0" + section(5, b"\1\0\1") + section(11, leb(len(parts)) + b"".join(parts))

    def padded(value: int) -> bytes:
        return bytes([0x80 | (value >> shift & 0x7F) for shift in (0, 7, 14, 21)] + [value >> 28 & 0x0F])

    return bytearray(
        b"\0asm\x0d\0\1\0" + section(1, module((0, b"small"))) + section(1, module(*segments)) + section(7, b"x")
    )


def test_objects_that_live_in_the_snapshot_are_counted_no_more() -> None:
    heap = struct.pack("<IIIIIIIIII", 1, TYPE, 7, TYPE, 0x10_0008, TYPE, 0, TYPE, 5 << 28, TYPE)
    made = component((0x400, b"before"), (0x10_0000, heap))
    size = len(made)
    # The same twice, one whose type is another, and one that is not in the memory.
    objects = struct.pack("<12I", *(x for at in range(0x10_0000, 0x10_0028, 8) for x in (at, TYPE)), 0x10_0000, TYPE)
    objects += struct.pack("<4I", 0x10_0008, TYPE + 4, 0x90_0000, TYPE)
    assert immortal.make(made, objects) == 2
    # In use; in use; freed, with the address of the next free one; freed, the last one; immortal before.
    heap = struct.pack("<IIIIIIIIII", 5 << 28, TYPE, 5 << 28, TYPE, 0x10_0008, TYPE, 0, TYPE, 5 << 28, TYPE)
    assert bytes(made) == bytes(component((0x400, b"before"), (0x10_0000, heap)))
    assert len(made) == size


def test_an_object_that_does_not_stand_there_as_a_whole_is_left_alone() -> None:
    head = struct.pack("<I", 1)
    made = component((0x10_0000, head), (0x10_0006, b"\2\0"))
    assert immortal.make(made, struct.pack("<2I", 0x10_0000, TYPE)) == 0


def test_what_the_collector_does_not_know_is_told_of_as_well() -> None:
    def function() -> tuple[str, tuple[int, str]]:
        return "a text of this function", (123456789, "another one")

    told = {id(found) for tracked in gc.get_objects() for found in _objects._with_parts(tracked)}
    code = function.__code__
    inner = next(constant for constant in code.co_consts if isinstance(constant, tuple))
    expected = [function, code, code.co_consts, code.co_name, code.co_linetable, code.co_consts[-1], inner, *inner]
    assert [found for found in expected if id(found) not in told] == []
