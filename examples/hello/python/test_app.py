from app import greet
from currant.testing import Run


def test_each_is_greeted() -> None:
    assert Run().call(greet(["Ada", "Grace"])) == ["Hello, Ada!", "Hello, Grace!"]
