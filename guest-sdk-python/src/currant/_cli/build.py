"""`python -m currant build`: a file or folder becomes a component."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import currant
from currant import _snapshot
from currant._cli import app as apps
from currant._cli import immortal, imports, scan, talk, watch
from currant._cli.app import App
from currant._cli.scan import Findings
from currant._cli.talk import Problem

WIT = Path(currant.__file__).parent / "_wit"
SDK = Path(currant.__file__).parent
TOOL = "0.25.1"
"""The version of componentize-py that this release is tested with."""

EPILOG = """\
The component is written beside the source, as NAME.wasm, unless --output says otherwise. Nothing is compiled if nothing has changed.
A folder needs an app.py, a main.py, or the package that its pyproject.toml names.

Examples:
  python -m currant build app.py
  python -m currant build . --output dist/shop.wasm
  python -m currant build app.py --watch
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "path", type=Path, nargs="?", default=Path(), help="the file with your tasks and workflows, or its folder"
    )
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="where the component goes")
    parser.add_argument("--watch", "-w", action="store_true", help="build again whenever a file changes")
    parser.add_argument("--force", action="store_true", help="build even if nothing has changed")
    parser.add_argument(
        "--python-path",
        "-p",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="look for imports here too",
    )


def run(arguments: argparse.Namespace) -> int:
    """Does it, once or for ever."""
    if not arguments.watch:
        print(build(arguments.path, arguments.output, arguments.python_path, force=arguments.force))
        return 0
    for _ in watch.changes(lambda: _watched(arguments)):
        try:
            print(build(arguments.path, arguments.output, arguments.python_path), flush=True)
        except Problem as problem:
            talk.say(f"error: {problem}" + (f"\nhint: {problem.hint}" if problem.hint else ""))
    return 0


def _watched(arguments: argparse.Namespace) -> list[Path]:
    try:
        return scan.scan(apps.find(arguments.path)).files
    except Problem:
        # It will be mended in one of these.
        path = arguments.path.resolve()
        return [path] if path.is_file() else sorted(path.rglob("*.py"))


def build(
    path: Path, output: Path | None = None, python_path: list[Path] | None = None, *, force: bool = False
) -> Path:
    """Makes the component, and answers where it is."""
    began = time.monotonic()
    app = apps.find(path)
    findings = scan.scan(app)
    output = (output or _beside(path.resolve(), app)).resolve()
    folders = [app.root, *(folder.resolve() for folder in python_path or []), *_installed()]
    key = _key(app, findings, folders, python_path or [])
    _warn_of_frozen(findings)
    kept = _cache() / f"{key}.wasm"
    if force or not kept.is_file():
        with tempfile.TemporaryDirectory(prefix="currant-build-") as folder:
            made = Path(folder) / "made.wasm"
            _componentize(app, findings, folders, Path(folder), made)
            _store(made, kept)
        how = f"in {time.monotonic() - began:.1f} s"
    else:
        kept.touch()
        how = "from the cache: nothing has changed"
    output.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, output)
    talk.say(f"built {imports.shown(output)}, {talk.size(output.stat().st_size)}, {how}")
    return output


def _beside(path: Path, app: App) -> Path:
    folder = path if path.is_dir() else path.parent
    return folder / f"{app.name}.wasm"


# --- the cache


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "currant" / "python"


def _key(app: App, findings: Findings, folders: list[Path], python_path: list[Path]) -> str:
    """Of everything that the component is made from."""
    digest = hashlib.sha256()
    for part in (app.module, app.name, app.version, _tool_version(), sys.version.split()[0], *map(str, folders)):
        digest.update(part.encode() + b"\0")
    others = [file for folder in python_path for file in sorted(folder.rglob("*.py"))]
    for file in (*findings.files, *others, *sorted(SDK.rglob("*.py")), *sorted(WIT.rglob("*.wit"))):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    # Installed packages go by name and version.
    for distribution in sorted(f"{found.name}=={found.version}" for found in importlib.metadata.distributions()):
        digest.update(distribution.encode() + b"\0")
    return digest.hexdigest()


def _store(made: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: somebody else may build the same.
    part = kept.with_suffix(f".{os.getpid()}")
    shutil.copyfile(made, part)
    part.replace(kept)
    for old in sorted(kept.parent.glob("*.wasm"), key=lambda file: file.stat().st_mtime)[:-KEPT]:
        with contextlib.suppress(OSError):
            old.unlink()


KEPT = 16
"""Components in the cache: some 20 MB each."""


# --- before


def _warn_of_frozen(findings: Findings) -> None:
    for place, call in findings.frozen:
        talk.say(
            f"warning: {place}: {call}() at the top of a module is decided once, at build, and is the same in every execution: "
            "call it inside the function"
        )


def _warn_of_impossible(told: _Told, findings: Findings) -> None:
    """What can be imported, and then does nothing."""
    failed = {missing["module"] for missing in told.late}
    said = set()
    for module, place in findings.imported.items():
        top = module.split(".")[0]
        if (why := imports.reason(module)) and module not in failed and top not in said:
            said.add(top)
            talk.say(f"warning: {place}: `{module}` will not work in a component: {why}")


# --- making it


def _tool_version() -> str:
    try:
        return importlib.metadata.version("componentize-py")
    except importlib.metadata.PackageNotFoundError:
        raise Problem(
            "componentize-py, which makes components from Python, is not installed",
            hint=f"pip install 'currant[build]'   (or: pip install componentize-py=={TOOL})",
            status=2,
        ) from None


def _installed() -> list[Path]:
    """Where packages of this environment are."""
    paths = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    return list(dict.fromkeys(Path(path) for path in paths if Path(path).is_dir()))


@dataclass
class _Told:
    """What the build said from inside, and the rest of its output."""

    error: dict[str, Any] | None
    late: list[dict[str, str]]
    rest: str


def _componentize(app: App, findings: Findings, folders: list[Path], folder: Path, made: Path) -> None:
    stage = folder / "stage"
    stage.mkdir()
    _link_sdk(stage)
    late = [name for name in findings.late if name.split(".")[0] != "currant" or name == "currant.http"]
    # Tracebacks name files as seen from the app, wherever it was built.
    names = {f"/{number}": "." if path == app.root else path.name for number, path in enumerate(folders, start=1)}
    packages = [f"/{number}" for number, path in enumerate(folders, start=1) if path != app.root]
    (stage / "currant_component.py").write_text(
        # The folders of the user's are not to be written to.
        "import sys\n"
        "sys.dont_write_bytecode = True\n"
        "from currant import _snapshot\n"
        f"_snapshot.make(_snapshot.Plan({app.module!r}, {app.name!r}, {app.version!r}, {late!r}, {packages!r}, {names!r}))\n"
        "from currant._entry import Entry\n"
    )
    command = [sys.executable, "-c", "from componentize_py import script; import sys; sys.exit(script())"]
    command += ["-d", str(WIT), "-w", "currant:python/module", *NAMES, "componentize", "-o", str(made)]
    for path in (stage, *folders):
        command += ["-p", str(path)]
    # It looks for packages by itself too: it should find those of this environment, and no others.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "VIRTUAL_ENV": sys.prefix,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    result = subprocess.run(
        [*command, "currant_component"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
        cwd=folder,
        check=False,
    )
    told = _told(stage, result.stdout + result.stderr)
    for missing in told.late:
        _warn_of_late(missing, findings)
    if result.returncode != 0 or not made.is_file():
        raise _in_words(told, findings)
    _warn_of_impossible(told, findings)
    component = bytearray(made.read_bytes())
    immortal.make(component, (stage / _snapshot.OBJECTS).read_bytes())
    made.write_bytes(component)


NAMES = [
    *("--import-interface-name", "currant:guest/types@0.1.0=types"),
    *("--import-interface-name", "wasi:http/types@0.2.12=http_types"),
]
"""Of the two interfaces that are called `types`."""


def _link_sdk(stage: Path) -> None:
    """The package itself, without what a component does not need."""
    target = stage / "currant"
    shutil.copytree(
        SDK,
        target,
        ignore=shutil.ignore_patterns("_cli", "_wit", "__pycache__", "client.py", "worker.py", "__main__.py"),
    )


def _told(stage: Path, output: str) -> _Told:
    told = _Told(None, [], output)
    file = stage / _snapshot.TOLD
    for line in file.read_text().splitlines() if file.is_file() else []:
        said = json.loads(line)
        told.error = said.get("error", told.error)
        told.late += [said["late"]] if "late" in said else []
    return told


def _warn_of_late(missing: dict[str, str], findings: Findings) -> None:
    place, why = findings.late.get(missing["module"]), imports.reason(missing["module"])
    talk.say(f"warning: {place}: `{missing['module']}` cannot be imported in a component: {why or missing['reason']}")


def _in_words(told: _Told, findings: Findings) -> Problem:
    """What the toolchain's failure means."""
    if told.error is None:
        return Problem(f"componentize-py failed:\n{_indented(told.rest[-4000:])}", status=3)
    kind, message, module = told.error["type"], told.error["message"], told.error["module"]
    if kind in {"ModuleNotFoundError", "ImportError"} and module:
        return _import_problem(module, told.error["traceback"], message, findings)
    if kind == "ValueError" and "\n" not in message and ("functions" in message or "type hints" in message):
        return Problem(message)
    trace = _indented(told.error["traceback"])
    if told.error["of_system"]:
        return Problem(
            f"your module does at its top what a build cannot do: {kind}: {message}\n{trace}",
            hint="do it inside a task: at build there is no network, no thread and no file but the source",
        )
    return Problem(f"your module cannot be imported: {kind}: {message}\n{trace}", hint="mend it, and build again")


def _import_problem(module: str, trace: str, message: str, findings: Findings) -> Problem:
    # `ssl` is Python around `_ssl`.
    module = module.lstrip("_") if imports.reason(module.lstrip("_")) else module
    asked = _asked_for(module, findings)
    where = f"{findings.imported[asked]}: " if asked else ""
    if why := imports.reason(module) or (imports.reason(asked) if asked else None):
        through = f", which `{asked}` needs," if asked and asked.split(".")[0] != module.split(".")[0] else ""
        return Problem(f"{where}`{module}`{through} cannot work in a component: {why}\n{_indented(trace)}")
    if asked and asked.split(".")[0] == module.split(".")[0] and not _is_installed(module):
        return Problem(
            f"{where}there is no module `{module}` here",
            hint=f"is it installed in this environment? pip install {module.split('.')[0]}",
        )
    return Problem(
        f"{where}`{module}` cannot be imported in a component: {message}\n{_indented(trace)}",
        hint="native extensions cannot be loaded, and a part of the standard library is missing: ssl, zlib, ctypes, threads, processes",
    )


def _asked_for(module: str, findings: Findings) -> str | None:
    """What the user imported that led to it."""
    if module in findings.imported:
        return module
    same = (name for name in findings.imported if name.split(".")[0] == module.split(".")[0])
    return next(same, None) or next((name for name in findings.imported if imports.reason(name)), None)


def _is_installed(module: str) -> bool:
    import importlib.util

    with contextlib.suppress(ImportError, ValueError):
        return importlib.util.find_spec(module.split(".")[0]) is not None
    return False


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())
