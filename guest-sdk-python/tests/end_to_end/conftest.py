from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end import stack as stacks
from tests.end_to_end.stack import Stack


@pytest.fixture(scope="session")
def behaviours() -> Path:
    return stacks.build(stacks.GUESTS / "behaviours", "behaviours", "--python-path", str(stacks.GUESTS / "libraries"))


@pytest.fixture(scope="session")
def _stack(behaviours: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stacks.running(tmp_path_factory.mktemp("stack")) as stack:
        stack.deploy(behaviours)
        yield stack


@pytest.fixture
def stack(_stack: Stack) -> Stack:
    return _stack
