"""`python -m currant new`: a folder with a module that runs."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
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
        path.write_text(text.replace("NAME", name).replace("WHENCE", _whence()))
    talk.say(f"made {folder}: app.py, test_app.py, pyproject.toml")
    talk.say(
        f"""next:
  cd {folder}
  python -m currant dev                          # a private Postgres and a worker; leave it running, and go on in another terminal
  python -m currant build
  python -m currant deploy {name}.wasm
  python -m currant start greet --input '["Ada", "Grace"]' --wait"""
    )
    return 0


def _whence() -> str:
    """What follows the package's name where it is required: a checkout that it was installed from, so that the same is installed again."""
    try:
        said = importlib.metadata.distribution("currant").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return ""
    url = json.loads(said).get("url", "") if said else ""
    return f" @ {url}" if url.startswith("file:") else ""


FILES = {
    "pyproject.toml": """\
[project]
name = "NAME"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["currantWHENCE"]

[dependency-groups]
dev = ["currant[build]WHENCE", "pytest"]
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
