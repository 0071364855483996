import re
from collections import Counter

import pytest

from gatepost.core.events import Record
from gatepost.core.faults import FAULTS, SENSOR_FAULTS, Fault, FaultBook


@pytest.fixture
def book() -> FaultBook:
    return FaultBook()


def raised(fault: Fault, at_s: float, detail: str) -> Record:
    data = {
        "fault": fault.value,
        "detail": detail,
        "effect": FAULTS[fault].effect,
        "remedy": FAULTS[fault].remedy,
    }
    return Record("fault.raised", at_s, data)


def test_every_fault_has_an_effect_and_a_remedy():
    assert set(FAULTS) == set(Fault)
    words = [text for each in FAULTS.values() for text in (each.effect, each.remedy)]
    assert all(len(text) > 10 for text in words)


def test_only_faults_of_one_disk_share_a_remedy():
    remedies = Counter(each.remedy for each in FAULTS.values())
    shared = [remedy for remedy, faults in remedies.items() if faults > 1]
    assert shared == ["free disk space, or replace the SD card"]


def test_what_a_fault_is_called_is_unique_and_fit_for_a_topic():
    assert len({fault.value for fault in Fault}) == len(Fault)  # else one is an alias
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", fault.value) for fault in Fault)


def test_the_faults_of_the_sensor_are_those_that_bear_its_name_and_the_calibrations():
    named = {fault for fault in Fault if fault.value.startswith(("sensor", "calibration"))}
    assert set(SENSOR_FAULTS) == named
    assert len(set(SENSOR_FAULTS)) == len(SENSOR_FAULTS)


def test_every_fault_of_the_sensor_ends_entries_with_staff_but_a_calibration_past_its_date():
    no_pass = {fault for fault in Fault if "no information is never a pass" in FAULTS[fault].effect}
    assert no_pass == set(SENSOR_FAULTS) - {Fault.CALIBRATION_DUE}


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_is_told_once_however_often_it_shows(book, fault):
    told = [book.raised(fault, at_s, f"error {at_s}") for at_s in (5.0, 5.5, 60.0)]
    assert told == [(raised(fault, 5.0, "error 5.0"),), (), ()]


def test_the_end_of_a_fault_is_told_once_with_how_long_it_lasted_from_its_first_sight(book):
    book.raised(Fault.SENSOR, 5.0, "bad PEC")
    book.raised(Fault.SENSOR, 6.0, "bad PEC")
    told = [book.cleared(Fault.SENSOR, at_s) for at_s in (7.1234, 8.0)]
    assert told == [(Record("fault.cleared", 7.1234, {"fault": "sensor", "lasted_s": 2.123}),), ()]


def test_the_end_of_a_fault_that_never_was_is_nothing(book):
    assert book.cleared(Fault.READER, 1.0) == ()
    assert book.standing() == ()


def test_a_fault_that_comes_back_is_told_anew(book):
    book.raised(Fault.JOURNAL, 1.0, "disk full")
    book.cleared(Fault.JOURNAL, 2.0)
    assert book.raised(Fault.JOURNAL, 3.0, "read-only") == (
        raised(Fault.JOURNAL, 3.0, "read-only"),
    )


def test_faults_stand_independently_the_oldest_first(book):
    book.raised(Fault.ROSTER, 1.0, "")
    book.raised(Fault.SENSOR, 2.0, "")
    book.raised(Fault.READER, 3.0, "")
    book.raised(Fault.ROSTER, 4.0, "")  # still the oldest
    book.cleared(Fault.SENSOR, 5.0)
    assert book.standing() == (Fault.ROSTER, Fault.READER)
