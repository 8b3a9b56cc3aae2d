"""The package as a whole."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import currant

ONLY_IN_COMPONENTS = {"currant._component", "currant._entry", "currant._wasi_http", "currant.__main__"}
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(currant.__path__, "currant.")
    if module.name not in ONLY_IN_COMPONENTS
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_documentation_hold(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_everything_that_is_exported_is_there() -> None:
    for name in currant.__all__:
        assert getattr(currant, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = currant.nonsense


def test_a_component_does_not_carry_what_is_for_ordinary_programs() -> None:
    code = "import sys, currant, currant.testing, currant.http; print(*(m for m in sys.modules if m.startswith(('psycopg', 'currant'))))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"currant.client", "currant.worker", "currant._cli", "psycopg"} & set(loaded)
