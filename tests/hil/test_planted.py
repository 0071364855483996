"""Drivers with a fault planted in them: the contract, on kernel devices, must find each.

The guest's root is memory above the checkout, so that a planted module is seen there alone.
"""

from typing import NamedTuple

import pytest

from .build import ROOT
from .machine import running
from .suites import inside, read

HAL = "hal/gatepost_hal"
CONTRACT = "tests/contract"


class Plant(NamedTuple):
    module: str
    good: str
    bad: str
    suite: str
    expression: str  # which tests are run
    finds: frozenset[str]  # those of them that must fail; all others pass


def both(*names: str) -> frozenset[str]:
    """Return the names for both kinds of relay board."""
    ids = [name.partition("[") for name in names]
    return frozenset(
        f"{name}[{board}-kernel{'-' + more if more else ']'}"
        for name, _, more in ids
        for board in ("high", "low")
    )


FAULT = "test_a_fault_on_the_wire_is_a_fault_and_never_a_number"
PLANTS = {
    "a packet error code that nobody checks": Plant(
        "mlx90614.py",
        "if pec != read_word_pec(address, command, word):",
        "if pec is None:",
        "thermometer",
        "fault_on_the_wire",
        both(f"{FAULT}[bad_pec]", f"{FAULT}[all_ones]", f"{FAULT}[all_zeros]"),
    ),
    "an errno that the driver does not know": Plant(
        "mlx90614.py",
        "    errno.EREMOTEIO: SensorFaultKind.ABSENT,",
        "    #",
        "thermometer",
        "fault_on_the_wire",
        both(f"{FAULT}[nack]"),
    ),
    "a contact without debounce": Plant(
        "contacts.py",
        "self._timer.call_at(self._clock.now_s() + rest_s, self._settle)",
        "self._timer.call_at(self._clock.now_s(), self._settle)",
        "inputs",
        "at_rest or bounces_shorter or finds_no_rest_is_no_press",
        both(
            "test_bounces_shorter_than_the_debounce_time_are_no_event",
            "test_a_button_that_finds_no_rest_is_no_press",
        ),
    ),
    "an input without its pull-up": Plant(
        "gpio.py",
        "pull_up=True,",
        "pull_up=None, active_state=False,",
        "inputs",
        "at_rest_reports_nothing or not_wired_is_not_active",
        both("test_a_lane_at_rest_reports_nothing"),
    ),
    "gpiozero's own way to claim an output": Plant(
        "lgpio_lines.py",
        "self.pin_class = LevelPin",
        "self.pin_class = LGPIOPin",
        "turnstile",
        "while_the_lines_were_claimed or frees_its_direction_alone",
        frozenset(
            {"test_no_relay_was_energised_for_a_moment_while_the_lines_were_claimed[low-kernel]"}
        ),
    ),
}


@pytest.fixture(scope="module")
def outcomes(built, tmp_path_factory):
    """Return what the contract said of each plant: all in one guest."""
    share = tmp_path_factory.mktemp("planted")
    script = "export PYTHONDONTWRITEBYTECODE=1\n"
    for number, plant in enumerate(PLANTS.values()):
        text = (ROOT / HAL / plant.module).read_text()
        assert text.count(plant.good) == 1, plant.good
        (share / f"{number}.py").write_text(text.replace(plant.good, plant.bad))
        module = f"{HAL}/{plant.module}"
        suite = f"{CONTRACT}/test_{plant.suite}_contract.py"
        script += f"cp {module} /run/good.py\ncp /mnt/{number}.py {module}\n"
        script += inside(f"-k 'kernel and ({plant.expression})' {suite}", f"{number}.xml")
        script += f"cp /run/good.py {module}\n"
    with running(built, share, script, is_virtual_time=True) as machine:
        machine.wait_end()
    told = [share / f"{number}.xml" for number in range(len(PLANTS))]
    assert all(path.exists() for path in told), "\n".join(machine.lines[-80:])
    return {name: read(path) for name, path in zip(PLANTS, told, strict=True)}


@pytest.mark.parametrize("name", PLANTS)
def test_the_contract_finds_it(outcomes, name):
    assert outcomes[name].failed == PLANTS[name].finds
    assert outcomes[name].passed
