"""What is to be built: a file or a folder, its name and version, and the modules that belong to it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from currant._cli.talk import Problem

MAIN = ("app.py", "main.py")
"""What a folder's module is called if nothing else says so."""


@dataclass(frozen=True)
class App:
    """A module of the user's."""

    root: Path
    """The folder in which its imports are looked for."""
    module: str
    """What Python imports: `shop`, or `shop.app`."""
    name: str
    """What it is called if it does not say itself."""
    version: str

    @property
    def file(self) -> Path:
        """Where it begins."""
        path = self.root.joinpath(*self.module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def find(path: Path) -> App:
    """The app in a file or folder."""
    path = path.resolve()
    if not path.exists():
        raise Problem(
            f"{path} is not there",
            hint="name the file with your tasks and workflows: python -m currant build app.py",
            status=2,
        )
    if path.is_file() and path.suffix != ".py":
        raise Problem(
            f"{path} is not a Python file", hint="name the file with your tasks and workflows, or its folder", status=2
        )
    root, module = _module(path)
    _check_name(module)
    name, version = _project(path if path.is_dir() else path.parent)
    return App(root, module, name or _as_name(path), version)


def _module(path: Path) -> tuple[Path, str]:
    if path.is_file():
        return (path.parent.parent, path.parent.name) if path.name == "__init__.py" else (path.parent, path.stem)
    if (path / "__init__.py").is_file():
        return path.parent, path.name
    for name in MAIN:
        if (path / name).is_file():
            return path, name.removesuffix(".py")
    project, _ = _project(path)
    package = (project or "").replace("-", "_").replace(".", "_")
    for root in (path / "src", path):
        if package and ((root / package / "__init__.py").is_file() or (root / f"{package}.py").is_file()):
            return root, package
    files = sorted(file.stem for file in path.glob("*.py"))
    if len(files) == 1:
        return path, files[0]
    raise Problem(
        f"{path} has no app.py, main.py or package of its project's name",
        hint="name the file itself: python -m currant build FILE.py",
        status=2,
    )


def _check_name(module: str) -> None:
    if not module.isidentifier():
        raise Problem(
            f"{module}.py cannot be imported: {module!r} is no Python name",
            hint="rename it, with `_` for `-`",
            status=2,
        )
    if module in {"currant", "wit_world", "componentize_py_types", "componentize_py_runtime", "asyncio"}:
        raise Problem(f"{module}.py hides a module of that name that the build needs", hint="rename it", status=2)


def _project(folder: Path) -> tuple[str | None, str]:
    """Name and version that pyproject.toml says, here or in the folders above."""
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        if file.is_file():
            try:
                project = tomllib.loads(file.read_text()).get("project", {})
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise Problem(f"{file} cannot be read: {error}", status=2) from None
            name = project.get("name")
            return (_normal(name) if isinstance(name, str) and place == folder else None), str(
                project.get("version", "0.0.0")
            )
        if (place / ".git").exists():
            break
    return None, "0.0.0"


def _as_name(path: Path) -> str:
    stem = path.stem
    return _normal(path.parent.name if path.name in MAIN or stem == "__init__" else stem)


def _normal(name: str) -> str:
    return re.sub(r"[^a-z0-9_.-]+", "-", name.lower()).strip("-")[:100] or "module"
