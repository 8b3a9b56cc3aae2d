"""`python -m currant new`: a folder with a module that runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from currant._cli import app, talk
from currant._cli.talk import Problem

EPILOG = """\
Examples:
  python -m currant new shop
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("folder", type=Path, help="the folder to make; its name is that of the module")


def run(arguments: argparse.Namespace) -> int:
    """Makes it."""
    folder: Path = arguments.folder
    if folder.exists() and any(folder.iterdir()):
        raise Problem(f"{folder} is not empty", hint="name a folder that does not exist", status=2)
    name = app._normal(folder.resolve().name)
    for file, text in FILES.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NAME", name))
    talk.say(f"made {folder}: app.py, a test of it, pyproject.toml")
    talk.say(
        f"hint: cd {folder} && python -m currant build && currant deploy {name}.wasm && currant start greet --input '[\"Ada\"]' --wait"
    )
    return 0


FILES = {
    "pyproject.toml": """\
[project]
name = "NAME"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["currant"]

[dependency-groups]
dev = ["currant[build]", "pytest"]
""",
    "app.py": '''\
"""What NAME does: tasks, and the workflow that ties them together."""

import asyncio

import currant


@currant.task(retries=3, timeout="30s")
def hello(name: str) -> str:
    """Says hello to somebody."""
    currant.log.info("greeting", name=name)
    return f"Hello, {name}!"


@currant.workflow
async def greet(names: list[str]) -> list[str]:
    """Says hello to everybody at once."""
    return list(await asyncio.gather(*(hello(name) for name in names)))
''',
    "test_app.py": """\
from app import greet
from currant.testing import Run


def test_everybody_is_greeted() -> None:
    assert Run().call(greet(["Ada", "Grace"])) == ["Hello, Ada!", "Hello, Grace!"]
""",
    ".gitignore": "*.wasm\n.currant/\n__pycache__/\n",
}
