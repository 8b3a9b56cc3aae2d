"""Runs inside the build: imports the user's module, and makes the interpreter's memory what every instance shall begin with.

What the build should know is told in a file beside the package, one line of JSON each: of what is said on stderr the toolchain keeps
some to itself.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sys
import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from currant import _failures, _functions, _places, _sandbox

TOLD = "told.jsonl"
"""The file, in the folder that holds the package."""


OBJECTS = "objects.bin"
"""Beside it: where the objects of the snapshot are."""


@dataclass(frozen=True)
class Plan:
    """What the build asks for."""

    module: str
    name: str
    version: str
    late: list[str]
    """Imported inside functions of the app: there is nothing to import from later."""
    packages: list[str]
    """The folders in which packages of others lie."""
    folders: dict[str, str]
    """What folders in here are called out there."""


def make(plan: Plan) -> None:
    """Leaves nothing to import for later."""
    _places.rename_sdk()
    for folder, name in plan.folders.items():
        _places.rename(folder, name)
    _sandbox.prepare()
    _functions.set_default_module(plan.name, plan.version)
    try:
        importlib.import_module(plan.module)
        for name in plan.late:
            _import_late(name)
        _import_late_of_packages(plan)
        if "currant.http" in sys.modules:
            importlib.import_module("currant._wasi_http")
        from currant import _entry

        _entry.check()
    except BaseException as error:
        _tell_error(error)
        raise
    _keep_lines(plan)
    _tell("functions", [definition.name for definition in _functions.all_functions()])
    _sandbox.seal(os.path.join(_places.FOLDER, OBJECTS))


def _import_late(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError as error:
        parent, _, last = name.rpartition(".")
        # `from a import b` looks like the module `a.b`.
        if not hasattr(sys.modules.get(parent), last):
            _tell("late", {"module": name, "reason": str(error)})
    except Exception as error:
        _tell("late", {"module": name, "reason": f"{type(error).__name__}: {error}"})


def _import_late_of_packages(plan: Plan) -> None:
    """What packages import inside their functions. They are full of alternatives for other machines: what fails was perhaps not meant."""
    looked: set[str] = set()
    while waiting := [
        module for name, module in list(sys.modules.items()) if name not in looked and _lies_in(module, plan.packages)
    ]:
        for module in waiting:
            looked.add(module.__name__)
            for name in sorted(_imports_inside_functions(module)):
                with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
                    importlib.import_module(name)


def _lies_in(module: ModuleType, folders: list[str]) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.endswith(".py") and any(file.startswith(f"{folder}/") for folder in folders)


def _imports_inside_functions(module: ModuleType) -> set[str]:
    import ast

    with open(str(module.__file__), "rb") as file:
        tree = ast.parse(file.read())
    names: set[str] = set()
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), module.__package__)
                names.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return names


def _keep_lines(plan: Plan) -> None:
    """So that tracebacks can show them."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and any(file.startswith(folder + "/") for folder in plan.folders):
            with contextlib.suppress(OSError, UnicodeDecodeError), open(file, encoding="utf-8") as source:
                _places.keep(file, source.read())


def _tell_error(error: BaseException) -> None:
    _tell(
        "error",
        {
            "type": type(error).__name__,
            "message": str(error),
            "module": error.name if isinstance(error, ImportError) else None,
            # Files, sockets, processes: whatever a build has not.
            "of_system": isinstance(error, (OSError, NotImplementedError))
            or getattr(error, "code", "") == "no-threads",
            "traceback": _failures.traceback_of(error),
        },
    )


def _tell(kind: str, value: Any) -> None:
    with open(os.path.join(_places.FOLDER, TOLD), "a", encoding="utf-8") as told:
        told.write(json.dumps({kind: value}) + "\n")
