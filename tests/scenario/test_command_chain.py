"""Commands through both real processes and a real broker with TLS, kill -9 in between (S7)."""

import json
import random
import subprocess
import sys

import pytest

from gatepost_hal.system import SystemClock
from gatepost_services.commands.memory import AnswerReader
from gatepost_services.inbox import InboxError, InboxReader

from .command_chain import Chain
from .test_demo import needs_mosquitto

pytestmark = [pytest.mark.processes, needs_mosquitto]


@pytest.fixture
def chain(config):
    with Chain(config) as made:
        yield made


def gatepost(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "gatepost", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def letters(chain) -> int:
    with InboxReader(chain.folder / "link" / "inbox.db") as reader:
        try:
            return len(reader.after(b"", 0, 200))
        except InboxError:
            return 0


def test_a_command_for_a_gate_that_is_off_does_nothing_and_answers_expired(chain):
    chain.start("link")
    chain.start("gate")
    chain.ready()
    chain.kill("gate")
    command = chain.command("release_exit", valid_s=2)
    chain.publish(command)
    chain.wait(lambda: letters(chain) > 0)
    chain.kill("link")
    chain.wait(lambda: SystemClock().utc_s() > command.exp + 1)
    chain.start("gate")  # its answer waits for a link
    with AnswerReader(chain.folder / "gate" / "commands.db") as answers:
        chain.wait(lambda: any(command.id.encode() in a.body for a in answers.after(0, 1000)))
    chain.kill("gate")
    chain.start("link")
    (answer,) = chain.answers(command)
    assert json.loads(answer)["status"] == "refused"
    assert json.loads(answer)["why"] == "expired"
    chain.start("gate")
    chain.publish(command)
    assert set(chain.answers(command, 2)) == {answer}
    assert chain.pulses() == []
    assert chain.obeyed(command) == 0


def test_the_same_command_twice_acts_once_and_answers_twice_alike(chain):
    chain.start("link")
    chain.start("gate")
    chain.ready()
    chance = random.Random(5)
    commands = []
    for round_ in range(8):
        command = chain.command("release_exit")
        commands.append(command)
        chain.publish(command)
        killed = ("gate", "link", "gate", None)[round_ % 4]
        if killed:
            chain.kill(killed)
        chain.publish(command)
        if killed:
            chain.start(killed)
        if round_ == 5:
            chain.kill("link")
            chain.publish(command)
            chain.start("link")
        found = chain.answers(command, 2)
        assert len(set(found)) == 1, found
        chain.wait(lambda: bool(chance.random() < 0.2))
        answer = json.loads(found[0])
        assert (answer["status"], answer.get("why")) in (
            ("done", None),
            ("refused", "interrupted"),
            ("refused", "not_now"),
        )
        assert chain.obeyed(command) <= 1
        if answer["status"] == "done":
            assert chain.obeyed(command) == 1
    for command in commands:  # all of them once more: nothing moves, all is answered as it was
        before = chain.answers(command)
        chain.publish(command)
        assert len(set(chain.answers(command, len(before) + 1))) == 1
    obeyed = sum(chain.obeyed(command) for command in commands)
    assert 1 <= len(chain.pulses()) <= obeyed <= len(commands)


def test_a_technician_sends_a_command_and_reads_the_answer(chain):
    chain.start("link")
    chain.start("gate")
    chain.ready()
    files = ("--cert", chain.centre.certificate, "--cert-key", chain.centre.key)
    common = ("--config", chain.config, *files, "--key", chain.key, "--by", "anna", "--wait", "60")
    done = gatepost("command", "send", "g", "lock", *common)
    assert (done.returncode, done.stdout) == (0, "g: lock: done. The lane: locked.\n"), done.stderr
    refused = gatepost("command", "send", "g", "restart", *common)
    assert refused.returncode == 1
    assert refused.stdout.startswith("g: restart: refused: not_authorised (")
    asked = gatepost("command", "send", "g", "unlock", *common, "--json")
    assert asked.returncode == 0
    assert json.loads(asked.stdout)["status"] == "done"
    chain.kill("link")
    silent = gatepost("command", "send", "g", "lock", *common[:-1], "1", "--valid", "1")
    assert silent.returncode == 3
    assert "no answer of g within 1 s" in silent.stderr
