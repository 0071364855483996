"""The hal contract on the devices of a real kernel: the unchanged suite, run in the guest."""

import pytest

from .build import ROOT
from .suites import collected, inside, read

# That of the announcers is not about devices of a lane.
SUITES = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "tests" / "contract").glob("test_*_contract.py")
    if path.name != "test_announcer_contract.py"
)


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.stem)
def test_the_contract_holds_on_kernel_devices(boot, tmp_path, suite):
    machine = boot(inside(f"-k kernel {suite}"), is_virtual_time=True)
    ended = machine.wait_end(timeout_s=1200)
    assert ended == 0, "\n".join(machine.lines[-80:])
    simulated = collected(ROOT / suite, "simulated")
    there = {name.replace("simulated", "kernel") for name in simulated}
    assert read(tmp_path / "share0" / "outcomes.xml").passed == there
