"""What the demo shows: a picture of a fixed height in a terminal, lines elsewhere."""

import io
import os
import pty
import subprocess
import sys

import pytest
from rich.console import Console

from gatepost.demo.scene import Scene
from gatepost.demo.show import Progress
from gatepost.demo.view import describe
from gatepost_services.contract.events import WireEvent
from gatepost_services.hub.tally import TallySnapshot
from gatepost_services.record import NO_HASH, EventClass

LIMIT_S = 60
TERMINAL = (80, 24)


def event(type_, seq=1, **data):
    return WireEvent(
        source="/gatepost/s/g",
        id=f"s/g/{seq}",
        seq=seq,
        type=f"gatepost.{type_}",
        event_class=EventClass.LIVE,
        boot_id="boot",
        uptime_s=1.0,
        utc_s=1.0,
        time_quality="ntp",
        previous_hash=NO_HASH,
        data=data,
    )


def progress(lane=None, *, written=0, received=0, broker="running"):
    tally = TallySnapshot(
        received=received,
        duplicates=0,
        out_of_order=0,
        malformed=0,
        gone=0,
        withheld=0,
        breaks=0,
        by_type={},
        highest_seq={},
        complete_through={},
    )
    return Progress(lane or {}, written, tally, broker, {"gate": 0, "link": 0})


def picture(scene, shown):
    console = Console(file=io.StringIO(), width=TERMINAL[0], height=TERMINAL[1])
    console.print(scene.render(shown))
    return console.file.getvalue()


ADMITTED = {
    "at_s": 12.3,
    "done": 3,
    "person": 3,
    "behaviour": "walks",
    "state": "released",
    "samples_c": [34.1, 34.2, 34.3, 34.4, 34.5],
    "index_c": 36.7,
    "lamps": ["green"],
    "released": ["entry"],
}


def test_the_picture_shows_person_reading_lamp_relay_queue_and_events():
    scene = Scene(20)
    scene.add_event(event("visit.admitted", 7, subject="person-0003", index_c=36.7), is_new=True)
    text = picture(scene, progress(ADMITTED, written=9, received=7, broker="down"))
    for expected in (
        *("3 of 20 people", "3, who walks", "34.50 °C", "index 36.70", "● green", "○ red"),
        *("entry released", "waiting", "■■", "● down", "visit.admitted", "person-0003"),
    ):
        assert expected in text


@pytest.mark.parametrize("lane", [{}, ADMITTED], ids=["starting", "admitted"])
@pytest.mark.parametrize("events", [0, 50])
def test_the_picture_never_changes_its_height_and_fits_a_small_terminal(lane, events):
    scene = Scene(20)
    for seq in range(events):
        scene.add_event(event("fault.raised", seq, detail="x" * 500), is_new=seq % 2 == 0)
    lines = picture(scene, progress(lane, written=1000)).splitlines()
    assert len(lines) == len(picture(Scene(20), progress()).splitlines()) <= TERMINAL[1] - 3
    assert max(map(len, lines)) <= TERMINAL[0]


def test_what_came_over_the_wire_is_shown_and_never_obeyed():
    scene = Scene(20)
    scene.add_event(event("visit.denied", subject="[b]x[/b]", reason="[/]"), is_new=True)
    assert "[b]x[/b]" in picture(scene, progress())


def test_a_line_tells_what_matters_of_an_event():
    told = event("visit.referred", 12, subject="person-0001", rules=["R001", "R006"], attempt=1)
    assert describe(told) == "   12  visit.referred       subject=person-0001 rules=R001+R006"


@pytest.mark.processes
def test_the_live_view_runs_in_a_terminal_and_leaves_the_summary_below_it():
    near, far = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "gatepost", "demo", "--people", "3", "--speed", "50"],
        stdout=far,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
    ) as process:
        os.close(far)
        shown = bytearray()
        while True:
            try:
                shown += os.read(near, 4096)
            except OSError:  # the other end is closed: all has been shown
                break
        _, complaints = process.communicate(timeout=LIMIT_S)
    os.close(near)
    assert (process.returncode, complaints) == (0, b"")
    text = shown.decode()
    assert "3 of 3 people" in text
    assert text.rstrip().endswith("0 lost, 0 repeated, 0 out of order.")
