from app import invoice
from currant import NonRetryable
from currant.testing import Run


def letter(customer: str, total: int, excuse: str | None) -> str:
    return f"{customer}: {excuse or total}"


def test_the_goods_are_priced_and_the_letter_is_written() -> None:
    run = Run().mock("price", lambda goods: 100 * sum(goods.values())).mock("letter", letter)
    sent = run.call(invoice("Ada", {"mug": 2, "spoon": 1}))
    assert (sent.total, sent.letter) == (300, "Ada: 300")


def test_what_is_not_sold_is_regretted() -> None:
    def price(goods: dict[str, int]) -> int:
        raise NonRetryable("unknown-goods", "we have no teapot")

    run = Run().mock("price", price).mock("letter", letter)
    assert run.call(invoice("Ada", {"teapot": 1})).letter == "Ada: we have no teapot"
