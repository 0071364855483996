"""Escalations that nobody acknowledged are raised again, for a while."""

from gatepost.core.escalations import acknowledged, noted, raised_again
from gatepost.core.events import Record
from gatepost.core.passback import Moment

DATA = {"who": "community", "within_s": 0, "finding": "hot"}


def at(at_s):
    return Moment("boot", at_s, 1_000_000.0 + at_s)


def raised(book=(), at_s=0.0, **more):
    return noted(book, Record("escalation.raised", at_s, {**DATA, **more}), at(at_s))


def test_only_an_escalation_waits_and_not_its_repetition():
    assert noted((), Record("visit.referred", 0.0, {}), at(0.0)) == ()
    assert raised(again=1) == ()
    assert [waits.data["who"] for waits in raised()] == ["community"]


def test_it_is_raised_again_when_its_time_has_come():
    book = raised()
    assert raised_again(book, at(599.0), 599.0, 600.0) == (book, ())
    book, records = raised_again(book, at(600.0), 600.0, 600.0)
    assert [(r.type, r.at_s, dict(r.data)) for r in records] == [
        ("escalation.raised", 600.0, {**DATA, "again": 1})
    ]
    assert raised_again(book, at(1199.0), 1199.0, 600.0)[1] == ()
    _, records = raised_again(book, at(1200.0), 1200.0, 600.0)
    assert [r.data["again"] for r in records] == [2]


def test_it_ends_after_six_times():
    book, times = raised(), []
    for number in range(1, 10):
        book, records = raised_again(book, at(600.0 * number), 600.0 * number, 600.0)
        times += [r.data["again"] for r in records]
    assert times == [1, 2, 3, 4, 5, 6]
    assert book == ()


def test_where_it_is_not_wanted_nothing_waits():
    assert raised_again(raised(), at(1e6), 1e6, 0.0) == ((), ())


def test_no_more_wait_than_the_book_has_lines():
    book = ()
    for number in range(70):
        book = raised(book, float(number), subject=f"s-{number}")
    assert len(book) == 64
    assert book[0].data["subject"] == "s-6"


def test_who_acknowledges_is_recorded_and_of_how_many():
    book = raised(raised(), 5.0, who="street")
    record = acknowledged(book, 9.0, "uid 0")
    assert (record.type, record.at_s) == ("escalation.acknowledged", 9.0)
    assert record.data == {"by": "uid 0", "count": 2, "who": ["community", "street"]}
