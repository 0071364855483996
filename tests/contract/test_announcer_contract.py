"""The contract of everything that tells people in words, on real pipes and real processes."""

import fcntl
import os
import select
import stat
import threading
from contextlib import suppress

import pytest

from gatepost_hal.announcers import AlsaSpeaker, TerminalDisplay
from gatepost_hal.ports import Prompt

LONG_ENOUGH_S = 10.0
LANGUAGES = ("de", "en")
KEYS = ("go", "wait", "fire")
TEXT = "{key} in {language}"


def prompt(key):
    texts = {language: TEXT.format(key=key, language=language) for language in LANGUAGES}
    return Prompt(key, texts)


def spoken(*keys):
    return [TEXT.format(key=key, language=language) for key in keys for language in LANGUAGES]


class Lines:
    """Reads lines from a pipe, and gives up after a while."""

    def __init__(self, fd):
        self._fd = fd
        self._bytes = b""

    def read(self, count):
        while self._bytes.count(b"\n") < count:
            assert select.select([self._fd], [], [], LONG_ENOUGH_S)[0]
            self._bytes += os.read(self._fd, 65536)
        *lines, self._bytes = self._bytes.split(b"\n")
        return [line.decode() for line in lines]


class DisplayBench:
    """A terminal display on a pipe, which stalls when it is full."""

    def __init__(self, _folder):
        self._near, far = os.pipe()
        self._stream = os.fdopen(far, "w")
        self._lines = Lines(self._near)
        self.announcer = TerminalDisplay(self._stream, LANGUAGES)

    def stall(self):
        fd = self._stream.fileno()
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(fd, False)
        os.write(fd, b"\n" * 4096)
        os.set_blocking(fd, True)

    def let_go(self):
        assert len(os.read(self._near, 4096)) == 4096

    def told(self, count):
        return self._lines.read(count)

    def close(self):
        os.close(self._near)  # first: nobody who stalls may keep the test
        self.announcer.close()
        with suppress(BrokenPipeError):
            self._stream.close()


class SpeakerBench:
    """A speaker whose player is a script: it says what it was given, and waits while it stalls."""

    def __init__(self, folder):
        for language in LANGUAGES:
            (folder / language).mkdir()
            for key in KEYS:
                text = TEXT.format(key=key, language=language)
                (folder / language / f"{key}.wav").write_text(text + "\n")
        self._stalls = folder / "stalls"
        fifos = [folder / "said", folder / "gate"]
        for fifo in fifos:
            os.mkfifo(fifo)
        self._said, self._gate = (os.open(fifo, os.O_RDWR) for fifo in fifos)
        self._lines = Lines(self._said)
        script = folder / "player"
        wait = f"[ ! -e {self._stalls} ] || read line < {folder / 'gate'}"
        script.write_text(f'#!/bin/sh\n{wait}\ncat "$1" > {folder / "said"}\n')
        script.chmod(stat.S_IRWXU)
        self.announcer = AlsaSpeaker(folder, LANGUAGES, command=[str(script)])

    def stall(self):
        self._stalls.touch()

    def let_go(self):
        self._stalls.unlink()
        os.write(self._gate, b"\n")

    def told(self, count):
        return self._lines.read(count)

    def close(self):
        self.announcer.close()
        os.close(self._said)
        os.close(self._gate)


@pytest.fixture(params=[DisplayBench, SpeakerBench], ids=["display", "speaker"])
def bench(request, tmp_path):
    made = request.param(tmp_path)
    yield made
    made.close()


def tell_at_once(announcer, key):
    thread = threading.Thread(target=announcer.tell, args=(prompt(key),), daemon=True)
    thread.start()
    thread.join(LONG_ENOUGH_S)
    assert not thread.is_alive()


def tell_and_wait_until_taken(announcer, key):
    tell_at_once(announcer, key)
    for _ in range(10_000_000):
        if announcer._newest._waiting is None:
            return
        os.sched_yield()
    raise AssertionError("nobody takes the prompt")


def test_a_prompt_is_told_in_each_language_in_their_order(bench):
    bench.announcer.tell(prompt("go"))
    assert bench.told(2) == spoken("go")


def test_prompts_are_told_one_after_the_other(bench):
    for key in KEYS:
        bench.announcer.tell(prompt(key))
        assert bench.told(2) == spoken(key)


def test_the_newest_replaces_one_that_waits_and_nothing_that_is_told_already(bench):
    bench.stall()
    tell_and_wait_until_taken(bench.announcer, "go")
    tell_at_once(bench.announcer, "wait")  # although nothing moves
    tell_at_once(bench.announcer, "fire")
    bench.let_go()
    assert bench.told(4) == spoken("go", "fire")


def test_the_same_prompt_may_be_told_again(bench):
    for _ in range(2):
        bench.announcer.tell(prompt("go"))
        assert bench.told(2) == spoken("go")


def test_who_is_closed_says_nothing_more(bench):
    bench.announcer.tell(prompt("go"))
    assert bench.told(2) == spoken("go")
    bench.announcer.close()
    bench.announcer.tell(prompt("fire"))
    assert not bench.announcer._newest._thread.is_alive()
