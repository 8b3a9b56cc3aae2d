from app import count, count_all
from currant.testing import Run

TEXTS = {"one": "a rose is a rose", "two": "is it a rose", "three": "..."}


def test_all_texts_are_counted_and_what_failed_is_named() -> None:
    run = Run()
    summary = run.call(count_all(TEXTS, at_once=2))
    assert summary.words == 9
    assert summary.most == [("a", 3), ("rose", 3), ("is", 2), ("it", 1)]
    assert summary.failed == {"three": "there is nothing to count"}
    assert run.called(count) == 3


def test_a_count_that_fails_once_is_made_again() -> None:
    answers: list[Exception | dict[str, int]] = [ValueError("the disk is full"), {"rose": 1}]

    def mock(text: str) -> dict[str, int]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert Run().mock(count, mock).call(count_all({"one": "rose"})).words == 1
