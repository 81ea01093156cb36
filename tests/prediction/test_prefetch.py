from __future__ import annotations

import threading

import pytest

from napari_mito_predict.prediction.prefetch import prefetch


def test_the_same_items_in_order():
    assert list(prefetch(i for i in range(5))) == [0, 1, 2, 3, 4]
    assert list(prefetch(i for i in ())) == []


def test_one_item_is_made_while_the_last_is_used():
    made = threading.Event()

    def items():
        yield 0
        made.set()
        yield 1
        raise AssertionError("two at once")

    found = prefetch(items())
    assert next(found) == 0
    assert made.wait(10), "the next one is made although nobody asked for it"
    found.close()


def test_errors_come_after_what_was_made_before():
    def items():
        yield 1
        raise ValueError("second")

    found = prefetch(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="second"):
        next(found)


@pytest.mark.parametrize("how", [None, KeyboardInterrupt])
def test_closing_stops_what_is_under_way(how):
    begun, stopped, ended = threading.Event(), threading.Event(), threading.Event()

    def items():
        yield 1
        begun.set()
        assert stopped.wait(10)
        try:
            yield 2
        finally:
            ended.set()

    found = prefetch(items(), stopped.set)
    assert next(found) == 1
    assert begun.wait(10)
    if how is None:
        found.close()
    else:
        with pytest.raises(how):
            found.throw(how)
    assert ended.is_set(), "it is closed, too"
