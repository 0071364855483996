"""A command and a process that dies: between any two steps, once or never, and always answered."""

import random
import sqlite3

import pytest

from gatepost_hal.ports import Direction
from gatepost_services.commands.memory import CommandMemory

from .commanded import ADMINISTRATOR, Commanded
from .life import KilledError

ENTRY = Direction.ENTRY


class Fuse:
    """Counts the steps of a process, and kills it at one of them."""

    def __init__(self) -> None:
        self.steps = 0
        self.at: int | None = None

    def burn(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise KilledError


class _Connection(sqlite3.Connection):
    """A connection that may die before and after each commit."""

    fuse = Fuse()

    def execute(self, sql, *args):
        is_commit = sql == "COMMIT"
        if is_commit:
            self.fuse.burn()
        found = super().execute(sql, *args)
        if is_commit:
            self.fuse.burn()
        return found


class Mortal(Commanded):
    """A gate that dies at the n-th step: a commit, a record, a turn's end; `lives` counts."""

    def __init__(self, folder, fuse: Fuse) -> None:
        self.fuse = fuse
        self.lives = 1
        connection = type("Connection", (_Connection,), {"fuse": fuse})
        super().__init__(
            folder, remembering=lambda path: CommandMemory(path, connection_class=connection)
        )
        self.log.spy = lambda _entries: fuse.burn()
        self.log.wrote = lambda _entries: fuse.burn()
        fuse.steps = 0

    def play_until(self, condition, limit_s=60.0) -> bool:
        try:
            return super().play_until(condition, limit_s)
        except KilledError:
            self.watch()
            self.lives += 1
            self.life.end()
            self.restart()
            self.watch()
            return self.play_until(condition, limit_s)


def course(folder, at: int | None, *, repeats: int, verb: str = "release_entry"):
    """Send a command, some times over, to a gate that dies at a step; return the gate."""
    folder.mkdir()
    gate = Mortal(folder, Fuse())
    gate.fuse.at = at
    key = ADMINISTRATOR
    text = gate.text(verb, key)
    letters = [gate.put(text) for _ in range(repeats)]
    gate.bodies = [gate.answer(letter, 20.0) for letter in letters]
    gate.play(12.0)
    return gate


@pytest.mark.parametrize("verb", ["release_entry", "release_exit", "identify"])
@pytest.mark.parametrize("repeats", [1, 3])
def test_killed_at_each_step_it_acts_once_or_never_and_answers_alike(tmp_path, repeats, verb):
    whole = course(tmp_path / "whole", None, repeats=repeats, verb=verb)
    assert acts(whole) == 1
    steps, outcomes = whole.fuse.steps, set()
    whole.close()
    assert steps >= 6
    for at in range(1, steps + 1):
        gate = course(tmp_path / f"at-{at}", at, repeats=repeats, verb=verb)
        try:
            assert gate.lives == 2, at
            first = gate.bodies[0]
            outcome = first["status"], first.get("why")
            outcomes.add(outcome)
            assert all(body == first for body in gate.bodies), at
            assert acts(gate) <= 1, at
            assert outcome in (("done", None), ("refused", "interrupted")), at
            if outcome[0] == "done":
                assert acts(gate) == 1, at
        finally:
            gate.close()
    assert outcomes == {("done", None), ("refused", "interrupted")}


def acts(gate) -> int:
    return sum(gate.pulses.values()) + len(gate.drawer.run)


def test_killed_again_and_again_with_many_commands_none_acts_twice(tmp_path):
    chance = random.Random(9)
    for trial in range(12):
        folder = tmp_path / str(trial)
        folder.mkdir()
        gate = Mortal(folder, Fuse())
        texts = [gate.text("release_entry", exp=gate.now_s() + 500) for _ in range(4)]
        letters = [gate.put(chance.choice(texts)) for _ in range(10)]
        gate.fuse.at = chance.randint(1, 12)
        for letter in letters:
            gate.answer(letter, 60.0)
            gate.fuse.at = gate.fuse.steps + chance.randint(1, 25)
            gate.play(20.0)
        gate.fuse.at = None
        gate.play(20.0)
        answers = [gate.answered()[letter] for letter in letters]
        assert len(set(answers)) <= len(texts)
        assert gate.pulses[ENTRY] <= len(texts)
        obeyed = [each["command"] for each in gate.told("command.obeyed")]
        assert len(obeyed) == len(set(obeyed))
        gate.close()
