"""Finding `currant-host` and `currant`, and handing a command over to them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from currant._cli.talk import Problem


def find(name: str) -> Path:
    """Where a binary is: in CURRANT_HOME or its `bin`, else on the PATH."""
    home = os.environ.get("CURRANT_HOME")
    if home:
        for folder in (Path(home), Path(home) / "bin"):
            if os.access(folder / name, os.X_OK) and (folder / name).is_file():
                return folder / name
        raise Problem(
            f"there is no `{name}` in CURRANT_HOME ({home})",
            hint=f"name the folder in which `{name}` lies, or unset it",
            status=3,
        )
    found = shutil.which(name)
    if found is None:
        raise Problem(
            f"`{name}` is not on the PATH",
            hint="install Currant (cargo build makes it in target/debug), or name the folder of its binaries: export CURRANT_HOME=…",
            status=3,
        )
    return Path(found)


def hand_over(name: str, arguments: list[str]) -> int:
    """Becomes that program."""
    binary = str(find(name))
    # The `currant` script of a Python environment could otherwise call itself.
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":
        return subprocess.run([binary, *arguments], check=False).returncode
    os.execv(binary, [binary, *arguments])
