"""The last file of a factory reset that was cut off: known by its name, and by nothing else."""

import io

import pytest

from gatepost.cli import going_over

from .going_over_rig import gatepost
from .test_factory_reset import OTHERS, Gate


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate", tmp_path / "links")


@pytest.fixture(autouse=True)
def units(monkeypatch):
    """What systemd was told; there is none."""
    told = []
    monkeypatch.setattr(going_over, "systemctl", lambda words: told.append(list(words)))
    return told


@pytest.fixture
def reset(capsys):
    def run(gate, *words):
        told = ("--config", gate.config, "--boot", gate.folder / "boot")
        return gatepost(capsys, "factory-reset", *told, *words)

    return run


@pytest.fixture
def cut_off(gate):
    """A gate whose reset lost its power when only the settings were left, and were half wiped."""
    for name in gate.names() - {*OTHERS, "gatepost.toml"}:
        (gate.folder / name).unlink()
    gate.config.write_bytes(bytes(50) + b"rest of a page")
    gate.config.rename(gate.config.with_name("gatepost.toml.erasing"))
    return gate


def test_a_cut_in_the_very_last_file_is_finished_without_the_settings(cut_off, reset):
    for words in ((), ("--dry-run",)):
        status, out, _ = reset(cut_off, *words)
        assert status == (0 if words else 2)
        assert "gatepost.toml.erasing: the last file of a reset that was cut off" in out
        assert cut_off.names() == {*OTHERS, "gatepost.toml.erasing"}
    assert reset(cut_off, "--yes", "g")[0] == 0
    assert cut_off.names() == set(OTHERS)
    assert reset(cut_off, "--yes", "g")[0] == 2  # there is nothing left


@pytest.mark.parametrize(("typed", "status"), [("yes", 0), ("no", 2), ("g", 2)])
def test_whoever_sits_there_is_asked_for_that_too(cut_off, reset, monkeypatch, typed, status):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("builtins.input", lambda _question: typed)
    assert reset(cut_off)[0] == status
    assert (cut_off.names() == set(OTHERS)) is (status == 0)


@pytest.mark.parametrize(
    "content",
    [bytes(700), 'limit = "37.3"\n'.encode("utf-16"), b"a = 1\n" + bytes(1000), b""],
    ids=["zeros", "utf-16", "zeros at its end", "empty"],
)
@pytest.mark.parametrize("words", [("--yes", "g"), ("--dry-run",)], ids=str)
def test_a_file_of_zeros_is_no_reset_that_was_cut_off(gate, reset, units, content, words):
    """A power cut, or an editor, leaves them: people's data is all there."""
    (gate.folder / "gate/settings.json").unlink()
    gate.config.write_bytes(content)
    (gate.folder / "gatepost.toml.erasing").write_bytes(b"of an older one")
    before = gate.names()
    assert reset(gate, *words)[0] == 2
    assert (gate.names(), units) == (before, [])
    assert gate.config.read_bytes() == content


def test_another_file_by_mistake_stays(gate, capsys):
    roster = gate.folder / "roster.db"
    before = roster.read_bytes()
    for words in (("--dry-run",), ("--yes", "g")):
        boot = ("--boot", gate.folder / "boot")
        assert gatepost(capsys, "factory-reset", "--config", roster, *boot, *words)[0] == 2
    assert roster.read_bytes() == before
