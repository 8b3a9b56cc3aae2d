"""What crosses the border of a function."""

import datetime
import decimal
import enum
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

import pytest

import currant
from currant import Failure, Json, _values


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Item:
    name: str
    count: int = 1
    colour: Colour = Colour.RED


@dataclass
class Order:
    items: list[Item]
    note: str | None = None
    raw: Json | None = None
    tags: dict[str, int] = field(default_factory=dict)


@dataclass
class Tree:
    name: str
    children: "list[Tree]" = field(default_factory=list)
    raw: Json | None = None


@dataclass
class Leaf:
    next: "Leaf | None" = None


class Point(NamedTuple):
    x: int
    y: float


class Parcel(TypedDict):
    order: Order
    weight: NotRequired[float]


@pytest.mark.parametrize(
    ("value", "type"),
    [
        (None, None),
        (True, bool),
        (3, int),
        (1.5, float),
        ("a\u00e4\U0001f600", str),
        ([1, 2], list[int]),
        ((1, "a"), tuple[int, str]),
        ((1, 2, 3), tuple[int, ...]),
        ({1, 2}, set[int]),
        ({"a": [1]}, dict[str, list[int]]),
        ({}, dict[str, Any]),
        ([1], Sequence[int]),
        (Colour.BLUE, Colour),
        ("small", Literal["small", "large"]),
        (None, int | None),
        ("x", int | str),
        (1, float | int),
        (Item("a", 2, Colour.BLUE), Item),
        (Order([Item("a")], "n", None, {"x": 1}), Order),
        (Point(1, 2.5), Point),
        (Leaf(Leaf(Leaf())), Leaf),
        (Tree("a", [Tree("b"), Tree("c", [Tree("d")])]), Tree),
        ({"order": Order([])}, Parcel),
        (datetime.datetime(2030, 1, 31, 8, tzinfo=datetime.UTC), datetime.datetime),
        (datetime.date(2030, 1, 31), datetime.date),
        (datetime.time(8, 30), datetime.time),
        (uuid.UUID(int=7), uuid.UUID),
        (decimal.Decimal("1.10"), decimal.Decimal),
        (b"\0\xff", bytes),
        ([Item("a"), {"any": 1}], list[Item | dict[str, int]]),
    ],
)
def test_a_value_comes_back_as_it_went(value: Any, type: Any) -> None:
    back = _values.read(_values.encode("x", value), type)
    assert back == value
    assert back.__class__ is value.__class__


@pytest.mark.parametrize(
    ("text", "type", "reason"),
    [
        ('{"items":[{"name":3}]}', Order, "items[0].name: expected a text, got 3"),
        ('{"items":[{}]}', Order, "items[0]: the field `name` is missing"),
        (
            '{"items":[{"name":"a","colour":"green"}]}',
            Order,
            'items[0].colour: expected one of "red", "blue", got "green"',
        ),
        ('{"items":{}}', Order, "items: expected a list, got {}"),
        ("[]", Order, "expected an object (Order), got []"),
        ('{"order":{"items":[]},"weight":"x"}', Parcel, 'weight: expected a number, got "x"'),
        ("{}", Parcel, "the field `order` is missing"),
        ("1.5", int, "expected an integer, got 1.5"),
        ("true", int, "expected an integer, got true"),
        ("1", bool, "expected a boolean, got 1"),
        ("[1]", tuple[int, int], "expected a list of 2, got one of 1"),
        ('{"a":"x"}', dict[str, int], 'a: expected an integer, got "x"'),
        ('"x"', int | None, 'expected an integer, got "x"'),
        ('"x"', int | float, 'it fits none of int, float, got "x"'),
        ('"tiny"', Literal["small", "large"], 'expected one of "small", "large", got "tiny"'),
        ('"x"', datetime.date, 'expected a date such as 2030-01-31, got "x"'),
        ('"x"', uuid.UUID, 'expected a UUID, got "x"'),
        ("1", object.__class__, "its type, type, cannot be read from JSON: use a dataclass"),
    ],
)
def test_a_value_that_does_not_fit_says_where(text: str, type: Any, reason: str) -> None:
    with pytest.raises(Failure) as raised:
        _values.decode("invalid-input", "the input of `charge`", text, type)
    assert str(raised.value) == f"invalid-input: the input of `charge` is not what is expected: {reason}"
    assert not raised.value.retryable


def test_what_is_no_json_is_said_to_be_none() -> None:
    with pytest.raises(Failure, match="the result is not JSON: Expecting value: line 1 column 1"):
        _values.decode("invalid-result", "the result", "nonsense")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "a object is neither a plain value nor a dataclass"),
        (float("nan"), "Out of range float values are not JSON compliant"),
        ("\ud800", "half of a character"),
        ({(1, 2): 3}, "keys must be str"),
    ],
)
def test_what_cannot_be_written_says_why(value: Any, reason: str) -> None:
    with pytest.raises(Failure, match=reason) as raised:
        _values.encode("the result of `charge`", value)
    assert raised.value.code == "invalid-value"


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Failure, match=r"Circular reference|contains itself"):
        _values.encode("x", endless)


RAW = '{"b": 1.10, "a":[ 2 ,1e400], "\\u00e4": "\\ud83d\\ude00"}'


def test_json_keeps_its_bytes_wherever_it_stands() -> None:
    assert _values.read(RAW, Json).text == RAW
    order = _values.read(f'{{"items": [], "raw" : {RAW} , "tags":{{}}}}', Order)
    assert order.raw == Json(RAW)
    assert _values.encode("x", order) == f'{{"items":[],"note":null,"raw":{RAW},"tags":{{}}}}'
    assert _values.read(f"[ 1, {RAW}]", list[Json]) == [Json("1"), Json(RAW)]
    assert _values.read(f"[[1],{RAW}]", tuple[list[int], Json]) == ([1], Json(RAW))
    assert _values.read(f'{{"k":{RAW}}}', dict[str, Json]) == {"k": Json(RAW)}
    assert _values.read("null", Json | None) is None


def test_json_can_be_made_and_read() -> None:
    assert Json.of(Item("a")).text == '{"name":"a","count":1,"colour":"red"}'
    assert Json('{"name":"a"}').read(Item) == Item("a")


def test_unknown_fields_are_ignored_as_a_newer_caller_may_send_them() -> None:
    assert _values.read('{"name":"a","new":1}', Item) == Item("a")


def test_hints_that_cannot_be_resolved_are_named() -> None:
    def function(value: "Missing") -> None:  # type: ignore[name-defined]  # noqa: F821
        pass

    with pytest.raises(TypeError, match=r"the type hints of `.*function` cannot be resolved: name 'Missing'"):
        _values.hints_of(function)


def arguments(*types: Any) -> Any:
    @currant.task
    def none() -> None: ...
    @currant.task
    def one(first: int) -> None: ...
    @currant.task
    def optional(first: list[int] | None = None) -> None: ...
    @currant.task
    def several(first: int, second: str = "two", third: Json | None = None) -> None: ...

    return {"none": none, "one": one, "optional": optional, "several": several}


@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("none", (), "null"),
        ("one", (5,), "5"),
        ("optional", (), "null"),
        ("optional", ([1],), "[1]"),
        ("several", (1,), '[1,"two",null]'),
        ("several", (1, "x", Json("1.0")), '[1,"x",1.0]'),
    ],
)
def test_one_argument_is_the_input_itself_several_are_a_list_none_is_null(
    name: str, given: tuple[Any, ...], text: str
) -> None:
    definition = arguments()[name]._definition
    assert definition.encode_input(definition.bind(*given)) == text
    assert definition.decode_input(text) == definition.bind(*given)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("none", "1", "it takes no argument"),
        ("one", '"x"', 'expected an integer, got "x"'),
        ("several", '["x"]', 'first: expected an integer, got "x"'),
        ("several", "[1,2]", "second: expected a text, got 2"),
        ("several", "[]", r"expected a list of its arguments \(first, second, third\), got one of 0"),
        ("several", "[1,", "Expecting value"),
    ],
)
def test_input_that_does_not_fit_says_which_argument(name: str, text: str, reason: str) -> None:
    with pytest.raises(Failure, match=reason) as raised:
        arguments()[name]._definition.decode_input(text)
    assert raised.value.code == "invalid-input"


def test_later_arguments_may_be_left_out() -> None:
    several = arguments()["several"]._definition
    assert several.decode_input("[1]") == several.decode_input("1") == [1, "two", None]
