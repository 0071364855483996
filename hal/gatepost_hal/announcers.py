"""What tells the person in words: a display of text, a speaker for recorded sentences.

Each has a thread of its own, because terminals stall and sound cards hang, and neither may hold
up the control loop.
"""

import logging
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from gatepost_hal.ports import Announcer, Prompt

_log = logging.getLogger(__name__)

# What may become part of a path: no dot, no slash, nothing that a player takes for an option.
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)

# A player that takes longer hangs, and would keep every later sentence back.
_LONGEST_S = 30.0
_STOP_S = 1.0  # for a thread to end; a stalled terminal is left behind


class _Complaints:
    """Logs the first failure of each thing, and that it works again."""

    def __init__(self) -> None:
        self._failing: set[str] = set()

    def fails(self, what: str, why: object) -> None:
        if what not in self._failing:
            self._failing.add(what)
            _log.error("%s: %s", what, why)

    def works(self, what: str) -> None:
        if what in self._failing:
            self._failing.remove(what)
            _log.warning("%s works again", what)


class _Newest:
    """Does one thing with each prompt on a thread; the newest replaces one that waits."""

    def __init__(self, action: Callable[[Prompt], None], *, name: str) -> None:
        self._action = action
        self._wake = threading.Condition()
        self._waiting: Prompt | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, prompt: Prompt) -> None:
        with self._wake:
            self._waiting = prompt
            self._wake.notify()

    def close(self) -> None:
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        while (prompt := self._take()) is not None:
            self._action(prompt)

    def _take(self) -> Prompt | None:
        with self._wake:
            while not self._closed and self._waiting is None:
                self._wake.wait()
            prompt, self._waiting = self._waiting, None
            return None if self._closed else prompt


class TerminalDisplay:
    """An `Announcer` that writes each prompt as lines of text, one for each language.

    Args:
        stream: a terminal, a serial display, a file.
        languages: which texts, in this order; one that a prompt has not is left out.
    """

    def __init__(self, stream: TextIO, languages: Sequence[str]) -> None:
        self._stream = stream
        self._languages = _checked(languages)
        self._complaints = _Complaints()
        self._newest = _Newest(self._show, name="display")

    def tell(self, prompt: Prompt) -> None:
        """Show the prompt; see `gatepost_hal.ports.Announcer.tell`."""
        self._newest.put(prompt)

    def close(self) -> None:
        """End the thread; the stream stays open."""
        self._newest.close()

    def _show(self, prompt: Prompt) -> None:
        texts = [prompt.texts[tag] for tag in self._languages if tag in prompt.texts]
        if not texts:
            self._complaints.fails(f"prompt {prompt.key}", f"no text in {self._languages}")
            return
        try:
            self._stream.write("".join(f"{_printable(text)}\n" for text in texts))
            self._stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed, or not UTF-8
            self._complaints.fails("the display", error)
        else:
            self._complaints.works("the display")


def _printable(text: str) -> str:
    """Keep what would steer a terminal out of a text: it may come over the network."""
    return "".join(character if character.isprintable() else " " for character in text)


class AlsaSpeaker:
    """An `Announcer` that plays `<folder>/<language>/<key>.wav`, one language after the other.

    Args:
        folder: where the recorded sentences lie.
        languages: which ones, in this order.
        command: the player and its options; the file is put behind them. No shell reads it.

    Raises:
        ValueError: a language that is no language tag.
    """

    def __init__(
        self,
        folder: Path,
        languages: Sequence[str],
        *,
        command: Sequence[str] = ("aplay", "--quiet"),
        longest_s: float = _LONGEST_S,
    ) -> None:
        self._folder = folder.absolute()
        self._languages = _checked(languages)
        self._command = tuple(command)
        self._longest_s = longest_s
        self._complaints = _Complaints()
        self._lock = threading.Lock()
        self._player: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._newest = _Newest(self._say, name="speaker")

    def tell(self, prompt: Prompt) -> None:
        """Say the prompt; see `gatepost_hal.ports.Announcer.tell`.

        Raises:
            ValueError: a key that cannot be the name of a file.
        """
        _check_key(prompt.key)
        self._newest.put(prompt)

    def missing(self, keys: Iterable[str]) -> list[Path]:
        """Return the files that these prompts need and that are not there, or not readable.

        Raises:
            ValueError: a key that cannot be the name of a file.
        """
        return [path for key in keys for path in self._files(key) if not _is_readable(path)]

    def close(self) -> None:
        """Stop in the middle of a sentence, and end the thread."""
        with self._lock:
            self._closed = True
            if self._player is not None:
                _stop(self._player)
        self._newest.close()

    def _files(self, key: str) -> list[Path]:
        _check_key(key)
        return [self._folder / language / f"{key}.wav" for language in self._languages]

    def _say(self, prompt: Prompt) -> None:
        for path in self._files(prompt.key):
            if not _is_readable(path):
                self._complaints.fails(str(path), "this sentence is missing, or may not be read")
                continue
            try:
                failure = self._play(path)
            except OSError as error:  # the player is missing, or may not be run
                self._complaints.fails(self._command[0], error)
                return
            self._complaints.works(self._command[0])
            if self._closed:
                return
            if failure:
                self._complaints.fails(str(path), failure)
            else:
                self._complaints.works(str(path))

    def _play(self, path: Path) -> str | None:
        """Play one file to its end; return why that failed."""
        with self._lock:
            if self._closed:
                return None
            self._player = player = subprocess.Popen(  # noqa: S603 - a list of words, and no shell
                [*self._command, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                process_group=0,  # so that whatever it starts is stopped with it
            )
        try:
            _, errors = player.communicate(timeout=self._longest_s)
        except subprocess.TimeoutExpired:
            _stop(player)
            player.communicate()
            return f"{self._command[0]} was stopped after {self._longest_s} s"
        finally:
            with self._lock:
                self._player = None
        if player.returncode == 0:
            return None
        said = errors.decode(errors="replace").strip().splitlines()
        return f"{self._command[0]} ended with {player.returncode}: {' '.join(said[-1:])}"


def _is_readable(path: Path) -> bool:
    return os.access(path, os.R_OK)


def _stop(player: subprocess.Popen[bytes]) -> None:
    if player.poll() is None:
        with suppress(ProcessLookupError):  # it ended by itself meanwhile
            os.killpg(player.pid, signal.SIGKILL)


class Announcers:
    """An `Announcer` that passes on to several; one that fails keeps nothing from the others."""

    def __init__(self, announcers: Sequence[Announcer]) -> None:
        self._announcers = announcers
        self._complaints = _Complaints()

    def tell(self, prompt: Prompt) -> None:
        """Tell the prompt everywhere."""
        for number, announcer in enumerate(self._announcers, start=1):
            name = f"announcer {number} ({type(announcer).__name__})"
            try:
                announcer.tell(prompt)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next one must still tell
                self._complaints.fails(name, error)
            else:
                self._complaints.works(name)


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise ValueError(f"prompt key {key!r}: letters, digits, - and _ only")


def _checked(languages: Sequence[str]) -> tuple[str, ...]:
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            raise ValueError(f"language {language!r}: a BCP 47 tag such as de or pt-BR")
    return tuple(languages)
