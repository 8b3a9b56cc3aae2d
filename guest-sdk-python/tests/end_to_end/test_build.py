"""`python -m currant build` with the real toolchain: what it makes, and what it says when it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FUNCTION = "\n@currant.task\ndef nothing() -> None: ...\n"


def build(folder: Path, text: str, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    for name, content in {"app": text, **more}.items():
        (folder / f"{name}.py").write_text(content)
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", "currant", "build", "app.py", *options]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )


def test_the_same_source_gives_the_same_component_and_is_built_once(tmp_path: Path) -> None:
    text = f"import currant\nfrom colours import RED\n{FUNCTION}"
    first = build(tmp_path, text, "--output", "first.wasm", colours="RED = 1\n")
    assert first.returncode == 0, first.stderr
    assert first.stdout.strip() == str(tmp_path / "first.wasm")
    assert "built first.wasm, " in first.stderr
    again = build(tmp_path, text, "--output", "again.wasm", colours="RED = 1\n")
    assert "from the cache: nothing has changed" in again.stderr
    changed = build(tmp_path, text, "--output", "changed.wasm", colours="RED = 2\n")
    assert "from the cache" not in changed.stderr
    component = (tmp_path / "first.wasm").read_bytes()
    assert component == (tmp_path / "again.wasm").read_bytes() != (tmp_path / "changed.wasm").read_bytes()
    assert component[:8] == b"\0asm\r\0\1\0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"import currant\nimport ssl\n{FUNCTION}",
            [
                "error: app.py:2: `ssl` cannot work in a component: the Python of a component is built without it",
                "`currant.http`",
            ],
        ),
        (
            "import currant\n\ndef value():\n    return {}['key']\n\nX = value()\n",
            [
                "your module cannot be imported: KeyError: 'key'",
                'File "app.py", line 6, in <module>',
                'File "app.py", line 4, in value',
            ],
        ),
    ],
)
def test_what_cannot_be_built_is_said_in_words(tmp_path: Path, text: str, words: list[str]) -> None:
    done = build(tmp_path, text)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    for part in words:
        assert part in done.stderr, done.stderr


def test_what_is_frozen_comes_too_late_or_does_nothing_is_warned_of(tmp_path: Path) -> None:
    late = "\ndef later():\n    import numpy\n    import multiprocessing.pool\n"
    done = build(tmp_path, f"import currant, uuid\nRUN = uuid.uuid4()\n{FUNCTION}{late}")
    assert done.returncode == 0, done.stderr
    assert "warning: app.py:2: uuid.uuid4() at the top of a module is decided once, at build" in done.stderr
    assert "warning: app.py:8: `numpy` cannot be imported in a component: it is native code" in done.stderr
    assert (
        "warning: app.py:9: `multiprocessing.pool` will not work in a component: a sandbox has no threads"
        in done.stderr
    )
