"""The server's watermark: what the gate may forget, and what goes out again."""

import json

from .link_bench import Bench

DEADLINE_S = 30.0
ALARM = "tamper.raised"


def test_the_gate_may_forget_what_the_server_confirms_and_no_more(bench, station):
    station.append(10)
    bench.run_until(lambda: bench.acknowledged == 10)
    assert station.acknowledged() == 0
    bench.sessions[0].say(4)
    bench.run(2)
    assert station.acknowledged() == 4
    bench.sessions[0].say(2**53 - 1)  # what was never sent cannot be with the server
    bench.run(2)
    assert station.acknowledged() == 10
    station.append(5)
    bench.run_until(lambda: bench.acknowledged == 15)
    assert station.acknowledged() == 10


def test_a_watermark_that_is_none_is_told_once_and_ignored(bench, station, caplog):
    station.append(10)
    bench.run_until(lambda: bench.acknowledged == 10)
    for said in (b"", b"7", b'{"through":-1}', b'{"through":3,"and":1}', b"\xff", b"[" * 5000):
        bench.sessions[0].messages.append(("gatepost/north/gate-1/watermark", said))
    bench.run(3)
    assert station.acknowledged() == 0
    assert len(caplog.records) == 1
    assert "is ignored" in caplog.text


def test_what_the_server_does_not_confirm_is_sent_again_with_growing_patience(
    bench, station, caplog
):
    station.append(10)
    bench.run_until(lambda: bench.acknowledged == 10)
    bench.sessions[0].say(6)
    bench.run(2)
    began_s = bench.clock.now_s
    bench.run_until(lambda: len(bench.sessions) == 2 and bench.acknowledged == 10)
    assert bench.sessions[1].numbers() == [7, 8, 9, 10]
    assert 900.0 <= bench.clock.now_s - began_s <= 905.0
    began_s = bench.clock.now_s
    bench.run_until(lambda: len(bench.sessions) == 3 and bench.acknowledged == 10)
    assert bench.sessions[2].numbers() == [7, 8, 9, 10]
    assert 1800.0 <= bench.clock.now_s - began_s <= 1805.0
    assert station.acknowledged() == 6
    assert len(caplog.records) == 1
    bench.sessions[2].say(10)
    bench.run(3000)
    assert len(bench.sessions) == 3
    assert station.acknowledged() == 10
    assert json.loads(bench.sessions[2].statuses[-1])["resent"] == 8


def test_a_watermark_that_falls_sends_again_from_there(bench, station, caplog):
    station.append(10)
    bench.run_until(lambda: bench.acknowledged == 10)
    bench.sessions[0].say(10)
    bench.run(2)
    assert station.acknowledged() == 10
    bench.sessions[0].say(3)
    bench.run_until(lambda: len(bench.sessions) == 2 and bench.acknowledged == 10)
    assert bench.sessions[1].numbers() == [4, 5, 6, 7, 8, 9, 10]
    assert station.acknowledged() == 3
    assert sum("lost some" in record.getMessage() for record in caplog.records) == 1


def test_a_server_that_counts_up_and_down_does_not_keep_the_link_busy(bench, station):
    station.append(10)
    bench.run_until(lambda: bench.acknowledged == 10)
    began_s = bench.clock.now_s
    while bench.clock.now_s < began_s + 100.0:
        bench.sessions[-1].say(10)
        bench.run(2)
        bench.sessions[-1].say(0)
        bench.run(2)
    assert 2 <= len(bench.sessions) <= 12


def test_without_a_server_that_confirms_the_brokers_word_is_enough(station):
    bench = Bench(station, "puback")
    station.append(10)
    bench.run_until(lambda: bench.acknowledged == 10)
    bench.sessions[0].say(3)
    bench.run(3000)
    assert station.acknowledged() == 10
    assert len(bench.sessions) == 1
    bench.close()
