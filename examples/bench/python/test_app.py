from app import noop, steps, tasks, wait
from currant import Json
from currant.testing import Run


def test_nothing_is_done_in_order() -> None:
    run = Run().signal("go", [1])
    run.call(steps(3))
    run.call(tasks(3))
    assert run.called(noop) == 3
    assert run.call(wait()) == Json("[1]")
