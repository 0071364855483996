"""Pass readers on a real kernel: the unchanged suite, and what it cannot ask of a simulation.

The tests are in ../contract/test_readers.py and inside/typing_scanner.py, and run in one guest.
"""

from .build import ROOT
from .suites import collected, inside, read

CONTRACT = ROOT / "tests" / "contract" / "test_readers.py"
INSIDE = ROOT / "tests" / "hil" / "inside" / "typing_scanner.py"


def test_readers_read_on_kernel_devices_as_they_do_simulated(boot, tmp_path):
    machine = boot(
        inside(f"-k kernel {CONTRACT}", "contract.xml") + inside(str(INSIDE), "typing.xml"),
        is_virtual_time=True,
    )
    ended = machine.wait_end(timeout_s=1200)
    assert ended == 0, "\n".join(machine.lines[-80:])
    share = tmp_path / "share0"
    simulated = collected(CONTRACT, "simulated")
    there = {name.replace("simulated", "kernel") for name in simulated}
    # A GPIO chip has no plug.
    untested = there - read(share / "contract.xml").passed
    assert all("wiegand" in name for name in untested)
    assert len(untested) < len([name for name in there if "wiegand" in name])
    assert read(share / "typing.xml").passed == collected(INSIDE)
