"""What the source tells before anything is built: which files belong to the app, which imports come later than the snapshot, which can never
work in a sandbox, and which values would be frozen at build.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from currant._cli import imports
from currant._cli.app import App
from currant._cli.talk import Problem


@dataclass(frozen=True)
class Place:
    """A line of the user's."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{imports.shown(self.file)}:{self.line}"


@dataclass
class Findings:
    """What was found in the files of an app."""

    files: list[Path] = field(default_factory=list)
    """All that it imports of itself."""
    late: dict[str, Place] = field(default_factory=dict)
    """Imported inside functions."""
    imported: dict[str, Place] = field(default_factory=dict)
    """Everything that is imported, and where first."""
    frozen: list[tuple[Place, str]] = field(default_factory=list)
    """Calls at the top of a module whose value is decided at build."""


def scan(app: App) -> Findings:
    """Reads the app's own modules, beginning where it begins."""
    findings = Findings()
    waiting = [app.file]
    while waiting:
        file = waiting.pop(0)
        if file in findings.files:
            continue
        findings.files.append(file)
        tree = _parse(file)
        for name, node, deep in _imports(tree, _package(app, file)):
            place = Place(file, node.lineno)
            findings.imported.setdefault(name, place)
            if deep:
                findings.late.setdefault(name, place)
            waiting.extend(_own(app, name))
        findings.frozen.extend((Place(file, line), call) for line, call in _frozen(tree))
    return findings


def _parse(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise Problem(f"{imports.shown(file)}:{error.lineno}: {error.msg}", hint="mend it, and build again") from None


def _package(app: App, file: Path) -> str:
    """What relative imports in this file are relative to."""
    return ".".join(file.parent.relative_to(app.root).parts) if file.is_relative_to(app.root) else ""


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, ast.stmt, bool]]:
    """Names, where they stand, and whether only inside a function."""
    deep = {id(node) for function in ast.walk(tree) if isinstance(function, _FUNCTION) for node in ast.walk(function)}
    typing_only = {id(node) for block in ast.walk(tree) if _is_typing_only(block) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node, id(node) in deep
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            if base:
                yield base, node, id(node) in deep
            for alias in node.names:
                # A name may be a module of its own.
                if alias.name != "*" and base:
                    yield f"{base}.{alias.name}", node, id(node) in deep


_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _is_typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _own(app: App, name: str) -> Iterator[Path]:
    """The files of the app that importing this name reads."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        path = app.root.joinpath(*parts[:length])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file


# --- frozen values

_CLOCKS = {
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "localtime",
    "gmtime",
    "ctime",
}
_FROZEN = {
    "random": None,
    "secrets": None,
    "uuid": {"uuid1", "uuid4", "uuid6", "uuid7"},
    "time": _CLOCKS,
    "os": {"urandom", "getenv"},
    "datetime.datetime": {"now", "today", "utcnow"},
    "datetime.date": {"today"},
    "currant": {"now", "random", "uuid", "context"},
}
"""Functions whose value should not be decided at build; None is all of them."""
_HARMLESS = {"random.Random", "random.SystemRandom", "secrets.SystemRandom", "secrets.compare_digest"}


def _frozen(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Calls that run when the module is imported."""
    names = _aliases(tree)
    for node in _at_import(tree):
        if isinstance(node, ast.Call) and (name := _full_name(node.func, names)) and _is_frozen(name, node):
            yield node.lineno, name


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported: of functions only defaults and decorators."""
    if isinstance(node, _FUNCTION):
        for part in (*node.args.defaults, *node.args.kw_defaults, *getattr(node, "decorator_list", ())):
            if part is not None:
                yield from _at_import(part)
    elif not _is_typing_only(node) and not _is_main(node):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _at_import(child)


def _is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"__name__ == '__main__'", "'__main__' == __name__"}


def _aliases(tree: ast.Module) -> dict[str, str]:
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _full_name(node: ast.expr, names: dict[str, str]) -> str | None:
    match node:
        case ast.Name(id):
            return names.get(id)
        case ast.Attribute(value, name):
            owner = _full_name(value, names)
            return f"{owner}.{name}" if owner else None
        case _:
            return None


def _is_frozen(name: str, call: ast.Call) -> bool:
    owner, _, function = name.rpartition(".")
    if owner not in _FROZEN or (name in _HARMLESS and (call.args or name != "random.Random")):
        return False
    functions = _FROZEN[owner]
    return functions is None or function in functions
