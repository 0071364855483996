"""Replays a page: its blocks of commands in one shell, and what each shows beside what it should.

A block ```sh is run; the block ```text that follows is what it shows. In that, a line `...` stands
for any lines and `...` within a line for any text. A block ```sh again is repeated until it fits.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from queue import Empty, Queue
from typing import NamedTuple

from gatepost.demo.broker import SEARCH_PATH

DEADLINE_S = 120.0
GAP = "..."
_FENCE = re.compile(r"^```(\S*)( again)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What asks; behind it stands what is typed.
_QUESTION = re.compile(
    r"^(Steady\? Type its temperature in C: |Write\? \[y/N\] |.* \[y/n\] )(\S+)$"
)
_MARK, _FAILED = "that was the block, status", "FAILED: "
_LOOK_AGAIN_S = 0.2


class Block(NamedTuple):
    """Commands, the lines that they show (None: nothing is said of that), whether to repeat."""

    script: str
    shows: tuple[str, ...] | None
    is_repeated: bool

    @property
    def typed(self) -> tuple[tuple[str, str], ...]:
        """Return the questions in it, each with what is typed there."""
        found = (_QUESTION.match(line) for line in self.shows or ())
        return tuple((match[1], match[2]) for match in found if match)


def blocks(text: str, replaced: Mapping[str, str] = {}) -> list[Block]:
    """Return the blocks of a page; `replaced` are folders and ports, each with its stand-in."""
    for word, by in replaced.items():
        text = re.sub(rf"{re.escape(word)}\b", lambda _match, by=by: by, text)
    made: list[Block] = []
    for language, again, content in _FENCE.findall(text):
        if language == "sh":
            made.append(Block(content, None, bool(again)))
        elif language == "text":
            made[-1] = made[-1]._replace(shows=tuple(content.splitlines()))
    return made


def fits(shows: Iterable[str], got: str) -> bool:
    """Return whether an output is what a page shows."""
    wanted = tuple(shows)
    lines = tuple(line.rstrip() for line in got.splitlines())

    @cache
    def rest_fits(at: int, line: int) -> bool:
        if at == len(wanted):
            return line == len(lines)
        if wanted[at] == GAP:
            return any(rest_fits(at + 1, after) for after in range(line, len(lines) + 1))
        return (
            line < len(lines)
            and _line_fits(wanted[at], lines[line])
            and rest_fits(at + 1, line + 1)
        )

    return rest_fits(0, 0)


def _line_fits(wanted: str, got: str) -> bool:
    parts = (re.escape(part) for part in wanted.rstrip().split(GAP))
    return re.fullmatch(".*".join(parts), got) is not None


class Shell:
    """One bash in a folder of its own, with `gatepost` on its path, until closed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.took_s = folder, 0.0
        self._files = folder / ".shell"
        self._files.mkdir()
        self.add_program("gatepost", f'exec "{sys.executable}" -P -m gatepost "$@"')
        self._lines: Queue[str | None] = Queue()
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={
                **{
                    key: word for key, word in os.environ.items() if key not in ("LANG", "LANGUAGE")
                },
                "PATH": f"{self._files}:{SEARCH_PATH}",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "LC_ALL": "C.UTF-8",
                "NO_COLOR": "1",
                "COLUMNS": "100",
            },
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._write(f"trap 'echo \"{_FAILED}$BASH_COMMAND\"' ERR\n")

    def add_program(self, name: str, line: str) -> None:
        """Put a program before those of the system, or in place of one of ours."""
        program = self._files / name
        program.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        program.chmod(0o755)

    def play(self, block: Block) -> str:
        """Run a block, again where it says so; return what it showed at last."""
        until_s = time.monotonic() + DEADLINE_S
        pause = threading.Event()
        while True:
            got = self._run(block)
            wanted = (GAP,) if block.shows is None else block.shows
            is_good = fits(wanted, got) and _FAILED not in got
            if is_good or not block.is_repeated or time.monotonic() > until_s:
                assert is_good, f"{block.script}\nshows\n{got}\nand should\n{block.shows}"
                return got
            pause.wait(_LOOK_AGAIN_S)

    def close(self) -> None:
        """End it, and whatever it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _run(self, block: Block) -> str:
        script, typed = self._files / "block", self._files / "typed"
        script.write_text(block.script, encoding="utf-8")
        typed.write_text("".join(f"{word}\n" for _, word in block.typed), encoding="utf-8")
        began_s = time.monotonic()
        self._write(f'. "{script}" < "{typed}"\nprintf "\\n%s\\n" "{_MARK} $?"\n')
        said = self._said()
        self.took_s += time.monotonic() - began_s
        shown, rest = "", said
        for question, word in block.typed:
            before, asked, rest = rest.partition(question)
            # As on a terminal, which shows what is typed.
            shown += before + asked + (f"{word}\n" if asked else "")
        return shown + rest

    def _said(self) -> str:
        said = []
        while True:
            try:
                line = self._lines.get(timeout=DEADLINE_S)
            except Empty:
                raise AssertionError(f"it does not end:\n{''.join(said)}") from None
            assert line is not None, "".join(said)
            if line.startswith(_MARK):
                return "".join(said).removesuffix("\n")
            said.append(line)

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)
