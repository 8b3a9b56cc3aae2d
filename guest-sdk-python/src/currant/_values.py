"""What crosses the border of a function: JSON text on one side, Python values of the type that was asked for on the other.

Understood are: None, bool, int, float, str; list, tuple, set, frozenset, dict and their abstract kin; dataclasses, typed dicts,
named tuples, enums, `Literal`, `Optional` and unions; datetime, date, time, UUID, Decimal and bytes (base64), as texts; `Json`, which
is handed on byte for byte; and `Any`.
"""

from __future__ import annotations

import base64
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import functools
import json
import types
import typing
import uuid
from typing import Any, TypeVar

from currant import _failures

T = TypeVar("T")


class Json:
    """A value that is passed on as it is: the same text, byte for byte, without being understood.

    >>> Json('{"b": 1.10}').text
    '{"b": 1.10}'
    >>> Json.of([1, 2]).read(list[int])
    [1, 2]
    """

    __slots__ = ("text",)

    text: str
    """The text."""

    def __init__(self, text: str) -> None:
        self.text = text

    @staticmethod
    def of(value: Any) -> Json:
        """Any value, as JSON."""
        return Json(encode("a value", value))

    @typing.overload
    def read(self, type: type[T]) -> T: ...
    @typing.overload
    def read(self, type: Any = Any) -> Any: ...
    def read(self, type: Any = Any) -> Any:
        """What the text means."""
        return decode("invalid-value", "a value", self.text, type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Json) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Json({self.text!r})"


# --- writing


def encode(what: str, value: Any) -> str:
    """As JSON text. `what` names the value in the failure, such as ``the result of `charge` ``."""
    if isinstance(value, Json):
        return value.text
    raw: list[str] = []
    try:
        text = json.dumps(
            value, default=functools.partial(_simpler, raw), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = _in_words(error)
        raise _failures.NonRetryable("invalid-value", f"{what} cannot be written as JSON: {reason}") from None
    for number, kept in enumerate(raw):
        text = text.replace(_placeholder(number), kept)
    return text


def _simpler(raw: list[str], value: Any) -> Any:
    """What json.dumps does not know, as something that it does."""
    match value:
        case Json():
            # A text that no other value can contain: the contract refuses the character.
            raw.append(value.text)
            return json.loads(_placeholder(len(raw) - 1))
        case enum.Enum():
            return value.value
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case uuid.UUID() | decimal.Decimal():
            return str(value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case set() | frozenset() | collections.abc.KeysView() | collections.abc.ValuesView():
            return list(value)
        case collections.abc.Mapping():
            return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"a {type(value).__name__} is neither a plain value nor a dataclass")


def _placeholder(number: int) -> str:
    return f'"\\u0000json-{number}"'


def _in_words(error: Exception) -> str:
    match error:
        case UnicodeEncodeError():
            return "it contains half of a character (a lone surrogate)"
        case RecursionError():
            return "it contains itself, or is nested too deeply"
        case _:
            return str(error)


def is_plain(value: Any) -> bool:
    """Whether JSON alone tells what it is. (A tuple comes back as a list.)"""
    match value:
        case None | bool() | Json():
            return True
        case enum.Enum():
            return False
        case int() | float() | str():
            return True
        case list() | tuple():
            return not hasattr(value, "_fields") and all(is_plain(item) for item in value)
        case dict():
            return all(isinstance(name, str) and is_plain(item) for name, item in value.items())
        case _:
            return False


# --- reading


class Mismatch(Exception):
    """A value is not of the type that was asked for; says where."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path

    def below(self, step: str) -> Mismatch:
        """The same, seen from the value that contains it."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return Mismatch(self.reason, f"{step}{joint}{self.path}")

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


def decode(code: str, what: str, text: str, type: Any = Any) -> Any:
    """The value, of this type. Not retryable: the same text gives the same error at every attempt."""
    try:
        return read(text, type)
    except json.JSONDecodeError as error:
        raise _failures.NonRetryable(code, f"{what} is not JSON: {error}") from None
    except (Mismatch, RecursionError) as mismatch:
        raise _failures.NonRetryable(code, f"{what} is not what is expected: {mismatch}") from None


def read(text: str, type: Any) -> Any:
    """The value that a text stands for."""
    return _cut(text.strip(), type) if _keeps_text(type) else convert(json.loads(text), type)


def convert(value: Any, type: Any) -> Any:
    """A parsed value as one of this type."""
    if type is Any or type is object or isinstance(type, TypeVar):
        return value
    if type is None or type is types.NoneType:
        return _expect(value is None, value, "null") and None
    origin = typing.get_origin(type)
    if origin is not None:
        return _convert_generic(value, type, origin)
    if isinstance(type, typing.NewType):
        return convert(value, type.__supertype__)
    if typing.is_typeddict(type):
        return _convert_typed_dict(value, type)
    if not isinstance(type, _CLASS):
        raise Mismatch(f"its type, {type!r}, cannot be read from JSON")
    if dataclasses.is_dataclass(type):
        return _convert_dataclass(value, type)
    if issubclass(type, enum.Enum):
        return _convert_enum(value, type)
    if issubclass(type, tuple) and hasattr(type, "_fields"):
        return _convert_named_tuple(value, type)
    return _convert_plain(value, type)


_CLASS = type


def _convert_plain(value: Any, type: Any) -> Any:
    match type:
        case _ if type is Json:
            return Json.of(value)
        case _ if type is bool:
            return _expect(isinstance(value, bool), value, "a boolean")
        case _ if type is int:
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return int(_expect(whole and not isinstance(value, bool), value, "an integer"))
        case _ if type is float:
            return float(_expect(isinstance(value, (int, float)) and not isinstance(value, bool), value, "a number"))
        case _ if type is str:
            return _expect(isinstance(value, str), value, "a text")
        case _ if type in (list, tuple, set, frozenset):
            return type(_expect(isinstance(value, list), value, "a list"))
        case _ if type is dict:
            return _expect(isinstance(value, dict), value, "an object")
        case _ if type in _TEXTS:
            words, parse = _TEXTS[type]
            _expect(
                isinstance(value, (str, int, float)) if type is decimal.Decimal else isinstance(value, str),
                value,
                words,
            )
            try:
                return parse(str(value))
            except (ValueError, ArithmeticError):
                raise Mismatch(f"expected {words}, got {_shown(value)}") from None
        case _ if isinstance(value, type):
            return value
        case _:
            raise Mismatch(f"its type, {type.__name__}, cannot be read from JSON: use a dataclass")


_TEXTS: dict[Any, tuple[str, collections.abc.Callable[[str], Any]]] = {
    datetime.datetime: ("a time such as 2030-01-31T08:00:00+00:00", datetime.datetime.fromisoformat),
    datetime.date: ("a date such as 2030-01-31", datetime.date.fromisoformat),
    datetime.time: ("a time of day such as 08:00:00", datetime.time.fromisoformat),
    uuid.UUID: ("a UUID", uuid.UUID),
    decimal.Decimal: ("a decimal number", decimal.Decimal),
    bytes: ("bytes as base64", functools.partial(base64.b64decode, validate=True)),
}


_REMARKS = (typing.Annotated, typing.Required, typing.NotRequired, getattr(typing, "ReadOnly", typing.Annotated))
"""They say more about a type, and do not change it."""


def _convert_generic(value: Any, type: Any, origin: Any) -> Any:
    arguments = typing.get_args(type)
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(arguments, lambda option: convert(value, option), value)
    if origin is typing.Literal:
        # 1 == True, but they are not the same.
        found = [choice for choice in arguments if choice == value and isinstance(choice, _CLASS(value))]
        choices = ", ".join(json.dumps(choice) for choice in arguments if not isinstance(choice, enum.Enum))
        return _expect(bool(found), value, f"one of {choices}")
    if origin in _REMARKS:
        return convert(value, arguments[0])
    if dataclasses.is_dataclass(origin) or typing.is_typeddict(origin):
        return convert(value, origin)
    if origin is tuple:
        return _convert_tuple(value, arguments)
    if isinstance(origin, _CLASS) and issubclass(origin, collections.abc.Mapping):
        _expect(isinstance(value, dict), value, "an object")
        key, item = arguments
        return {_at(f"[{name!r}]", name, key): _at(name, inner, item) for name, inner in value.items()}
    if isinstance(origin, _CLASS) and issubclass(origin, collections.abc.Iterable):
        _expect(isinstance(value, list), value, "a list")
        items = [_at(f"[{index}]", inner, arguments[0]) for index, inner in enumerate(value)]
        return origin(items) if origin in (set, frozenset) else items
    raise Mismatch(f"its type, {type!r}, cannot be read from JSON")


def _convert_tuple(value: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    _expect(isinstance(value, list), value, "a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        raise Mismatch(f"expected a list of {len(arguments)}, got one of {len(value)}")
    return tuple(
        _at(f"[{index}]", inner, item) for index, (inner, item) in enumerate(zip(value, arguments, strict=True))
    )


def _convert_named_tuple(value: Any, type: Any) -> Any:
    hints = hints_of(type)
    return type(*_convert_tuple(value, tuple(hints.get(name, Any) for name in type._fields)))


def _convert_enum(value: Any, type: type[enum.Enum]) -> enum.Enum:
    try:
        return type(value)
    except ValueError:
        choices = ", ".join(json.dumps(choice.value, default=str) for choice in type)
        raise Mismatch(f"expected one of {choices}, got {_shown(value)}") from None


def _convert_dataclass(value: Any, type: Any) -> Any:
    _expect(isinstance(value, dict), value, f"an object ({type.__name__})")
    fields = {field.name: field for field in dataclasses.fields(type) if field.init}
    given = {name: inner for name, inner in value.items() if name in fields}
    hints = hints_of(type)
    return _build(type, fields, {name: _at(name, inner, hints[name]) for name, inner in given.items()})


def _build(type: Any, fields: dict[str, dataclasses.Field[Any]], given: dict[str, Any]) -> Any:
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in given:
            raise Mismatch(f"the field `{name}` is missing")
    try:
        return type(**given)
    except (ValueError, TypeError) as error:
        # What `__post_init__` refuses.
        raise Mismatch(str(error)) from None


def _convert_typed_dict(value: Any, type: Any) -> dict[str, Any]:
    _expect(isinstance(value, dict), value, f"an object ({type.__name__})")
    hints = hints_of(type)
    for name in sorted(type.__required_keys__):
        if name not in value:
            raise Mismatch(f"the field `{name}` is missing")
    return {name: _at(name, inner, hints.get(name, Any)) for name, inner in value.items()}


@functools.cache
def hints_of(thing: Any) -> dict[str, Any]:
    """Its type hints, resolved."""
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except NameError as error:
        name = getattr(thing, "__qualname__", repr(thing))
        raise TypeError(
            f"the type hints of `{name}` cannot be resolved: {error}. Import it outside `if TYPE_CHECKING:`, and define it "
            "at the top of a module"
        ) from None


def _first_that_fits(options: tuple[Any, ...], attempt: collections.abc.Callable[[Any], Any], value: Any) -> Any:
    reasons: list[Mismatch] = []
    # A number that is whole is an integer first: `float | int` should not turn 1 into 1.0.
    for option in sorted(options, key=lambda option: option is float):
        try:
            return attempt(option)
        except Mismatch as mismatch:
            reasons.append(mismatch)
    if len(reasons) == 2 and types.NoneType in options:
        raise next(reason for reason in reasons if reason.reason[:13] != "expected null")
    raise Mismatch(f"it fits none of {', '.join(_type_name(option) for option in options)}, got {_shown(value)}")


def _at(step: str, value: Any, type: Any) -> Any:
    try:
        return convert(value, type)
    except Mismatch as mismatch:
        raise mismatch.below(step) from None


def _expect(holds: bool, value: Any, words: str) -> Any:
    if not holds:
        raise Mismatch(f"expected {words}, got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _type_name(type: Any) -> str:
    return type.__name__ if isinstance(type, _CLASS) else str(type)


# --- reading what contains `Json`: the text is cut, so that those parts keep their bytes


@functools.cache
def _keeps_text(type: Any) -> bool:
    return _mentions_json(type, set())


def _mentions_json(type: Any, seen: set[Any]) -> bool:
    """`seen`: a class may contain itself."""
    if type is Json:
        return True
    if type in seen:
        return False
    seen.add(type)
    inner = typing.get_args(type)
    if isinstance(type, _CLASS) and (dataclasses.is_dataclass(type) or typing.is_typeddict(type)):
        inner = tuple(hints_of(type).values())
    return any(_mentions_json(part, seen) for part in inner)


def _cut(text: str, type: Any) -> Any:
    """Like `convert`, of a text."""
    if type is Json:
        json.loads(text)
        return Json(text)
    if not _keeps_text(type):
        return convert(json.loads(text), type)
    origin, arguments = typing.get_origin(type), typing.get_args(type)
    if origin in (typing.Union, types.UnionType):
        options = tuple(sorted(arguments, key=lambda option: option is not types.NoneType))
        return _first_that_fits(options, lambda option: _cut(text, option), json.loads(text))
    if isinstance(type, _CLASS) and dataclasses.is_dataclass(type) and text.startswith("{"):
        hints, fields = hints_of(type), {field.name: field for field in dataclasses.fields(type) if field.init}
        return _build(
            type, fields, {name: read_at(name, part, hints[name]) for name, part in _members(text) if name in fields}
        )
    if typing.is_typeddict(type) and text.startswith("{"):
        hints = hints_of(type)
        _convert_typed_dict(json.loads(text), type)
        return {name: read_at(name, part, hints.get(name, Any)) for name, part in _members(text)}
    if origin is dict and text.startswith("{"):
        return {name: read_at(name, part, arguments[1]) for name, part in _members(text)}
    if origin in (list, tuple, collections.abc.Sequence) and text.startswith("["):
        parts = list(elements(text))
        if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
            if len(parts) != len(arguments):
                raise Mismatch(f"expected a list of {len(arguments)}, got one of {len(parts)}")
            return tuple(
                read_at(f"[{index}]", part, item)
                for index, (part, item) in enumerate(zip(parts, arguments, strict=True))
            )
        items = [read_at(f"[{index}]", part, arguments[0]) for index, part in enumerate(parts)]
        return tuple(items) if origin is tuple else items
    return convert(json.loads(text), type)


def read_at(step: str, text: str, type: Any) -> Any:
    """Like `read`, of a part that stands there in the whole."""
    try:
        return _cut(text, type)
    except Mismatch as mismatch:
        raise mismatch.below(step) from None


_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"


def _members(text: str) -> collections.abc.Iterator[tuple[str, str]]:
    """The names and texts of an object's members."""
    json.loads(text)
    position = _skip(text, 1)
    while text[position] != "}":
        name, position = _DECODER.raw_decode(text, position)
        start = _skip(text, _skip(text, position) + 1)
        _, position = _DECODER.raw_decode(text, start)
        yield name, text[start:position]
        position = _skip(text, position)
        if text[position] == ",":
            position = _skip(text, position + 1)


def elements(text: str) -> collections.abc.Iterator[str]:
    """The texts of a list's elements."""
    json.loads(text)
    position = _skip(text, 1)
    while text[position] != "]":
        start = position
        _, position = _DECODER.raw_decode(text, start)
        yield text[start:position]
        position = _skip(text, position)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    while text[position] in _SPACE:
        position += 1
    return position
