"""The guest for the tests of this folder: built once, booted by each of them."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from .build import NoGuestError, guest
from .machine import Machine
from .snapshot import Guests

# These look at one guest; so do all others of one file, but for those of the contract.
_ONE_SITE = ("test_gate", "test_latency")
_LONGEST = ("test_powercut", "test_systemd")
_FIGURES = "figures"


@pytest.hookimpl(optionalhook=True)  # the guest runs these without pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    """Have one process run all tests that look at one guest. Not by marks: pytest 9.2 and
    pytest-xdist 3.8 together take no notice of those, and each process would boot each guest.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - as above

    class ByGuest(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = Path(nodeid.partition("::")[0]).stem
            if module == "test_contract":
                return nodeid
            return "site" if module in _ONE_SITE else module

    return ByGuest(config, log)


def pytest_collection_modifyitems(items):
    """Begin with what takes longest."""
    items.sort(key=lambda item: [item.path.stem != each for each in _LONGEST])


def pytest_terminal_summary(terminalreporter):
    """Show what was measured."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == _FIGURES:
                terminalreporter.write_line(text)


@pytest.fixture
def show(record_property):
    """Show figures at the end of the run."""
    return lambda text: record_property(_FIGURES, text)


@pytest.fixture(scope="session")
def built():
    if find_spec("lgpio") is None:
        pytest.skip("NOT TESTED on real kernel devices: PyPI has no lgpio for this Python")
    try:
        return guest()
    except NoGuestError as error:
        pytest.skip(f"NOT TESTED on real kernel devices: {error}")


@pytest.fixture(scope="session")
def guests(built, tmp_path_factory):
    return Guests(built, tmp_path_factory.mktemp("saved") / "snapshot")


@pytest.fixture
def boot(built, tmp_path):
    """Boot guests with a script each; see `Machine` for the keywords."""
    booted = []

    def boot(script, **keywords):
        share = tmp_path / f"share{len(booted)}"
        share.mkdir()
        booted.append(Machine(built, share, script, **keywords))
        return booted[-1]

    yield boot
    for machine in booted:
        machine.kill()
