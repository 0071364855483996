"""The fixtures of the scenarios. What they make stands in `stage` and `life`."""

import pytest

from .stage import NOTHING, REAL_SENSOR, REAL_SUPPLY_V, Stage


@pytest.fixture
def stage():
    made = Stage()
    yield made
    made.close()


@pytest.fixture
def make_stage():
    made = []

    def make(**keywords):
        made.append(Stage(**keywords))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


@pytest.fixture
def make_real(make_stage):
    """Make stages whose sensor looks at real foreheads, in a room it has stood in for long."""

    def make(*, room_c=24.0, sensor=NOTHING, prepare=lambda _lane: None, **keywords):
        def set_up(lane):
            lane.chip.supply_v = REAL_SUPPLY_V
            lane.chip.settle(room_c)
            prepare(lane)

        return make_stage(sensor=REAL_SENSOR | sensor, prepare=set_up, **keywords)

    return make


@pytest.fixture
def config(tmp_path):
    """A settings file of a gate whose folders are there, and its roster and broker are not."""
    for name in ("gate", "link", "run/gate", "run/link", "calibration"):
        (tmp_path / name).mkdir(parents=True)
    path = tmp_path / "gatepost.toml"
    path.write_text(
        '[gate]\nsite = "s"\nname = "g"\n[screening]\noffset_c = 2.43\n'
        '[sensor]\ncalibration = "factory"\nsupply_v = 3.0\nwarm_up_s = 0\n'
        '[link]\nbroker_host = "127.0.0.1"\nbroker_port = 1\ntransport = "plain"\n'
        f'[paths]\ngate_dir = "{tmp_path}/gate"\nlink_dir = "{tmp_path}/link"\n'
        f'run_dir = "{tmp_path}/run"\nroster = "{tmp_path}/roster.db"\n'
        f'roster_key = "{tmp_path}/roster.key"\n'
        f'calibration_dir = "{tmp_path}/calibration"\n'
    )
    return path
