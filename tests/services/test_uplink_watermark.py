import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.uplink.progress import Progress
from gatepost_services.uplink.watermark import Confirmations, parse_watermark


@pytest.mark.parametrize("through", [0, 1, 2**53 - 1])
def test_a_watermark_is_read(through):
    assert parse_watermark(json.dumps({"through": through}).encode()) == through


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"7",
        b"[]",
        b"{}",
        b'{"through":true}',
        b'{"through":1.0}',
        b'{"through":-1}',
        b'{"through":"1"}',
        b'{"through":1,"through":2}',
        b'{"through":1,"more":2}',
        b'{"Through":1}',
        b'{"through":9007199254740992}',
        b'{"through":1}' + b" " * 4096,
        b"\xff",
        b"[" * 4000,
        b'{"through":NaN}',
    ],
)
def test_what_is_no_watermark_is_none(payload):
    assert parse_watermark(payload) is None


@given(st.binary(max_size=5000) | st.text().map(str.encode))
def test_any_payload_is_a_number_or_none(payload):
    through = parse_watermark(payload)
    assert through is None or 0 <= through < 2**53


def test_the_patience_doubles_up_to_a_day_and_begins_anew_when_the_watermark_moves():
    progress = Progress(alarm=10, rest=10, watermark=4)
    confirmations, now_s = Confirmations(900.0, progress), 0.0
    waited_s = []
    for _ in range(9):
        began_s = now_s
        while not confirmations.is_overdue(progress, now_s):
            now_s += 100.0
        waited_s.append(now_s - began_s)
    assert waited_s == [900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400]
    progress = progress.with_watermark(5)
    assert not confirmations.is_overdue(progress, now_s)
    assert not confirmations.is_overdue(progress, now_s + 899.0)
    assert confirmations.is_overdue(progress, now_s + 900.0)


def test_nothing_is_overdue_that_is_confirmed_or_while_there_was_no_connection():
    progress = Progress(alarm=10, rest=10, watermark=10)
    confirmations = Confirmations(900.0, progress)
    assert not confirmations.is_overdue(progress, 0.0)
    assert not confirmations.is_overdue(progress, 1e9)
    progress = Progress(alarm=11, rest=11, watermark=10)
    assert not confirmations.is_overdue(progress, 1e9)
    confirmations.connected()
    assert not confirmations.is_overdue(progress, 2e9)
    assert confirmations.is_overdue(progress, 2e9 + 900)


def test_a_watermark_that_falls_is_told_once_in_ten_seconds():
    progress = Progress(alarm=10, rest=10, watermark=8)
    confirmations = Confirmations(900.0, progress)
    confirmations.claim(3, progress)
    assert confirmations.fallen_to(progress, 100.0) == 3
    assert confirmations.claimed == 3
    assert confirmations.fallen_to(progress, 100.0) is None
    confirmations.claim(2, progress)
    assert confirmations.fallen_to(progress, 109.0) is None
    assert confirmations.fallen_to(progress, 110.0) == 2
    confirmations.claim(1, progress)
    confirmations.claim(9, progress)  # it had only counted anew
    assert confirmations.fallen_to(progress, 200.0) is None
    assert confirmations.claimed == 9
