"""Both real processes, a real broker, a real subscriber: the demo, and what happens to it."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from gatepost.demo.broker import LocalBroker, parse_url
from gatepost.demo.show import Demo, DemoError

pytestmark = pytest.mark.processes
HAS_MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH')}:/usr/sbin") is not None
needs_mosquitto = pytest.mark.skipif(
    not HAS_MOSQUITTO, reason="mosquitto is not installed (apt-get install mosquitto)"
)
LIMIT_S = 120


def gatepost(*arguments, **keywords):
    return subprocess.run(
        [sys.executable, "-m", "gatepost", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        **keywords,
    )


def no_show(_progress):
    pass


@needs_mosquitto
@pytest.mark.parametrize("seed", [1, 2])
def test_an_outage_of_the_broker_loses_nothing(seed):
    result = gatepost(
        *("demo", "--people", "20", "--seed", str(seed), "--speed", "40", "--outage", "--json")
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert (summary["lost"], summary["out_of_order"]) == (0, 0)
    assert summary["people"] == 20
    assert summary["events_received"] == summary["events_written"] > 20
    assert summary["admitted"] > 0


def kill(folder, name):
    """SIGKILL a process of the demo; return whether it was there."""
    try:
        os.kill(int((folder / f"{name}.pid").read_text()), signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False  # not started yet, or between two lives
    return True


@needs_mosquitto
@pytest.mark.parametrize("seed", [11, 12])
def test_kill_9_at_random_moments_loses_nothing(tmp_path, seed):
    chance = random.Random(seed)
    killed = {"gate": 0, "link": 0}

    def strike(progress):
        # Called some twenty times a second while the demo runs.
        if progress.written and sum(killed.values()) < 8 and chance.random() < 0.15:
            name = min(killed, key=killed.__getitem__)  # in turn; the moment is what is random
            killed[name] += kill(tmp_path, name)

    demo = Demo(
        tmp_path, count=25, seed=seed, speed=20, broker=LocalBroker(tmp_path), outage=seed % 2 == 0
    )
    summary = demo.run(strike)
    assert killed == {"gate": 4, "link": 4}
    assert (summary.lost, summary.out_of_order) == (0, 0)
    # A link that is killed may repeat one window; it forgets nothing.
    assert summary.duplicates <= 20 * (killed["link"] + 1)
    # Fewer starts than kills when one hits a gate that has not come up yet.
    starts = demo.count_of("gatepost.controller.started")
    assert 2 <= starts <= killed["gate"] + 1


@needs_mosquitto
def test_the_gate_works_on_while_the_link_is_dead(tmp_path):
    struck = []

    def stop_link(progress):
        # SIGSTOP: the link is neither there nor restarted, until everybody is through.
        if progress.written and not struck:
            struck.append(int((tmp_path / "link.pid").read_text()))
            os.kill(struck[0], signal.SIGSTOP)
        if progress.lane.get("done") == 10 and len(struck) == 1:
            struck.append(progress.tally.received)
            os.kill(struck[0], signal.SIGCONT)

    summary = Demo(
        tmp_path, count=10, seed=4, speed=40, broker=LocalBroker(tmp_path), outage=False
    ).run(stop_link)
    assert len(struck) == 2
    assert struck[1] < summary.events_written
    assert (summary.lost, summary.out_of_order) == (0, 0)


def test_without_mosquitto_another_durable_broker_does(tmp_path):
    broker = LocalBroker(tmp_path, search_path="")
    assert broker.name == "nats-server"
    demo = Demo(tmp_path, count=20, seed=6, speed=40, broker=broker, outage=True)
    summary = demo.run(no_show)
    assert summary.events_received == summary.events_written > 20
    assert (summary.lost, summary.out_of_order) == (0, 0)


@needs_mosquitto
def test_another_brokers_address_can_be_given(tmp_path):
    broker = LocalBroker(tmp_path)
    broker.start()
    try:
        url = f"mqtt://{broker.address.host}:{broker.address.port}"
        result = gatepost("demo", "--people", "3", "--speed", "100", "--broker", url, "--json")
    finally:
        broker.stop()
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["lost"] == 0


@needs_mosquitto
def test_without_a_terminal_each_event_is_a_line():
    result = gatepost("demo", "--people", "3", "--speed", "100")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    # Not always first: what waited for the connection is sent behind what happens then.
    assert any("controller.started" in line for line in lines)
    assert lines[-1].endswith("0 lost, 0 repeated, 0 out of order.")


def test_no_broker_at_the_given_address_is_told_in_words():
    result = gatepost("demo", "--people", "1", "--broker", "mqtt://127.0.0.1:1", "--json")
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("gatepost: no subscription")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "url", ["127.0.0.1", "http://x", "mqtt://", "mqtt://h:99999", "mqtt://h/p"]
)
def test_a_broker_url_of_another_form_is_refused(url):
    with pytest.raises(ValueError, match=r"mqtt://HOST|Port out of range"):
        parse_url(url)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--people", "0"],
        ["--people", "many"],
        ["--speed", "0"],
        ["--broker", "http://x"],
        ["--no-such-option"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_status_2(arguments):
    result = gatepost("demo", *arguments)
    assert result.returncode == 2
    assert result.stderr


def test_sigterm_ends_the_simulated_gate_in_good_order(config):
    with subprocess.Popen(
        [sys.executable, "-m", "gatepost", "simulate", "--config", str(config), "--trace"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        process.terminate()
        _, log = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert "roster.db" in log  # a gate without a roster starts, and says so


def of_demo(folder):
    """The processes that a demo with `folder` in a command line has left."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(folder).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


@needs_mosquitto
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_leaves_nothing_behind(tmp_path_factory, number):
    folder = tmp_path_factory.mktemp("d")  # short: the path of a socket has few bytes
    with subprocess.Popen(
        [sys.executable, "-m", "gatepost", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    ) as process:
        process.stdout.readline()
        process.send_signal(number)
        _, complaints = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, complaints) == (128 + number, b"")
    assert of_demo(folder) == []
    assert list(folder.iterdir()) == []


@needs_mosquitto
def test_a_reader_that_goes_away_ends_the_demo_at_once_and_in_silence():
    with subprocess.Popen(
        [sys.executable, "-m", "gatepost", "demo", "--people", "100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        complaints = process.stderr.read()
        assert process.wait(LIMIT_S) == 1
    assert complaints == b""


@needs_mosquitto
@pytest.mark.parametrize("name", ["with blanks", 'with"quote', "with\\backslash"])
def test_the_folder_may_have_any_name(tmp_path, name):
    result = gatepost(
        *("demo", "--people", "2", "--speed", "100", "--json", "--keep", str(tmp_path / name))
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["lost"] == 0


def test_a_file_in_the_place_of_the_folder_is_told_in_words(tmp_path):
    (tmp_path / "file").touch()
    result = gatepost("demo", "--keep", str(tmp_path / "file"))
    assert result.returncode == 1
    assert result.stderr.splitlines() == [f"gatepost: --keep {tmp_path / 'file'}: File exists"]


@needs_mosquitto
def test_a_folder_that_is_removed_ends_the_demo(tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()

    def remove(progress):
        if progress.written:
            shutil.rmtree(folder, ignore_errors=True)
            kill_all(folder)

    demo = Demo(folder, count=20, seed=1, speed=10, broker=LocalBroker(folder), outage=False)
    with pytest.raises(DemoError, match="kept"):
        demo.run(remove)
    assert of_demo(folder) == []


def kill_all(folder):
    for pid in of_demo(folder):
        if b"simulate" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


@needs_mosquitto
def test_modules_in_the_current_folder_are_not_run(tmp_path):
    (tmp_path / "queue.py").write_text("raise SystemExit('run')")
    result = subprocess.run(
        [sys.executable, "-P", "-m", "gatepost", "demo", "--people", "1", "--speed", "100"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr
