from datetime import timedelta

import pytest
from app import Order, charge, checkout, release, reserve, ship
from currant import Failure
from currant.testing import Run

ORDER = Order(42, ["mug"], 1250, pause_seconds=5, approval_seconds=60)


def test_an_approved_order_is_shipped_once_and_charged_at_the_second_attempt() -> None:
    run = Run().signal_after("20 s", "approved", "ada")
    confirmation = run.call(checkout(ORDER))
    assert (confirmation.order, confirmation.attempts, confirmation.approved_by) == (42, 2, "ada")
    assert (run.called(reserve), run.called(charge), run.called(ship)) == (1, 2, 1)
    assert run.elapsed() == timedelta(seconds=20)


def test_an_order_that_nobody_approves_is_put_back() -> None:
    run = Run()
    with pytest.raises(Failure, match="nobody approved order 42"):
        run.call(checkout(ORDER))
    assert (run.called(release), run.called(ship)) == (1, 0)


def test_each_task_works_alone() -> None:
    assert reserve(ORDER).run().shelf == "shelf-0"
    with pytest.raises(Failure, match="card-network-busy"):
        charge(ORDER).run()
    assert Run().call(charge(ORDER)).attempt == 2
    assert ship(ORDER, "CUR-1").run().tracking == "CUR-1"
