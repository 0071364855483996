"""The link's desk of documents: kills and restarts, and whatever else may happen on the way."""

from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost_services.sync import transfer
from gatepost_services.sync.documents import CHUNK_BYTES

from .sync_rig import Bench, content_of

THREE = content_of(3 * CHUNK_BYTES + 17)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.desk.close()


def digest(content):
    return sha256(content).hexdigest()


def test_a_restart_goes_on_where_the_file_ends(bench):
    bench.want("roster", 1, THREE)
    bench.answer(bench.asked())
    bench.restart()
    text = bench.want("roster", 1, THREE)
    bench.now_s += 1
    assert bench.asked().offset == CHUNK_BYTES
    bench.desk.connected(bench.now_s)
    bench.serve()
    assert bench.inbox == [text]


@pytest.mark.parametrize(
    "left", [b"", b"x", THREE[: CHUNK_BYTES + 5], THREE, THREE + b"x", b"y" * 30_000]
)
def test_whatever_a_kill_left_of_a_file_it_ends_whole(left, bench):
    bench.folder.mkdir()
    (bench.folder / f"{digest(THREE)}.part").write_bytes(left)
    text = bench.want("roster", 1, THREE)
    bench.serve(turns=50_000)
    assert bench.inbox == [text]
    assert (bench.folder / digest(THREE)).read_bytes() == THREE


def test_a_long_file_is_read_again_a_part_at_a_time(bench, monkeypatch):
    monkeypatch.setattr(transfer, "_SLICE_BYTES", CHUNK_BYTES)
    bench.folder.mkdir()
    (bench.folder / f"{digest(THREE)}.part").write_bytes(THREE[: 3 * CHUNK_BYTES])
    bench.want("roster", 1, THREE)
    assert [bench.asked() for _ in range(2)] == [None, None]
    assert bench.asked().offset == 3 * CHUNK_BYTES


STEPS = st.lists(
    st.sampled_from(
        [
            "good",
            "lose_one",
            "lose_all",
            "twice",
            "backwards",
            "wrong",
            "restart",
            "connect",
            "late",
        ]
    ),
    max_size=25,
)


@given(size=st.integers(1, 12 * CHUNK_BYTES), steps=STEPS)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_happens_to_chunks_and_process_it_ends_with_the_content(
    size, steps, tmp_path_factory
):
    bench = Bench(tmp_path_factory.mktemp("desk"))
    content = content_of(size)
    text = bench.want("roster", 1, content)
    for step in steps:
        bench.now_s += 0.3
        if step == "restart":
            bench.restart()
            bench.say("roster", text)
        elif step == "connect":
            bench.desk.connected(bench.now_s)
        elif (fetch := bench.asked()) is not None:
            play(bench, step, fetch)
        else:
            bench.now_s += 20
    bench.serve(turns=50_000)
    bench.desk.close()
    assert bench.inbox[-1] == text
    assert bench.desk._wants["roster"].bad < 3 or steps.count("wrong") >= 3
    if bench.desk._wants["roster"].bad < 3:
        assert (bench.folder / digest(content)).read_bytes() == content


def play(bench, step, fetch):
    chunks = bench.chunks(fetch)
    if step == "lose_one":
        chunks = chunks[1:]
    elif step == "lose_all":
        chunks = []
    elif step == "twice":
        chunks = [each for each in chunks for _ in range(2)]
    elif step == "backwards":
        chunks.reverse()
    elif step == "wrong":
        chunks = [(at, b"x" * len(chunk)) for at, chunk in chunks]
    elif step == "late":
        bench.now_s += 15
        bench.asked()
    for offset, chunk in chunks:
        bench.bring(fetch.digest, offset, chunk)
