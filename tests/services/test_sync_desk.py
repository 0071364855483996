"""The link's desk of documents: chunks lost, repeated, wrong; restarts; disks; what is tidied."""

import errno
from hashlib import sha256
from itertools import pairwise

import pytest

from gatepost_services.sync import transfer
from gatepost_services.sync.documents import CHUNK_BYTES, MOST_BYTES
from gatepost_services.uplink.desk import Message, Post

from .sync_rig import Bench, content_of, desired, letter

THREE = content_of(3 * CHUNK_BYTES + 17)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.desk.close()


def digest(content):
    return sha256(content).hexdigest()


def test_it_subscribes_to_letters_and_chunks_of_its_own_gate(bench):
    assert bench.desk.topics == (
        "gatepost/north/gate-1/desired/+",
        "gatepost/north/gate-1/chunk/+/+",
    )


@pytest.mark.parametrize("size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 300_000])
def test_a_content_comes_whole_and_its_letter_goes_into_the_inbox(size, bench):
    content = content_of(size)
    text = bench.want("roster", 1, content)
    bench.serve()
    assert bench.inbox == [text]
    assert (bench.folder / digest(content)).read_bytes() == content
    assert bench.files() == [digest(content)]
    assert bench.desk.progress["roster"] == {
        "version": 1,
        "state": "handed_on",
        "has": size,
        "bytes": size,
    }


def test_the_file_is_for_the_gate_to_read_and_for_nobody_else(bench):
    bench.want("trust", 1, THREE)
    bench.serve()
    assert (bench.folder / digest(THREE)).stat().st_mode & 0o137 == 0
    assert bench.folder.stat().st_mode & 0o027 == 0


def test_the_small_ones_come_first_and_do_not_wait_for_a_large_one(bench):
    bench.want("roster", 1, content_of(400_000))
    fetch = bench.asked()
    bench.answer(fetch)
    regime = bench.want("regime", 1, THREE)
    trust = bench.want("trust", 1, THREE + b"x")
    bench.serve()
    assert bench.inbox[:2] == [trust, regime]
    assert len(bench.inbox) == 3


def test_the_same_letter_again_is_no_news_and_after_a_restart_the_gate_gets_it_once_more(bench):
    text = bench.want("regime", 1, THREE)
    bench.serve()
    bench.say("regime", text)
    bench.desk.connected(bench.now_s)
    bench.serve()
    assert bench.inbox == [text]
    bench.restart()
    bench.say("regime", text)
    assert bench.asked() is None  # the content is there
    assert bench.inbox == [text, text]


def test_what_is_asked_for_grows_on_a_fast_line_and_shrinks_on_a_slow_one(bench):
    bench.want("roster", 1, content_of(60 * CHUNK_BYTES))
    sizes = []
    for took_s in (0.1, 0.1, 0.1, 0.1, 0.3, 2.0, 2.0):
        fetch = bench.asked()
        sizes.append(fetch.bytes // CHUNK_BYTES)
        bench.now_s += took_s
        bench.answer(fetch)
    assert sizes == [1, 2, 4, 8, 8, 8, 4]


def test_nothing_more_is_asked_while_an_answer_is_awaited(bench):
    bench.want("regime", 1, THREE)
    assert bench.asked() is not None
    assert bench.asked() is None


def test_what_does_not_come_is_asked_for_again_less_and_less_often(bench):
    bench.want("regime", 1, THREE)
    asked_at_s = []
    for _ in range(20_000):
        if bench.asked() is not None:
            asked_at_s.append(bench.now_s)
        bench.now_s += 0.5
    pauses = [b - a for a, b in pairwise(asked_at_s)]
    assert min(pauses) >= 10.0
    assert max(pauses) <= 311.0
    assert 20 < len(asked_at_s) < 150
    bench.now_s += 400
    bench.serve()
    assert len(bench.inbox) == 1


def test_a_chunk_that_is_late_counts_all_the_same(bench):
    """A line slower than the patience of the desk must get on too."""
    content = content_of(4 * CHUNK_BYTES)
    bench.want("regime", 1, content)
    for _ in range(4):
        fetch = next(found for _ in range(2000) if (found := bench.asked()) or bench_later(bench))
        bench.now_s += 15.0
        bench.asked()
        bench.answer(fetch)
    assert bench.asked() is None
    assert len(bench.inbox) == 1


def bench_later(bench):
    bench.now_s += 0.5


@pytest.mark.parametrize("reason", [0x10, 0x80, 0x87])
def test_a_request_that_nobody_gets_is_made_again_later(reason, bench):
    bench.want("regime", 1, THREE)
    post = bench.desk.next_post(bench.now_s)
    bench.desk.posted(post, reason, bench.now_s)
    bench.now_s += 301
    bench.serve()
    assert len(bench.inbox) == 1


def test_a_document_that_nobody_serves_does_not_hold_up_another(bench):
    bench.want("trust", 1, THREE)
    fetch = bench.asked()
    text = bench.want("regime", 1, THREE + b"x")
    bench.now_s += 10.0
    fetch = bench.asked() or bench.asked()
    assert fetch.digest == digest(THREE + b"x")
    bench.answer(fetch)
    while (fetch := bench.asked()) is not None and fetch.digest != digest(THREE):
        bench.answer(fetch)
    assert bench.inbox == [text]


def test_a_newer_letter_drops_the_older_transfer(bench):
    bench.want("roster", 1, content_of(100_000))
    bench.answer(bench.asked())
    newer = bench.want("roster", 2, THREE)
    assert bench.files() == []
    bench.serve()
    assert bench.inbox == [newer]
    assert bench.files() == [digest(THREE)]


def test_a_newer_letter_of_the_same_content_goes_on_with_it(bench):
    content = content_of(100_000)
    bench.want("roster", 1, content)
    bench.answer(bench.asked())
    bench.want("roster", 2, content)
    assert bench.asked().offset == CHUNK_BYTES


def test_a_document_that_is_no_longer_wanted_is_given_up_and_removed(bench):
    bench.want("roster", 1, content_of(100_000))
    bench.answer(bench.asked())
    bench.say("roster", b"")
    assert bench.files() == []
    assert bench.asked() is None
    assert bench.inbox == []


def test_a_document_that_is_no_longer_wanted_is_removed_though_the_gate_had_it(bench):
    bench.want("roster", 1, THREE)
    bench.serve()
    bench.now_s += 60
    bench.asked()
    bench.say("roster", b"")
    assert bench.files() == []


def test_old_files_go_when_it_is_known_what_is_wanted(bench):
    bench.want("roster", 1, THREE)
    bench.serve()
    bench.restart()
    newer = bench.want("roster", 2, content_of(50))
    bench.serve()
    assert digest(THREE) in bench.files()  # the broker may not have said all yet
    bench.now_s += 60
    bench.asked()
    assert bench.files() == [digest(content_of(50))]
    assert bench.inbox[-1] == newer


def test_the_older_file_stays_until_the_newer_one_is_there(bench):
    bench.want("roster", 1, THREE)
    bench.serve()
    bench.now_s += 60
    bench.want("roster", 2, content_of(50))
    bench.asked()
    assert digest(THREE) in bench.files()


# ------------------------------------------------------------------------------------ what is wrong


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("regime", b"x"),
        ("regime", b"a.b.c"),
        ("regime", b"x" * 5000),
        ("regime", letter(b"[]")),
        ("regime", letter(b"{" * 2000)),
        ("regime", letter(desired("regime", 1, THREE), typ="gatepost-command+jwt")),
        ("regime", letter(desired("regime", 1, THREE), alg="none")),
        ("regime", letter(desired("regime", 1, THREE), signature=b"s" * 63)),
        ("regime", letter(desired("roster", 1, THREE))),
        ("regime", letter(desired("regime", 0, THREE))),
        ("regime", letter(desired("regime", 2**53, THREE))),
        ("regime", letter(desired("regime", 1, b""))),
        ("regime", letter(desired("regime", 1, THREE, digest="../../etc/passwd"))),
        ("regime", letter(desired("regime", 1, THREE, digest="A" * 64))),
        ("regime", letter(desired("regime", 1, THREE, mode="delta", base_version=1))),
        ("roster", letter(desired("roster", 1, THREE, mode="delta"))),
        ("roster", letter(desired("roster", 1, THREE, base_version=1))),
        ("settings", letter(desired("regime", 1, THREE))),
    ],
)
def test_what_is_no_letter_is_counted_and_dropped(kind, text, bench):
    bench.desk.take(Message(f"gatepost/north/gate-1/desired/{kind}", text), bench.now_s)
    assert bench.asked() is None
    assert (bench.inbox, bench.desk.malformed) == ([], 1)


def test_a_letter_of_more_than_a_gate_takes_goes_to_the_gate_which_says_so(bench):
    text = letter(desired("trust", 1, THREE, bytes=MOST_BYTES["trust"] + 1))
    bench.say("trust", text)
    assert bench.asked() is None
    assert bench.inbox == [text]


def test_chunks_that_nobody_asked_for_change_nothing(bench):
    bench.want("regime", 1, THREE)
    fetch = bench.asked()
    right = THREE[:CHUNK_BYTES]
    for offset, chunk in [
        (CHUNK_BYTES, THREE[CHUNK_BYTES : 2 * CHUNK_BYTES]),  # not asked for yet
        (0, right[:-1]),
        (0, right + b"x"),
        (0, b""),
        (1, right),
        (10**15, right),
    ]:
        bench.bring(fetch.digest, offset, chunk)
    bench.bring("0" * 64, 0, right)
    bench.bring(fetch.digest, 0, right, is_retained=True)
    topic = f"gatepost/north/gate-1/chunk/{fetch.digest}"
    for end in ("/-1", "/x", "/1e3", "/²", "/" + "9" * 40, ""):
        bench.desk.take(Message(topic + end, right), bench.now_s)
    assert bench.desk.progress["regime"]["has"] == 0
    assert bench.desk.foreign == 13
    bench.answer(fetch)
    bench.serve()
    assert len(bench.inbox) == 1


def test_a_chunk_that_comes_again_is_no_news(bench):
    bench.want("regime", 1, THREE)
    for _ in range(2):
        bench.answer(bench.asked())
    bench.bring(digest(THREE), CHUNK_BYTES, THREE[CHUNK_BYTES : 2 * CHUNK_BYTES])
    assert bench.desk.foreign == 1
    bench.serve()
    assert len(bench.inbox) == 1


def test_another_content_is_asked_for_again_and_given_up_the_third_time(bench):
    text = bench.want("regime", 1, THREE)
    bench.contents[digest(THREE)] = b"x" * len(THREE)
    bench.serve(turns=50_000)
    assert bench.desk._wants["regime"].bad == 3
    assert bench.files() == []
    assert bench.inbox == [text]  # and the gate says that there is no content


def test_another_content_once_is_made_good(bench):
    text = bench.want("regime", 1, THREE)
    bench.bring(digest(THREE), 0, b"x" * CHUNK_BYTES)
    fetch = bench.asked()
    bench.bring(fetch.digest, 0, b"x" * CHUNK_BYTES)
    bench.serve()
    assert bench.inbox == [text]
    assert (bench.folder / digest(THREE)).read_bytes() == THREE


def test_an_inbox_that_is_full_is_tried_again(bench):
    bench.is_full = True
    text = bench.want("regime", 1, THREE)
    for _ in range(100):
        if (fetch := bench.asked()) is not None:
            bench.answer(fetch)
    assert bench.inbox == []
    bench.is_full = False
    bench.now_s += 5
    bench.serve()
    assert bench.inbox == [text]


def test_what_must_stay_free_of_the_disk_stays_free(bench, caplog):
    bench.free = 10**8 + len(THREE) - 1
    bench.want("regime", 1, THREE)
    for _ in range(100):
        assert bench.asked() is None
        bench.now_s += 1
    assert caplog.text.count("must stay free") == 1
    bench.free += 1
    bench.now_s += 300
    bench.serve()
    assert len(bench.inbox) == 1


@pytest.mark.parametrize("call", ["pwrite", "fsync", "ftruncate", "open"])
def test_a_disk_that_fails_is_told_once_and_gone_on_with(call, bench, monkeypatch, caplog):
    text = bench.want("regime", 1, THREE)
    real, calls = getattr(transfer.os, call), []

    def failing(*args):
        calls.append(call)
        if len(calls) < 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args)

    monkeypatch.setattr(transfer.os, call, failing)
    bench.serve(turns=50_000)
    assert bench.inbox == [text]
    assert (bench.folder / digest(THREE)).read_bytes() == THREE
    assert caplog.text.count("a document waits") == 1


def test_a_post_of_another_desk_means_nothing(bench):
    bench.want("regime", 1, THREE)
    fetch = bench.asked()
    bench.desk.posted(Post("elsewhere", b""), 0, bench.now_s)
    bench.answer(fetch)
    bench.serve()
    assert len(bench.inbox) == 1
