"""`gatepost desired push` and `gatepost regime status`, as a technician sees them."""

import json
import shutil
import threading

import pytest

from gatepost.cli.main import main
from gatepost.demo.broker import SEARCH_PATH, LocalBroker
from gatepost.wiring.server_order import ServerOrder, order_path, save_order
from gatepost_config.load import load
from gatepost_config.regimes import path_of
from gatepost_services.commands.jws import parse
from gatepost_services.credentials.signing import hex_of, new_key, write_key
from gatepost_services.hub.messages import Broker, Outgoing
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.sync.documents import CHUNK_BYTES, decode

from .documents_rig import ROOT, trust_list

DEADLINE_S = 30.0
LOCKDOWN = path_of("lockdown")


class FakeGate:
    """Answers each letter as it is told to, after asking for the content."""

    def __init__(self, broker, name, answer):
        self.name, self.answer, self.root = name, answer, f"gatepost/s/{name}"
        self.content = b""
        self.letters = []
        self.ready = threading.Event()
        topics = [f"{self.root}/desired/+", f"{self.root}/chunk/+/+"]
        self.client = HubClient(broker, topics=topics, on_message=self._take)

    def report(self, **said):
        body = json.dumps({"documents": {"roster": said, "regime": said, "trust": said}}).encode()
        return self.client.publish(Outgoing(f"{self.root}/reported", body, is_retained=True))

    def _take(self, message):
        if "/desired/" in message.topic:
            self.letters.append(decode(parse(message.payload).payload))
            last = self.letters[-1]
            body = json.dumps({"digest": last.digest, "offset": 0, "bytes": CHUNK_BYTES})
            self.client.publish(Outgoing(f"{self.root}/fetch", body.encode()))
        else:
            self.content += message.payload
            self.report(**self.answer(self.letters[-1]))


@pytest.fixture
def site(config, tmp_path):
    """A broker, settings that name it, a key that signs, and gates of the test's own."""
    if shutil.which("mosquitto", path=SEARCH_PATH) is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = LocalBroker(folder)
    broker.start()
    text = config.read_text(encoding="utf-8")
    text = text.replace("broker_port = 1\n", f"broker_port = {broker.address.port}\n")
    root = f'[passes]\nroot_key = "{hex_of(ROOT.public_key())}"\n'
    config.write_text(text + root, encoding="utf-8")
    write_key(tmp_path / "key.pem", new_key())
    made = []

    def make(name, answer):
        gate = FakeGate(Broker("127.0.0.1", broker.address.port), name, answer)
        gate.client.start()
        made.append(gate)
        assert gate.client.wait_subscribed(DEADLINE_S)
        return gate

    def push(*words):
        return main(
            ["desired", "push", *map(str, words), "--key", str(tmp_path / "key.pem"),
             "--config", str(config)]
        )  # fmt: skip

    make.push = push
    yield make
    for gate in made:
        gate.client.stop()
    broker.stop()


def has_it(letter):
    return {"version": letter.version, "digest": letter.digest, "state": "applied", "why": None}


def refuses(letter):
    more = {"state": "refused", "why": "not_newer", "refused": letter.version}
    return {"version": 40, "digest": "ab", **more}


def test_a_document_for_two_gates_takes_the_next_version_of_both(site, capsys):
    gates = [site("north", has_it), site("south", has_it)]
    for gate, version in zip(gates, (3, 7), strict=True):
        assert gate.report(version=version, digest="x").wait(DEADLINE_S)
    assert site.push("regime", LOCKDOWN, "--gate", "north", "--gate", "south") == 0
    out = capsys.readouterr().out
    assert "regime document, version 8: " in out
    assert "for 2 gates" in out
    assert out.count("has it, digest") == 2
    (letter,) = gates[0].letters
    assert (letter.aud, letter.mode) == ("/gatepost/s", "whole")
    assert gates[0].content == LOCKDOWN.read_bytes()[:CHUNK_BYTES]


def test_a_refusal_is_told_with_what_the_gate_has(site, capsys, tmp_path):
    gate = site("north", refuses)
    (tmp_path / "d.csv").write_text("change,credential,subject,category\n", encoding="utf-8")
    words = ("--gate", "north", "--version", 9, "--base", 8)
    assert site.push("roster", tmp_path / "d.csv", *words) == 1
    assert "north: refused: not_newer; it has version 40" in capsys.readouterr().out
    (letter,) = gate.letters
    assert (letter.mode, letter.base_version, letter.aud) == ("delta", 8, "/gatepost/s/north")


def test_a_gate_that_is_silent_is_named_and_the_letter_stands(site, capsys):
    words = ("--gate", "north", "--version", 1, "--wait", 1)
    assert site.push("regime", LOCKDOWN, *words) == 3
    assert "not heard of within 1 s: north; the letter stands" in capsys.readouterr().err
    gate = site("north", has_it)
    gate.client.stop()
    assert [each.version for each in gate.letters] == [1]


def test_a_trust_list_keeps_its_own_version(site, capsys, tmp_path):
    gate = site("north", has_it)
    (tmp_path / "list").write_bytes(trust_list(6))
    assert site.push("trust", tmp_path / "list", "--gate", "north") == 0
    assert [each.version for each in gate.letters] == [6]
    with pytest.raises(SystemExit) as ended:
        site.push("trust", tmp_path / "list", "--gate", "north", "--version", 7)
    assert ended.value.code == 2
    assert "is version 6, and --version 7" in capsys.readouterr().err


def test_a_gate_that_never_reported_needs_a_version(site, capsys, monkeypatch):
    monkeypatch.setattr("gatepost.cli.desired._RETAINED_S", 0.1)
    with pytest.raises(SystemExit) as ended:
        site.push("regime", LOCKDOWN, "--gate", "north")
    assert ended.value.code == 2
    assert "north: never reported what is there; say --version" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("regime", LOCKDOWN, "--gate", "n", "--base", 1), "--base is for a roster"),
        (("roster", LOCKDOWN, "--gate", "n", "--lines", "/x"), "--lines is for a regime"),
        (("roster", "/nowhere", "--gate", "n"), "/nowhere: cannot be read"),
        (("roster", "/dev/null", "--gate", "n"), "0 bytes; a gate takes 1 to"),
        (("roster", LOCKDOWN, "--gate", "N/+"), "gate"),
        (("roster", LOCKDOWN, "--gate", "n", "--version", 0), "a version is 1 to"),
        (("roster", LOCKDOWN, "--gate", "n", "--wait", 0), "must be whole seconds"),
        (("roster", LOCKDOWN), "--gate"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(words, said, config, tmp_path, capsys):
    write_key(tmp_path / "key.pem", new_key())
    command = ["desired", "push", *map(str, words), "--key", str(tmp_path / "key.pem")]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--config", str(config)])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_regime_that_no_gate_would_take_is_not_sent(config, tmp_path, capsys):
    (tmp_path / "bad.toml").write_text("[", encoding="utf-8")
    command = ["desired", "push", "regime", str(tmp_path / "bad.toml"), "--gate", "n"]
    assert main([*command, "--key", "/x", "--config", str(config)]) == 2
    assert "bad.toml" in capsys.readouterr().err


# ------------------------------------------------------------------- gatepost regime status


def status(config, capsys):
    try:
        code = main(["regime", "status", "--config", str(config)])
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    return code, said.out + said.err


def test_status_says_whose_order_counts(config, capsys):
    assert status(config, capsys)[0] == 0
    text = config.read_text(encoding="utf-8")
    config.write_text(text + '[regime]\nname = "normal"\n', encoding="utf-8")
    assert status(config, capsys) == (0, "this machine's: normal; no server has set one\n")
    paths = load(config).paths
    paths.gate_dir.mkdir(exist_ok=True)
    order = ServerOrder(7, "ab", LOCKDOWN.read_text(encoding="utf-8"), "")
    save_order(order_path(paths), order)
    code, said = status(config, capsys)
    assert code == 0
    assert "the server's: lockdown, version 7, no lines of a site" in said
    assert f"not normal, which {config} sets" in said
    order_path(paths).write_bytes(b"{")
    code, said = status(config, capsys)
    assert code == 1
    assert "the server's cannot be used, and normal counts" in said


def test_status_of_a_gate_without_an_order(config, capsys):
    assert status(config, capsys)[1].startswith("none: ")
