"""What `build` says before and after the toolchain: scans, refusals, translations. No toolchain runs here."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from currant._cli import app, build, imports, scan, watch
from currant._cli.main import ADMIN, main
from currant._cli.talk import Problem


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def found(folder: Path, **files: str) -> scan.Findings:
    return scan.scan(app.find(write(folder, **files) / "app.py"))


def test_calls_whose_value_would_be_frozen_are_named_with_file_and_line(tmp_path: Path) -> None:
    findings = found(
        tmp_path,
        app="""\
import random, time as clock
import shop.numbers
from uuid import uuid4
from datetime import datetime, date

RUN = uuid4()
BEGAN = clock.time()
RNG = random.Random()
SEEDED = random.Random(42)

def later(now=datetime.now(), pick=lambda: random.random()):
    return clock.time(), uuid4()

class Settings:
    today = date.today()

if __name__ == "__main__":
    print(random.random())
""",
        shop__numbers="import random\nLUCKY = random.randint(1, 6)\n",
    )
    named = [(place.file.name, place.line, call) for place, call in findings.frozen]
    assert named == [
        ("app.py", 6, "uuid.uuid4"),
        ("app.py", 7, "time.time"),
        ("app.py", 8, "random.Random"),
        ("app.py", 11, "datetime.datetime.now"),
        ("app.py", 15, "datetime.date.today"),
        ("numbers.py", 2, "random.randint"),
    ]


def test_imports_inside_functions_are_found_for_the_snapshot(tmp_path: Path) -> None:
    findings = found(
        tmp_path,
        app="""\
from typing import TYPE_CHECKING
import json
from . import never
if TYPE_CHECKING:
    import numpy

def later():
    import decimal
    from shop.numbers import lucky
    return decimal, lucky
""",
        shop__numbers="def lucky():\n    from . import other\n",
        shop__other="",
    )
    assert set(findings.late) == {"decimal", "shop.numbers", "shop.numbers.lucky", "shop", "shop.other"}
    assert "numpy" not in findings.imported
    assert [file.name for file in findings.files] == ["app.py", "numbers.py", "other.py"]


def test_a_syntax_error_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"app\.py:2: "):
        found(tmp_path, app="x = 1\ndef broken(:\n")


def told(kind: str, message: str, module: str | None = None, *, of_system: bool = False) -> Any:
    error = {"type": kind, "message": message, "module": module, "of_system": of_system, "traceback": "Traceback: …"}
    return build._Told(error, [], "")


def test_an_import_that_cannot_work_says_where_why_and_what_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    findings = found(tmp_path, app="import json\nimport requests\n")
    problem = build._in_words(told("ModuleNotFoundError", "No module named 'ssl'", "ssl"), findings)
    assert str(problem).startswith(
        "app.py:2: `ssl`, which `requests` needs, cannot work in a component: the Python of a component is built without it"
    )
    problem = build._in_words(told("ModuleNotFoundError", "No module named 'requests'", "requests"), findings)
    assert str(problem).startswith(
        "app.py:2: `requests` cannot work in a component: a sandbox has no sockets: use `currant.http`"
    )


def test_a_module_that_is_not_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    findings = found(tmp_path, app="import not_there.inside\n")
    problem = build._in_words(told("ModuleNotFoundError", "No module named 'not_there'", "not_there"), findings)
    assert str(problem) == "app.py:1: there is no module `not_there` here"
    assert problem.hint == "is it installed in this environment? pip install not_there"


def test_other_failures_are_shown_with_the_users_traceback(tmp_path: Path) -> None:
    findings = found(tmp_path, app="")
    problem = build._in_words(told("ZeroDivisionError", "division by zero"), findings)
    assert str(problem) == "your module cannot be imported: ZeroDivisionError: division by zero\n  Traceback: …"
    problem = build._in_words(told("FileNotFoundError", "No such file", of_system=True), findings)
    assert str(problem).startswith(
        "your module does at its top what a build cannot do: FileNotFoundError: No such file"
    )
    words = "module `app` has no functions: mark at least one with `@currant.task` or `@currant.workflow`"
    assert str(build._in_words(told("ValueError", words), findings)) == words
    unknown = build._in_words(build._Told(None, [], "it crashed"), findings)
    assert str(unknown) == "componentize-py failed:\n  it crashed"
    assert unknown.status == 3


@pytest.mark.parametrize(
    "module", ["requests", "numpy", "psycopg", "ssl", "pydantic", "httpx", "numpy.linalg", "concurrent.futures"]
)
def test_modules_that_people_try_have_a_reason(module: str) -> None:
    assert imports.reason(module)


@pytest.mark.parametrize("module", ["json", "asyncio", "dataclasses", "concurrent", "numpyro"])
def test_modules_that_work_have_none(module: str) -> None:
    assert imports.reason(module) is None


@pytest.mark.parametrize(
    ("files", "path", "expected"),
    [
        ({"shop": ""}, "shop.py", ("shop", "shop")),
        ({"app": ""}, ".", ("app", "project")),
        ({"main": ""}, ".", ("main", "project")),
        ({"my_shop": ""}, ".", ("my_shop", "project")),
        ({"shop____init__": ""}, "shop", ("shop", "shop")),
        ({"shop____init__": "", "shop__tasks": ""}, "shop/__init__.py", ("shop", "shop")),
    ],
)
def test_files_and_folders_are_found(
    tmp_path: Path, files: dict[str, str], path: str, expected: tuple[str, str]
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".git").mkdir()
    for name, text in files.items():
        file = folder / (
            "/".join(name.split("__", 1))
            if "____" not in name
            else name.replace("____", "/__").replace("init__", "init__")
        )
        file = file.with_name(file.name + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    made = app.find(folder / path)
    assert (made.module, made.name) == expected
    assert made.file.is_file()


def test_name_and_version_come_from_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "My-Shop"\nversion = "2.1.0"\n')
    package = tmp_path / "src" / "my_shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    made = app.find(tmp_path)
    assert (made.name, made.version, made.module, made.root) == ("my-shop", "2.1.0", "my_shop", tmp_path / "src")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "is not there"),
        ("notes.txt", "is not a Python file"),
        ("my-app.py", "is no Python name"),
        ("asyncio.py", "hides a module"),
    ],
)
def test_what_cannot_be_built_is_refused(tmp_path: Path, name: str, words: str) -> None:
    if name != "nothing":
        (tmp_path / name).write_text("")
    with pytest.raises(Problem, match=words) as raised:
        app.find(tmp_path / name)
    assert raised.value.status == 2


def test_watching_sees_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "app.py"
    file.write_text("a")
    monkeypatch.setattr(watch, "EVERY", 0.01)
    turns = watch.changes(lambda: [file])
    next(turns)
    file.write_text("b = 1")
    next(turns)


def test_a_command_that_is_handed_over_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CURRANT_HOME", str(tmp_path))
    assert main(["dev"]) == 3
    assert f"there is no `currant-host` in CURRANT_HOME ({tmp_path})" in capsys.readouterr().err
    monkeypatch.delenv("CURRANT_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["list"]) == 3
    assert "`currant` is not on the PATH" in capsys.readouterr().err


def test_every_command_of_the_other_programs_is_told_of() -> None:
    commands = Path(__file__).parents[3] / "cli/src/commands"
    assert {file.stem for file in commands.glob("*.rs")} == set(ADMIN)


def test_a_command_is_handed_over_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = tmp_path / "bin" / "currant"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    monkeypatch.setenv("CURRANT_HOME", str(tmp_path))
    became: list[Any] = []
    monkeypatch.setattr("os.execv", lambda *arguments: became.append(arguments))
    main(["start", "greet", "--input", "[1]", "--wait"])
    assert became == [(str(binary), [str(binary), "start", "greet", "--input", "[1]", "--wait"])]


def test_a_new_module_passes_its_own_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "My Shop"
    assert main(["new", str(folder)]) == 0
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    checkout = (Path(__file__).parents[2]).as_uri()
    assert (project["project"]["name"], project["project"]["dependencies"]) == ("my-shop", [f"currant @ {checkout}"])
    assert project["dependency-groups"]["dev"][0] == f"currant[build] @ {checkout}"
    made = app.find(folder)
    assert (made.module, made.name) == ("app", "my-shop")
    monkeypatch.syspath_prepend(str(folder))
    namespace: dict[str, Any] = {}
    exec((folder / "test_app.py").read_text(), namespace)
    namespace["test_everybody_is_greeted"]()
    assert main(["new", str(folder)]) == 2
    assert "is not empty" in capsys.readouterr().err
