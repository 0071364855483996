"""An I2C bus that fails in each way a kernel can tell, and the two parts that are played on it.

The tests are in inside/i2c_faults.py and inside/i2c_transactions.py, and run in one guest.
"""

from .build import ROOT
from .suites import collected, inside, read

INSIDE = ("i2c_faults", "i2c_transactions")


def test_every_fault_of_the_bus_is_told_as_what_it_is(boot, tmp_path):
    paths = [ROOT / "tests" / "hil" / "inside" / f"{name}.py" for name in INSIDE]
    machine = boot(inside(" ".join(map(str, paths))), is_virtual_time=True)
    ended = machine.wait_end()
    assert ended == 0, "\n".join(machine.lines[-80:])
    there = set().union(*map(collected, paths))
    assert read(tmp_path / "share0" / "outcomes.xml").passed == there
