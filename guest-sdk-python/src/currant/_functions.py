"""What the decorators make of a function, and the list of those that a module offers."""

from __future__ import annotations

import functools
import inspect
import itertools
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec, TypeVar

from currant import _failures, _options, _places, _values
from currant._durations import Duration, optional_milliseconds
from currant._loop import BlockingLoop
from currant._options import RetryPolicy, Timeouts

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
T = TypeVar("T")

Kind = Literal["task", "workflow"]

_NAME = re.compile(r"[a-z0-9_.-]{1,100}", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """What holds when a caller says nothing else."""

    queue: str | None
    priority: int | None
    retry: RetryPolicy | None
    timeouts: Timeouts

    @staticmethod
    def of(
        kind: Kind,
        *,
        queue: str | None,
        priority: int | None,
        retries: int | None,
        backoff: Duration | None,
        multiplier: float | None,
        max_backoff: Duration | None,
        timeout: Duration | None,
        queue_timeout: Duration | None,
        total_timeout: Duration | None,
        heartbeat: Duration | None = None,
    ) -> Settings:
        """As a decorator says them."""
        standard = _options.TASK if kind == "task" else _options.WORKFLOW
        if queue is not None:
            check_name("queue", queue)
        if priority is not None and not -32768 <= priority <= 32767:
            raise ValueError(f"priority={priority}: it must lie between -32768 and 32767")
        return Settings(
            queue,
            priority,
            _options.retry_policy(standard, retries, backoff, multiplier, max_backoff),
            Timeouts(
                optional_milliseconds(queue_timeout),
                optional_milliseconds(timeout),
                optional_milliseconds(heartbeat),
                optional_milliseconds(total_timeout),
            ),
        )


class Definition(Generic[P, R]):
    """A function of the user's, with what Currant knows about it."""

    def __init__(self, kind: Kind, body: Callable[..., Any], name: str | None, settings: Settings) -> None:
        self.kind = kind
        self.body = body
        self.name = check_name(kind, name if name is not None else body.__name__)
        self.settings = settings
        self.is_async = inspect.iscoroutinefunction(body)
        self.parameters = _parameters(self.name, body)

    @property
    def description(self) -> str | None:
        """For people: the docstring."""
        return inspect.getdoc(self.body)

    @property
    def place(self) -> str:
        """Where it stands."""
        code = inspect.unwrap(self.body).__code__
        return f"{code.co_filename}:{code.co_firstlineno}"

    @functools.cached_property
    def hints(self) -> dict[str, Any]:
        """The types of parameters and result."""
        return _values.hints_of(self.body)

    @property
    def returns(self) -> Any:
        """The type of the result."""
        return self.hints.get("return", Any)

    # One argument is the input itself, several are a list, none is null.

    def bind(self, *args: Any, **kwargs: Any) -> list[Any]:
        """All arguments in order, defaults included."""
        bound = inspect.Signature(self.parameters).bind(*args, **kwargs)
        bound.apply_defaults()
        return list(bound.arguments.values())

    def encode_input(self, arguments: list[Any]) -> str:
        """The arguments as input."""
        what = f"the input of `{self.name}`"
        return _values.encode(what, _packed(arguments))

    def decode_input(self, text: str) -> list[Any]:
        """The arguments that an input stands for."""
        try:
            return self._read_input(text.strip())
        except (_values.Mismatch, ValueError, RecursionError) as mismatch:
            words = f"the input of `{self.name}` is not what is expected: {mismatch}"
            raise _failures.NonRetryable("invalid-input", words) from None

    def _read_input(self, text: str) -> list[Any]:
        if not self.parameters:
            if _values.read(text, Any) is not None:
                raise _values.Mismatch("it takes no argument, so that its input is null")
            return []
        if len(self.parameters) == 1:
            [only] = self.parameters
            if text == "null" and only.default is not only.empty:
                try:
                    return [_values.read(text, self._type(only))]
                except _values.Mismatch:
                    return [only.default]
            return [_values.read(text, self._type(only))]
        required = sum(parameter.default is parameter.empty for parameter in self.parameters)
        # A caller that gives a single argument does not wrap it, nor does this SDK.
        parts = (
            list(_values.elements(text))
            if text.startswith("[")
            else [text]
            if required <= 1 and text != "null"
            else None
        )
        if parts is None or not required <= len(parts) <= len(self.parameters):
            names = ", ".join(parameter.name for parameter in self.parameters)
            got = "something else" if parts is None else f"one of {len(parts)}"
            raise _values.Mismatch(f"expected a list of its arguments ({names}), got {got}")
        given = zip(self.parameters, parts, strict=False)
        values = [_values.read_at(parameter.name, part, self._type(parameter)) for parameter, part in given]
        return values + [parameter.default for parameter in self.parameters[len(parts) :]]

    def _type(self, parameter: inspect.Parameter) -> Any:
        return self.hints.get(parameter.name, Any)

    def encode_result(self, value: Any) -> str:
        """What it returned, as JSON text."""
        return _values.encode(f"the result of `{self.name}`", value)

    # Running it.

    def run_task(self, input: str) -> str:
        """Runs the body of a task with this input."""
        return self.encode_result(self.run_body(self.decode_input(input)))

    def run_body(self, arguments: list[Any]) -> Any:
        """Runs the body of a task, async or not."""
        value = self.body(*arguments)
        return BlockingLoop().run(value) if self.is_async else value

    async def run_workflow(self, input: str) -> str:
        """Runs the body of a workflow with this input."""
        coroutine: Coroutine[Any, Any, Any] = self.body(*self.decode_input(input))
        return self.encode_result(await coroutine)


def _packed(arguments: list[Any]) -> Any:
    match arguments:
        case []:
            return None
        case [only]:
            return only
        case several:
            return several


def _parameters(name: str, body: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(body).parameters.values())
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise TypeError(
                f"`{name}` cannot have the parameter `{parameter}`: its input is one value, or a list of them. Take a dataclass instead"
            )
    if parameters and parameters[0].name == "self":
        raise TypeError(f"`{name}` is a method: only functions at the top of a module can be tasks and workflows")
    return parameters


def check_name(what: str, name: str) -> str:
    """As the contract allows names."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} name {name!r}: names are made of a-z, 0-9, `_`, `.` and `-`, 1 to 100 of them")
    return name


# --- the module


@dataclass(frozen=True)
class Module:
    """What the component is called."""

    name: str
    version: str


_registered: list[Definition[..., Any]] = []
_module: Module | None = None
_default = Module("module", "0.0.0")


def register(definition: Definition[P, R]) -> Definition[P, R]:
    """It is part of the module."""
    _registered.append(definition)
    return definition


def module(name: str, version: str | None = None) -> None:
    """Says what this component is called. Once, anywhere in the module; without it, `build` takes name and version from
    ``pyproject.toml``, or the name of the file.

    >>> module("shop", version="2.1.0")
    """
    global _module
    _module = Module(check_name("module", name), _default.version if version is None else version)


def set_default_module(name: str, version: str) -> None:
    """What it is called if the user does not say."""
    global _default
    _default = Module(check_name("module", name), version)


def the_module() -> Module:
    """What it is called."""
    if _module is None:
        return _default
    return _module


def find(name: str) -> Definition[..., Any]:
    """The function of this name."""
    found: Definition[..., Any] | None = next((one for one in reversed(_registered) if one.name == name), None)
    if found is not None:
        return found
    raise _failures.NonRetryable("unknown-function", f"this module has no function `{name}`")


def shown(definition: Definition[..., Any]) -> str:
    """Where it stands, as its author knows the place."""
    return _places.shorten(definition.place)


def all_functions() -> list[Definition[..., Any]]:
    """All that are registered, in the order of their names. The error is a sentence that tells the author what to mend."""
    functions = sorted(_registered, key=lambda definition: (definition.name, definition.place))
    if not functions:
        raise ValueError(
            f"module `{the_module().name}` has no functions: mark at least one with `@currant.task` or `@currant.workflow`"
        )
    for one, other in itertools.pairwise(functions):
        if one.name == other.name:
            raise ValueError(f"two functions are called `{one.name}`: {shown(one)} and {shown(other)}")
    return functions
