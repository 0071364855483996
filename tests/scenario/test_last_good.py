"""A gate whose file is broken goes on with its last good settings, and tells it."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from importlib import import_module
from types import SimpleNamespace

import msgspec
import pytest

from gatepost.cli.main import main
from gatepost.core.faults import FAULTS, Fault
from gatepost.doctor.services import config as doctor_config
from gatepost.wiring.clock_watch import gate_clock
from gatepost.wiring.good_start import GoodStart
from gatepost.wiring.lane import gate
from gatepost.wiring.last_good import last_good_beside, settings_in_force
from gatepost.wiring.news import News, settings_digest
from gatepost.wiring.orders import Orders
from gatepost.wiring.thermometer import check_part
from gatepost_config import load as loading
from gatepost_config.load import ConfigError, load
from gatepost_hal.simulated.world import World
from gatepost_services.control import ask
from gatepost_services.journal import JournalReader

from .clocks import START_S

PATIENCE_S = 30.0
SECRET = "hunter2-" * 3


@pytest.fixture
def world():
    return World(start_utc_s=START_S)


@pytest.fixture
def kept(config, world):
    """The settings of the file, kept by a start that went well."""
    settings = load(config)
    start = GoodStart(settings, world)
    world.advance(10.0)
    assert start.due() == ()
    return settings


def break_(config, more="[lane\n"):
    config.write_text(config.read_text() + more)


# ------------------------------------------------------------------------------------------- kept


def test_they_are_kept_when_the_start_went_well_and_not_before(config, world):
    settings = load(config)
    start = GoodStart(settings, world)
    world.advance(9.9)
    start.due()
    assert not settings.paths.last_good.exists()
    world.advance(0.1)
    start.due()
    said = json.loads(settings.paths.last_good.read_bytes())
    assert said["settings"]["gate"] == {"site": "s", "name": "g"}
    assert said["since"].endswith("UTC")


def test_the_same_settings_are_written_once(config, world, kept):
    """A card wears."""
    was = kept.paths.last_good.read_bytes()
    inode = kept.paths.last_good.stat().st_ino
    start = GoodStart(load(config), world)
    world.advance(100.0)
    start.due()
    assert kept.paths.last_good.stat().st_ino == inode
    break_(config, "[lane]\npass_timeout_s = 20.0\n")
    start = GoodStart(load(config), world)
    world.advance(10.0)
    start.due()
    assert kept.paths.last_good.read_bytes() != was


def test_the_running_gate_keeps_them(config, world):
    settings = load(config)
    clock = gate_clock(settings, world, "boot")
    news = News(settings, clock, regime=lambda: (None, None), outings=tuple)
    news.due()
    world.advance(10.0)
    news.due()
    assert settings.paths.last_good.exists()


def test_a_disk_that_does_not_take_them_hinders_nobody(config, world, caplog):
    settings = load(config)
    settings.paths.last_good.mkdir()
    start = GoodStart(settings, world)
    world.advance(10.0)
    assert start.due() == ()
    assert "stay those of an earlier start" in caplog.text


# ------------------------------------------------------------------------------------ taken instead


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[lane\n", "not TOML"),
        ("[lane]\npass_timeout = 3\n", "Did you mean pass_timeout_s"),
        ('[passback]\nmode = "hard"\n', "wire an exit reader"),
    ],
    ids=["broken", "unknown", "contradicts"],
)
def test_a_file_that_cannot_be_used_leaves_the_last_good_ones(config, kept, more, says):
    break_(config, more)
    settings, problem = settings_in_force(config)
    assert settings == kept
    assert str(config) in problem
    assert says in problem
    assert "goes on with its last good settings, in use since 2" in problem


def test_a_wrong_text_is_not_in_what_is_told(config, kept):
    text = config.read_text()
    config.write_text(text.replace('"plain"', f'"{SECRET}"'))
    settings, problem = settings_in_force(config)
    assert settings == kept
    assert "[link] transport = (not shown): must be one of" in problem
    assert "hunter2" not in problem


def test_a_part_that_cannot_do_it_counts_as_well(config, kept):
    text = config.read_text()
    config.write_text(text.replace("[sensor]\n", '[sensor]\npart = "BAA"\ndistance_cm = 60.0\n'))
    with pytest.raises(ConfigError):
        check_part(load(config), config)
    assert settings_in_force(config, check=check_part).settings == kept
    # The link has no driver; what it reads of the file is right.
    assert settings_in_force(config).problem is None


def test_a_good_file_counts_whatever_was_before(config, kept):
    break_(config, "[lane]\npass_timeout_s = 20.0\n")
    settings, problem = settings_in_force(config)
    assert (settings.lane.pass_timeout_s, problem) == (20.0, None)
    assert kept.lane.pass_timeout_s == 15.0


def test_zeros_after_a_power_cut_are_broken_settings(config, kept, monkeypatch):
    """Nothing in them says where the gate's folder is: it is where it is by default."""
    monkeypatch.setattr("gatepost.wiring.last_good.DEFAULT_PATH", config)
    monkeypatch.setattr("gatepost.wiring.last_good.Paths", lambda: kept.paths)
    config.write_bytes(b"\0" * 300)
    assert settings_in_force(config).settings == kept
    config.unlink()
    assert settings_in_force(config).settings == kept


def test_a_file_that_is_named_and_not_there_starts_no_other_gate(config, kept, monkeypatch):
    monkeypatch.setattr("gatepost.wiring.last_good.Paths", lambda: kept.paths)
    with pytest.raises(ConfigError, match="there is no such file"):
        settings_in_force(config.with_name("typo.toml"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"settings": 3, "since": "x"}',
        b'{"settings": {}, "since": ""}',
        b"\xff",
    ],
)
def test_damaged_last_good_settings_are_none(config, kept, content):
    kept.paths.last_good.write_bytes(content)
    break_(config)
    with pytest.raises(ConfigError, match="not TOML"):
        settings_in_force(config)


def test_those_of_another_version_with_a_setting_too_many_are_none(config, kept):
    path = kept.paths.last_good
    said = json.loads(path.read_bytes())
    said["settings"]["lane"]["from_the_future"] = 1
    path.write_bytes(msgspec.json.encode(said))
    break_(config)
    assert last_good_beside(config) is None


# --------------------------------------------------------------------------------------------- told


@pytest.fixture
def controller(config, kept, stage, world):
    """The gate process with a broken file, on the stage's lane."""
    break_(config, "[lane]\npass_timeout = 3\n")
    settings, problem = settings_in_force(config)
    assert settings == kept
    hardware = stage.hardware._replace(clock=world)
    faults = {Fault.SETTINGS: problem}
    with gate(
        settings, hardware, boot_id="b", notify=lambda _text: None, known_faults=faults
    ) as made:
        yield made


def test_it_is_a_fault_that_stands_and_names_file_key_and_remedy(config, kept, controller):
    controller.run(lambda: True, about={})
    with JournalReader(kept.paths.journal) as journal:
        bodies = [json.loads(record.body) for record in journal.read(0, 100).records]
    raised = [body["data"] for body in bodies if body["type"].endswith("fault.raised")]
    (told,) = [data for data in raised if data["fault"] == "settings"]
    assert f"{config}:" in told["detail"]
    assert "[lane] pass_timeout = 3" in told["detail"]
    assert "gatepost config check" in told["remedy"]
    assert told["effect"] == FAULTS[Fault.SETTINGS].effect


def test_whoever_asks_the_running_gate_is_told(kept, controller, monkeypatch):
    restarts = []
    monkeypatch.setattr("gatepost.wiring.orders.restart", lambda: restarts.append(1))
    with ThreadPoolExecutor(1) as pool:

        def asked(verb):
            answer = pool.submit(ask, kept.paths.control, {"verb": verb}, PATIENCE_S)
            while not answer.done():
                controller.turn()
            return answer.result()

        told = asked("settings")
        assert told["settings"] == settings_digest(kept)
        assert "pass_timeout" in told["problem"]
        assert asked("restart")["done"]
    assert restarts == [1]


def test_no_secret_that_stands_in_the_file_by_mistake_is_told(config, kept):
    break_(config, f'[lane]\npassword = "{SECRET}"\nbroker_key = "{SECRET}"\n')
    _, problem = settings_in_force(config)
    assert SECRET not in problem
    assert "password = (not shown)" in problem
    assert SECRET.encode() not in kept.paths.last_good.read_bytes()


def test_whoever_asks_the_gate_is_told_the_digest_and_the_problem(tmp_path, world):
    orders = Orders(tmp_path / "c.sock", world, settings="d" * 64, problem="broken")
    other = Orders(tmp_path / "d.sock", world)
    assert orders._settings["settings"] == "d" * 64
    assert orders._settings["problem"] == "broken"
    assert orders._settings["run"] != other._settings["run"]
    orders.close()
    other.close()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_any_editor(config, end):
    content = config.read_text().replace("\n", end).encode()
    assert loading.decode(content, path=config) == load(config)


def test_the_doctor_says_that_the_gate_goes_on_with_them(config, kept):
    site = SimpleNamespace(config=config, loaded=None, refused=["gate.toml: not TOML."])
    assert kept.paths.last_good.exists()
    told = doctor_config(site).values["why"]
    assert told.startswith("gate.toml: not TOML. The gate goes on with its last good settings, in")
    kept.paths.last_good.unlink()
    assert doctor_config(site).values["why"] == "gate.toml: not TOML."


class SeenError(Exception):
    """Enough of a process is built."""


@pytest.mark.parametrize("command", ["run", "uplink"])
def test_both_processes_start_with_them(config, kept, monkeypatch, command):
    module = import_module(f"gatepost.cli.{command}")
    seen = []

    def build(settings, *_more, **about):
        seen.append((settings, about.get("known_faults", {})))
        raise SeenError

    monkeypatch.setattr(module, "log_to_stderr", lambda: None)
    if command == "run":
        monkeypatch.setattr(module, "Stopper", lambda: None)
        equipment = SimpleNamespace(hardware=None, faults={})
        monkeypatch.setattr(module, "real_hardware", lambda _settings: nullcontext(equipment))
        monkeypatch.setattr(module, "gate", build)
    else:
        monkeypatch.setattr(module, "link", build)
    break_(config)
    with pytest.raises(SeenError):
        main([command, "--config", str(config)])
    ((settings, faults),) = seen
    assert settings == kept
    assert list(faults) == ([Fault.SETTINGS] if command == "run" else [])
