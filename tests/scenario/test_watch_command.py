"""`gatepost watch` as a technician starts it: a real broker, and terminals of all sizes."""

import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from types import SimpleNamespace

import pytest
from rich.console import Console
from tests.services.watch_kit import NOW_UTC_S, SpeakingGate

from gatepost.cli.main import main
from gatepost.cli.watch import Wanted
from gatepost.cli.watch_table import Picture
from gatepost.demo.broker import LocalBroker
from gatepost_services.hub.messages import Broker, Outgoing
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.hub.watch import SiteWatch

LIMIT_S = 60.0
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    made = LocalBroker(tmp_path_factory.mktemp("broker"))
    made.start()
    yield made.address
    made.stop()


@pytest.fixture
def publish(broker):
    with HubClient(Broker(broker.host, broker.port, broker.protocol)) as client:

        def publish(*messages):
            for each in messages:
                post = Outgoing(each.topic, each.payload, is_retained=each.is_retained)
                assert client.publish(post).wait(LIMIT_S)

        yield publish


@pytest.fixture
def watching(broker):
    """Start `gatepost watch` on its own; it is killed at the end."""
    started = []

    def start(*arguments, site, stdout=subprocess.PIPE, **environment):
        place = ["--host", broker.host, "--port", str(broker.port), "--plain", "--site", site]
        process = subprocess.Popen(
            [sys.executable, "-m", "gatepost", "watch", *place, *arguments],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=LIMIT_S)


def lines_until(process, text):
    """Read lines up to one with a text."""
    found = []
    for line in process.stdout:
        found.append(line)
        if text in line:
            return found
    raise AssertionError(f"{found} and then {process.stderr.read()}")


def ended(process):
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=LIMIT_S)
    return process.returncode, complaints


def picture(site, width, height, tail=()):
    drawn = Picture("broker:8883", personal=False)
    for each in tail:
        drawn.add(each)
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(drawn.render(site, None, width, height, NOW_UTC_S + 90))
    return console.file.getvalue().splitlines()


# ------------------------------------------------------------------------------------- on its own


@pytest.mark.processes
def test_a_line_for_all_that_happens(publish, watching):
    gate = SpeakingGate(site="lines")
    publish(gate.presence("online"), gate.reported(faults=["sensor"]))
    process = watching(site="lines")
    told = "".join(lines_until(process, "faults sensor"))
    assert "lines/gate-1  now: presence online" in told
    publish(gate.event("visit.admitted", subject="s-17", index_c=36.61, outcome="admitted"))
    publish(gate.again(1), gate.again(1, body=gate.bodies[0].replace(b"36.61", b"39.99")))
    publish(gate.says("event/live", b"\x1b[31mnonsense"), gate.presence("lost"))
    told = lines_until(process, "presence lost")
    assert ended(process) == (0, "")
    text = "".join(told)
    assert "1  live    visit.admitted  outcome=admitted\n" in text
    assert "[REPEATED]" in text
    assert "[ALTERED" in text
    assert "MALFORMED event/live" in text
    assert "s-17" not in text
    assert "36.61" not in text
    assert "\x1b" not in text


@pytest.mark.processes
def test_json_of_what_is_wanted_with_what_is_personal_when_asked_for(publish, watching):
    gate = SpeakingGate(site="json")
    process = watching(
        *("--json", "--personal", "--type", "visit.*", "--class", "live", "--gate", "gate-1"),
        site="json",
    )
    other = SpeakingGate("gate-2", site="json")
    ready = SpeakingGate(site="json")
    # Retained, so that it comes whenever the watch has subscribed; a bad message is told always.
    publish(ready.says("status", b"nonsense"))
    (first,) = lines_until(process, "malformed")
    assert json.loads(first)["what"] == "malformed"
    publish(
        gate.presence("online"),
        gate.event("fire.raised", "alarm"),
        other.event("visit.admitted"),
        gate.event("visit.admitted", subject="s-17"),
    )
    (line,) = lines_until(process, "s-17")
    assert ended(process) == (0, "")
    said = json.loads(line)
    assert (said["what"], said["gate"], said["seq"]) == ("event", "json/gate-1", 2)
    assert (said["type"], said["stream"], said["class"]) == (
        "gatepost.visit.admitted",
        "live",
        "live",
    )
    assert (said["again"], said["altered"], said["broken"]) == (False, False, False)
    assert said["data"] == {"subject": "s-17"}


@pytest.mark.processes
@pytest.mark.parametrize(("width", "height"), [(120, 30), (80, 24), (40, 12)])
def test_in_a_terminal_the_table_fits_and_stays(publish, watching, width, height):
    site = f"w-{width}"
    gate = SpeakingGate(site=site)
    publish(gate.presence("online"), gate.reported(), gate.status(0))
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    size = {"TERM": "xterm-256color", "COLUMNS": str(width), "LINES": str(height)}
    process = watching(site=site, stdout=far, **size)
    os.close(far)
    shown = bytearray()
    while b"online" not in shown:
        shown += os.read(near, 4096)
    process.send_signal(signal.SIGINT)
    while True:
        try:
            shown += os.read(near, 4096)
        except OSError:  # the other end is closed: all has been shown
            break
    _, complaints = process.communicate(timeout=LIMIT_S)
    os.close(near)
    assert (process.returncode, complaints) == (0, "")
    text = CONTROL.sub("", shown.decode())
    assert "1 gates" in text
    assert max(len(line) for line in re.split(r"[\r\n]+", text)) <= width


@pytest.mark.processes
def test_the_end_of_a_pipe_ends_it_without_a_traceback(publish, watching):
    gate = SpeakingGate(site="pipe")
    process = watching(site="pipe")
    publish(gate.presence("online"))
    lines_until(process, "online")
    process.stdout.close()
    publish(gate.presence("lost"), gate.presence("online"), gate.presence("lost"))
    process.wait(LIMIT_S)
    assert process.stderr.read() == ""
    process.stdout = None


def test_without_a_broker_it_says_so_and_ends(capsys):
    with pytest.raises(SystemExit) as ending:
        main(["watch", "--host", "127.0.0.1", "--port", "1", "--plain"])
    assert ending.value.code == 1
    assert "broker 127.0.0.1:1: Connection refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "h"], "TLS needs the certificate"),
        (["--host", "h", "--plain", "--ca", "x"], "--plain goes without"),
        (["--host", "h", "--port", "0"], "must be from 1 to 65535"),
        (["--class", "loud"], "invalid choice"),
    ],
)
def test_options_that_do_not_go_together(arguments, words, capsys):
    with pytest.raises(SystemExit) as ending:
        main(["watch", *arguments])
    assert ending.value.code == 2
    assert words in capsys.readouterr().err


# -------------------------------------------------------------------------------------- the table


def filled(count, *, lost=()):
    site = SiteWatch()
    happened = []
    for n in range(count):
        gate = SpeakingGate(f"gate-{n:04}")
        site.take(gate.presence("lost" if n in lost else "online"), 0.0)
        site.take(gate.reported(standing=["lockdown"], state="locked"), 0.0)
        happened += site.take(gate.event("passage.entered", subject="s-17", why="x" * 400), 0.0)
    return site, happened


@pytest.mark.parametrize("count", [0, 1, 8, 300])
@pytest.mark.parametrize(("width", "height"), [(200, 60), (80, 24), (40, 10), (20, 5)])
def test_the_table_is_never_wider_or_higher_than_the_terminal(count, width, height):
    site, happened = filled(count)
    lines = picture(site, width, height, happened)
    assert max(map(len, lines)) <= width
    assert len(lines) <= max(height, 8) - 1


def test_who_needs_somebody_is_shown_when_not_all_fit():
    site, _ = filled(300, lost=(277,))
    text = "\n".join(picture(site, 100, 24))
    assert "300 gates, 1 need somebody" in text
    assert "north/gate-0277" in text
    assert "lost" in text
    assert re.search(r"and 2\d\d more, all well", text)


def test_a_wide_terminal_shows_everything_and_a_narrow_one_what_matters():
    site, _ = filled(1)
    wide, narrow = "\n".join(picture(site, 160, 24)), "\n".join(picture(site, 50, 24))
    for expected in ("passage.entered", "1 min", "ntp", "locked (lockdown)", "complete", "online"):
        assert expected in wide
    for expected in ("north/gate-0000", "online", "none", "complete"):
        assert expected in narrow
    assert "ntp" not in narrow


def test_what_came_over_the_wire_is_shown_and_never_obeyed():
    site = SiteWatch()
    gate = SpeakingGate()
    site.take(gate.reported(state="[red]x[/red]\x1b[2J", faults=["\x07bell"]), 0.0)
    happened = site.take(gate.event("fault.raised", fault="[/]\x1b]0;x\x07", detail="\n\nz"), 0.0)
    text = "\n".join(picture(site, 160, 24, happened))
    assert "[red]x[/red]?[2J" in text
    assert "?bell" in text
    assert "fault=[/]?]0;x?" in text
    assert not {"\x1b", "\x07"} & set(text)


# ------------------------------------------------------------------------------------- what is told


def wanted(**given):
    names = {"gate": None, "type": None, "classes": None, "since_start": False}
    return Wanted.of(SimpleNamespace(**{**names, **given}), NOW_UTC_S)


def event(*arguments, **more):
    (happening, *_) = SiteWatch().take(SpeakingGate().event(*arguments, **more), 0.0)
    return happening


def test_filters_of_gates_know_names_sites_and_patterns():
    assert wanted().gate("north/gate-1")
    assert wanted(gate=["gate-1"]).gate("north/gate-1")
    assert not wanted(gate=["gate-1"]).gate("north/gate-10")
    assert wanted(gate=["gate-*"]).gate("north/gate-10")
    assert wanted(gate=["north/*"]).gate("north/gate-1")
    assert not wanted(gate=["south/*"]).gate("north/gate-1")


def test_filters_of_events():
    fire = event("fire.raised", "alarm")
    assert wanted().happening(fire)
    assert wanted(type=["fire.*"]).happening(fire)
    assert wanted(type=["gatepost.fire.raised"]).happening(fire)
    assert not wanted(type=["passage.*"]).happening(fire)
    assert wanted(classes=["alarm"]).happening(fire)
    assert not wanted(classes=["live"], type=["fire.*"]).happening(fire)


def test_since_the_start_leaves_out_what_was_before():
    since = wanted(since_start=True)
    assert since.happening(event(utc_s=NOW_UTC_S))
    assert not since.happening(event(utc_s=NOW_UTC_S - 1))
    assert not since.happening(event("passage.entered", "backlog", utc_s=NOW_UTC_S))
    assert not since.happening(event("passage.entered", "replay", utc_s=NOW_UTC_S))
    # A clock that is not to be trusted says nothing about before and after.
    assert since.happening(event(utc_s=1.0, quality="restored"))
