"""Speaker, display and the fan-out, with a real process as player."""

import io
import logging
import os
import stat
import threading

import pytest

from gatepost_hal.announcers import AlsaSpeaker, Announcers, TerminalDisplay
from gatepost_hal.ports import Prompt
from gatepost_hal.simulated.announcer import SimulatedAnnouncer
from gatepost_hal.simulated.world import World

LONG_ENOUGH_S = 10.0

GO = Prompt("go", {"en": "Please walk through", "de": "Bitte gehen"})
WAIT = Prompt("wait", {"en": "Please wait", "de": "Bitte warten"})


class Player:
    """A script that notes its arguments; what it does then is for the test to say."""

    def __init__(self, folder, then="exit 0"):
        self._notes = folder / "notes"
        self._script = folder / "player"
        self._notes.touch()
        self.becomes(then)
        self.command = [str(self._script), "--quiet"]

    def becomes(self, then):
        new = self._script.with_suffix(".new")
        new.write_text(f'#!/bin/sh\necho "$@" >> {self._notes}\n{then}\n')
        new.chmod(stat.S_IRWXU)
        new.replace(self._script)  # a script that runs is not written to

    def played(self):
        return self._notes.read_text().splitlines()


@pytest.fixture
def folder(tmp_path):
    for language in ("en", "de"):
        (tmp_path / "voices" / language).mkdir(parents=True)
        for key in ("go", "wait"):
            (tmp_path / "voices" / language / f"{key}.wav").write_bytes(b"RIFF")
    return tmp_path / "voices"


@pytest.fixture
def make_speaker(folder):
    speakers = []

    def make(command, languages=("en", "de"), **options):
        speakers.append(AlsaSpeaker(folder, languages, command=command, **options))
        return speakers[-1]

    yield make
    for speaker in speakers:
        speaker.close()


class Logged(logging.Handler):
    """Wakes whoever waits for a record of the log: that is how a thread's end is seen here."""

    def __init__(self):
        super().__init__()
        self._records = []
        self._came = threading.Condition()

    def emit(self, record):
        with self._came:
            self._records.append(record)
            self._came.notify_all()

    def wait(self, count):
        with self._came:
            assert self._came.wait_for(lambda: len(self._records) >= count, LONG_ENOUGH_S)
            return [(record.levelname, record.getMessage()) for record in self._records]


@pytest.fixture
def logged():
    handler = Logged()
    log = logging.getLogger("gatepost_hal.announcers")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


class Finished:
    """Lets a speaker say one prompt after the other, and waits until each is said."""

    def __init__(self, speaker):
        self._speaker = speaker
        self._said = threading.Semaphore(0)
        say = speaker._newest._action

        def say_and_tell(prompt):
            say(prompt)
            self._said.release()

        speaker._newest._action = say_and_tell

    def tell(self, prompt):
        self._speaker.tell(prompt)
        assert self._said.acquire(timeout=LONG_ENOUGH_S)


# ---------------------------------------------------------------------------------------- speaker


def test_each_language_is_played_in_its_order_with_the_options_before_the_file(
    make_speaker, folder, tmp_path
):
    player = Player(tmp_path)
    speaker = Finished(make_speaker(player.command, ("de", "en")))
    speaker.tell(GO)
    speaker.tell(WAIT)
    files = ("de/go", "en/go", "de/wait", "en/wait")
    assert player.played() == [f"--quiet {folder}/{file}.wav" for file in files]


def test_no_shell_reads_a_path(tmp_path):
    folder = tmp_path / "voices; exit 1 $(touch there)"
    (folder / "en").mkdir(parents=True)
    (folder / "en" / "go.wav").write_bytes(b"RIFF")
    player = Player(tmp_path)
    speaker = AlsaSpeaker(folder, ["en"], command=player.command)
    Finished(speaker).tell(GO)
    assert player.played() == [f"--quiet {folder}/en/go.wav"]
    speaker.close()


@pytest.mark.parametrize(
    "key",
    ["", ".", "..", "../go", "/etc/passwd", "a/b", "a b", "-D", "go\n", "go.wav", "gö", "a\0"],
)
def test_a_key_that_could_name_a_file_elsewhere_is_refused(make_speaker, tmp_path, key):
    player = Player(tmp_path)
    speaker = make_speaker(player.command)
    with pytest.raises(ValueError, match="prompt key"):
        speaker.tell(Prompt(key, {}))
    with pytest.raises(ValueError, match="prompt key"):
        speaker.missing([key])
    Finished(speaker).tell(GO)
    assert len(player.played()) == 2


@pytest.mark.parametrize("language", ["", "..", "de/..", "/", "-", "d", "de_DE", "de-", "dé"])
@pytest.mark.parametrize(
    "make",
    [
        AlsaSpeaker,
        lambda _folder, languages: TerminalDisplay(io.StringIO(), languages),
    ],
    ids=["speaker", "display"],
)
def test_a_language_that_is_no_tag_is_refused(make, folder, language):
    with pytest.raises(ValueError, match="BCP 47"):
        make(folder, ["en", language])


@pytest.mark.parametrize("language", ["en", "pt-BR", "zh-Hant-TW"])
def test_a_language_that_is_a_tag_is_taken(folder, language):
    speaker = AlsaSpeaker(folder, [language])
    assert speaker.missing(["go"]) == ([] if language == "en" else [folder / language / "go.wav"])
    speaker.close()


def test_what_is_missing_is_named_for_the_doctor(make_speaker, folder, tmp_path):
    speaker = make_speaker(Player(tmp_path).command)
    assert speaker.missing(["go", "wait"]) == []
    (folder / "de" / "go.wav").unlink()
    assert speaker.missing(["go", "wait", "fire"]) == [
        folder / "de" / "go.wav",
        folder / "en" / "fire.wav",
        folder / "de" / "fire.wav",
    ]


def test_a_missing_sentence_is_logged_once_and_the_other_language_is_played(
    make_speaker, folder, tmp_path, logged
):
    player = Player(tmp_path)
    speaker = Finished(make_speaker(player.command))
    sentence = folder / "en" / "go.wav"
    sentence.unlink()
    speaker.tell(GO)
    speaker.tell(GO)
    assert player.played() == [f"--quiet {folder}/de/go.wav"] * 2
    sentence.write_bytes(b"RIFF")
    speaker.tell(GO)
    speaker.tell(GO)
    first, second = logged.wait(2)
    assert first == ("ERROR", f"{sentence}: this sentence is missing, or may not be read")
    assert second == ("WARNING", f"{sentence} works again")
    assert len(logged.wait(0)) == 2


def test_a_player_that_fails_is_logged_once_a_sentence_with_what_it_said(
    make_speaker, folder, tmp_path, logged
):
    player = Player(tmp_path, then="echo one >&2; echo device busy >&2; exit 7")
    speaker = Finished(make_speaker(player.command, ("en",)))
    speaker.tell(GO)
    speaker.tell(GO)
    player.becomes("exit 0")
    speaker.tell(GO)
    assert logged.wait(2) == [
        ("ERROR", f"{folder}/en/go.wav: {player.command[0]} ended with 7: device busy"),
        ("WARNING", f"{folder}/en/go.wav works again"),
    ]


def test_a_player_that_is_not_there_is_logged_once(make_speaker, tmp_path, logged):
    speaker = Finished(make_speaker([str(tmp_path / "player")]))
    speaker.tell(GO)
    speaker.tell(WAIT)
    Player(tmp_path)
    speaker.tell(GO)
    (level, message), again = logged.wait(2)
    assert (level, "No such file" in message) == ("ERROR", True)
    assert again == ("WARNING", f"{tmp_path}/player works again")


def test_a_player_that_hangs_is_stopped_and_the_next_sentence_is_played(
    make_speaker, folder, tmp_path, logged
):
    # What hangs is a child of the player, which holds its output open.
    player = Player(tmp_path, then='case "$2" in */en/*) sleep 1000 & wait;; esac')
    speaker = Finished(make_speaker(player.command, longest_s=0.2))
    speaker.tell(GO)
    assert player.played() == [f"--quiet {folder}/{tag}/go.wav" for tag in ("en", "de")]
    ((level, message),) = logged.wait(1)
    assert (level, "was stopped after 0.2 s" in message) == ("ERROR", True)


def test_a_close_stops_the_player_in_the_middle_and_ends_the_thread(
    make_speaker, folder, tmp_path, logged
):
    began = tmp_path / "began"
    os.mkfifo(began)
    player = Player(tmp_path, then=f"echo began > {began}; sleep 1000")
    speaker = make_speaker(player.command)
    speaker.tell(GO)
    assert began.read_text() == "began\n"  # waits for it
    speaker.close()
    assert not speaker._newest._thread.is_alive()
    assert logged.wait(0) == []
    assert player.played() == [f"--quiet {folder}/en/go.wav"]


# ---------------------------------------------------------------------------------------- display


def lines_of(display, stream, prompts):
    shown = Finished(display)
    for prompt in prompts:
        shown.tell(prompt)
    display.close()
    return stream.getvalue().splitlines()


def test_each_language_is_a_line_and_one_without_a_text_is_left_out():
    stream = io.StringIO()
    display = TerminalDisplay(stream, ["de", "fr", "en"])
    assert lines_of(display, stream, [GO, Prompt("x", {"fr": "Attendez"})]) == [
        "Bitte gehen",
        "Please walk through",
        "Attendez",
    ]


def test_a_text_does_not_steer_the_terminal():
    stream = io.StringIO()
    display = TerminalDisplay(stream, ["en"])
    lines = lines_of(display, stream, [Prompt("x", {"en": "a\x1b[2Jb\r\nc\u202ed"})])
    assert lines == ["a [2Jb  c d"]


def test_a_prompt_without_any_text_is_logged_once(logged):
    stream = io.StringIO()
    display = TerminalDisplay(stream, ["fr"])
    assert lines_of(display, stream, [GO, GO]) == []
    assert logged.wait(1) == [("ERROR", "prompt go: no text in ('fr',)")]


def test_a_display_that_fails_is_logged_once_and_again_when_it_works(logged):
    class Stream(io.StringIO):
        broken = True

        def write(self, text):
            if self.broken:
                raise OSError(5, "Input/output error")
            return super().write(text)

    stream = Stream()
    display = TerminalDisplay(stream, ["en"])
    shown = Finished(display)
    shown.tell(GO)
    shown.tell(GO)
    stream.broken = False
    assert lines_of(display, stream, [WAIT]) == ["Please wait"]
    assert [level for level, _ in logged.wait(2)] == ["ERROR", "WARNING"]


def test_a_text_that_the_terminal_cannot_write_does_not_end_the_display(logged):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    display = TerminalDisplay(stream, ["en"])
    shown = Finished(display)
    shown.tell(Prompt("x", {"en": "Grüße"}))
    shown.tell(GO)
    display.close()
    assert stream.buffer.getvalue() == b"Please walk through\n"
    assert [level for level, _ in logged.wait(2)] == ["ERROR", "WARNING"]


# ---------------------------------------------------------------------------------------- fan-out


class Failing:
    def __init__(self):
        self.fails = True

    def tell(self, _prompt):
        if self.fails:
            raise RuntimeError("no")


def test_one_announcer_that_fails_keeps_nothing_from_the_others(logged):
    world = World()
    first, failing, last = SimulatedAnnouncer(world), Failing(), SimulatedAnnouncer(world)
    announcers = Announcers([first, failing, last])
    announcers.tell(GO)
    world.advance(1.0)
    announcers.tell(WAIT)
    failing.fails = False
    announcers.tell(GO)
    assert first.told == last.told == [(0.0, GO), (1.0, WAIT), (1.0, GO)]
    assert logged.wait(2) == [
        ("ERROR", "announcer 2 (Failing): no"),
        ("WARNING", "announcer 2 (Failing) works again"),
    ]


def test_nobody_to_tell_is_no_error():
    Announcers([]).tell(GO)
