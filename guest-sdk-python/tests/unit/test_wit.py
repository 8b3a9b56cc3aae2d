"""The contract that the package carries is that of this repository."""

from pathlib import Path

import pytest

from currant._cli.build import WIT

OURS = Path(__file__).parents[3] / "wit"


@pytest.mark.parametrize("file", sorted(file.name for file in OURS.glob("*.wit")))
def test_the_copy_of_the_contract_is_the_contract(file: str) -> None:
    copy = WIT / "deps" / "guest" / file
    assert copy.read_bytes() == (OURS / file).read_bytes(), f"cp wit/{file} {copy}"


def test_nothing_more_is_copied() -> None:
    assert {file.name for file in (WIT / "deps" / "guest").iterdir()} == {file.name for file in OURS.glob("*.wit")}
