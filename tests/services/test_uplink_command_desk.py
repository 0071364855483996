"""Commands at the link: form, inbox, answers. No broker and no gate."""

import json

import pytest

from gatepost_services.commands.jws import MOST_BYTES as GATES_MOST_BYTES
from gatepost_services.commands.jws import Kind
from gatepost_services.commands.memory import AnswerReader, CommandMemory
from gatepost_services.inbox import MOST_WAITING, Inbox, InboxError, InboxReader, Letter
from gatepost_services.uplink import letters
from gatepost_services.uplink.command_desk import MOST_CORRELATION_BYTES, CommandDesk
from gatepost_services.uplink.desk import Message, Post

from .command_kit import raw_text, signed_text

BASE = "gatepost/north/gate-1"


class Office:
    """A desk with its files, and a gate that answers."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.now_s = 100.0
        self.replays: list[tuple[int, int]] = []
        self.open()

    def open(self) -> None:
        self.inbox = Inbox.open(self.folder / "inbox.db")
        self.answers = AnswerReader(self.folder / "commands.db")
        self.desk = CommandDesk(
            "north", "gate-1", self.inbox, self.answers, lambda *each: self.replays.append(each)
        )
        self.desk.connected(self.now_s)

    def close(self) -> None:
        self.inbox.close()
        self.answers.close()

    def take(self, payload: bytes, **about: object) -> None:
        self.desk.take(Message(f"{BASE}/command", payload, **about), self.now_s)

    def waiting(self) -> list[Letter]:
        with InboxReader(self.folder / "inbox.db") as reader:
            return reader.after(b"", 0, 1000)

    def answer(self, *letters_: Letter, body: bytes = b'{"id":"c-1"}') -> None:
        with CommandMemory.open(self.folder / "commands.db") as memory:
            for letter in letters_:
                memory.end(letter, None, body)

    def next(self) -> Post | None:
        self.now_s += 1.0
        return self.desk.next_post(self.now_s)

    def posts(self, reason: int = 0) -> list[Post]:
        found = []
        while (post := self.next()) is not None:
            found.append(post)
            self.desk.posted(post, reason, self.now_s)
        return found

    def refusals(self) -> list[dict[str, str]]:
        return [json.loads(post.payload) for post in self.posts()]


@pytest.fixture
def office(tmp_path):
    made = Office(tmp_path)
    yield made
    made.close()


def test_the_link_takes_what_the_gate_would_take():
    assert letters.MOST_BYTES == GATES_MOST_BYTES
    assert Kind.COMMAND.value == letters.COMMAND_TYPE
    assert letters.check_command(signed_text(jti="x")) == "x"


def test_a_command_of_form_is_kept_whoever_signed_it(office):
    text = signed_text()
    office.take(text)
    assert [letter.content for letter in office.waiting()] == [text]
    assert office.posts() == []
    assert office.desk.figures() == {"received": 1, "refused": {}, "replies_undelivered": 0}


HEADERS = [
    b'{"alg":"none","kid":"00","typ":"gatepost-command+jwt"}',
    b'{"alg":"EdDSA","kid":"00","typ":"gatepost-desired+jwt"}',
    b'{"alg":"EdDSA","typ":"gatepost-command+jwt"}',
    b'{"alg":"EdDSA","kid":"00","typ":"gatepost-command+jwt","crit":[]}',
    b'{"alg":"EdDSA","kid":7,"typ":"gatepost-command+jwt"}',
    b"[]",
    b"{",
]


@pytest.mark.parametrize("header", HEADERS)
def test_another_header_is_no_command(header, office):
    good = signed_text().split(b".")
    office.take(b".".join([letters.urlsafe_b64encode(header).rstrip(b"="), *good[1:]]))
    assert office.waiting() == []
    (said,) = office.refusals()
    assert (said["id"], said["status"], said["why"]) == ("c-1", "refused", "malformed")


@pytest.mark.parametrize(
    "text",
    [
        b".",
        b"..",
        b"...",
        b"\xff" * 100,
        b"[" * 9000,
        raw_text(b"[" * 5000),
        raw_text(b"9" * 5000),
        raw_text(b'{"jti":"' + b"x" * 65 + b'"}'),
        raw_text(b'{"jti":7}'),
        signed_text() + b"=",
        signed_text()[:-86],
    ],
)
def test_whatever_comes_is_counted_and_never_kept(text, office):
    office.take(text)
    assert office.waiting() == []
    assert office.desk.figures()["refused"] == {"malformed": 1}


def test_without_an_id_nothing_is_answered(office):
    office.take(raw_text(b"{"))
    assert office.posts() == []


def test_nothing_is_no_command_it_takes_a_retained_one_back(office):
    office.take(b"", is_retained=True)
    office.take(b"")
    assert office.desk.figures() == {"received": 0, "refused": {}, "replies_undelivered": 0}


@pytest.mark.parametrize(
    ("about", "why"),
    [({"is_retained": True}, "retained"), ({"payload": b"{" + b" " * 13_000}, "too_large")],
)
def test_retained_and_oversize_are_refused(about, why, office):
    office.take(**{"payload": signed_text(), **about})
    assert office.waiting() == []
    assert office.desk.figures()["refused"] == {why: 1}


@pytest.mark.parametrize(
    ("topic", "is_used"),
    [
        (f"{BASE}/reply/me", True),
        (f"{BASE}/reply/a/b", True),
        (f"{BASE}/reply/", False),
        (f"{BASE}/reply", False),
        (f"{BASE}/replyx/me", False),
        ("gatepost/north/gate-2/reply/me", False),
        (f"{BASE}/reply/#", False),
        (f"{BASE}/reply/+", False),
        (f"{BASE}/reply/\x00", False),
        (f"{BASE}/reply/{'x' * 200}", False),
        (None, False),
    ],
)
def test_an_answer_goes_below_our_own_topic_or_to_it(topic, is_used, office):
    office.take(signed_text(), response_topic=topic, correlation=b"7")
    office.answer(*office.waiting())
    (post,) = office.posts()
    assert post.topic == (topic if is_used else f"{BASE}/reply")
    assert (post.correlation, post.is_retained, post.expiry_s) == (b"7", False, 86_400)


def test_correlation_data_has_a_bound(office):
    office.take(signed_text(), correlation=b"x" * (MOST_CORRELATION_BYTES + 1))
    office.answer(*office.waiting())
    assert office.posts()[0].correlation is None


def test_what_is_answered_leaves_the_inbox_and_what_is_not_does_not(office):
    for number in range(3):
        office.take(signed_text(jti=f"c-{number}"))
    first, second, third = office.waiting()
    office.answer(first, second)
    assert office.next() is not None
    assert len(office.waiting()) == 3  # not before the broker has the answer
    assert len(office.posts()) == 2
    assert office.waiting() == [third]
    assert office.posts() == []


def test_answers_are_published_once_more_after_a_restart_only_where_the_broker_had_them_not(office):
    for number in range(3):
        office.take(signed_text(jti=f"c-{number}"))
    office.answer(*office.waiting())
    post = office.next()
    office.desk.posted(post, 0, office.now_s)
    office.close()
    office.open()
    assert len(office.posts()) == 2
    assert office.waiting() == []


def test_answers_of_another_inbox_are_nobodys(office):
    office.take(signed_text())
    (letter,) = office.waiting()
    office.answer(letter._replace(epoch=b"another"))
    assert office.posts() == []
    assert office.waiting() == [letter]


def test_a_gate_that_begins_its_file_anew_is_followed(office):
    for number in range(4):
        office.take(signed_text(jti=f"c-{number}"))
    kept = office.waiting()
    office.answer(*kept[:3], body=b'{"id":"old"}')
    assert len(office.posts()) == 3
    for suffix in ("", "-wal", "-shm"):
        (office.folder / f"commands.db{suffix}").unlink(missing_ok=True)
    office.answer(kept[3], body=b'{"id":"new"}')
    assert [post.payload for post in office.posts()] == [b'{"id":"new"}']


def test_many_old_answers_are_passed_over(office):
    office.take(signed_text())
    (letter,) = office.waiting()
    office.answer(*[letter._replace(epoch=b"old")] * 700, letter)
    assert office.next() is not None


def test_answers_of_one_moment_go_out_one_after_another(office):
    count = 120  # more than are read at once
    for number in range(count):
        office.take(signed_text(jti=f"c-{number}"))
    office.answer(*office.waiting())
    office.now_s += 1.0
    for _ in range(count):
        office.desk.posted(office.desk.next_post(office.now_s), 0, office.now_s)
    assert office.waiting() == []


def test_a_refused_response_topic_gives_way_to_our_own_and_then_to_others(office):
    for number in (1, 2):
        office.take(signed_text(jti=f"c-{number}"), response_topic=f"{BASE}/reply/me")
    office.answer(*office.waiting())
    topics = [post.topic for post in office.posts(reason=0x87)]
    assert topics == [f"{BASE}/reply/me", f"{BASE}/reply"] * 2
    assert office.waiting() == []
    assert office.desk.figures()["replies_undelivered"] == 2


def test_nobody_subscribed_is_an_answer_that_the_broker_took(office):
    office.take(signed_text())
    office.answer(*office.waiting())
    assert len(office.posts(reason=0x10)) == 1
    assert office.waiting() == []


def test_more_than_the_gate_would_ever_deal_with_is_told_busy(office):
    for number in range(MOST_WAITING + 2):
        office.take(signed_text(jti=f"c-{number}"))
    assert len(office.waiting()) == MOST_WAITING
    assert [(said["id"], said["why"]) for said in office.refusals()] == [
        (f"c-{MOST_WAITING}", "busy"),
        (f"c-{MOST_WAITING + 1}", "busy"),
    ]


def test_a_flood_of_what_has_no_form_keeps_its_memory_small(office):
    for _ in range(10_000):
        office.take(signed_text(verb="open_all"))
    assert office.desk.figures()["refused"] == {"malformed": 10_000}
    assert len(office.refusals()) == 64


def test_an_inbox_that_cannot_be_written_leaves_the_command_with_the_broker(office, monkeypatch):
    def fails(*_: object) -> None:
        raise InboxError("disk full")

    monkeypatch.setattr(office.inbox, "put", fails)
    with pytest.raises(OSError, match="disk full"):
        office.take(signed_text())
    assert office.desk.figures()["received"] == 0


def test_an_answer_that_promises_events_begins_the_replay_once(office):
    office.take(signed_text())
    office.take(signed_text(jti="c-2"))
    first, second = office.waiting()
    office.answer(first, body=b'{"id":"c-1","status":"done","replay":{"first":3,"last":9}}')
    office.answer(second, body=b'{"id":"c-2","replay":{"first":"x"}}')
    assert len(office.posts()) == 2
    assert office.replays == [(3, 9)]
