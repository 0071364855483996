"""The guest for the tests of this folder: built once, booted by each of them."""

from importlib.util import find_spec

import pytest

from .build import NoGuestError, guest
from .machine import Machine


@pytest.fixture(scope="session")
def built():
    if find_spec("lgpio") is None:
        pytest.skip("NOT TESTED on real kernel devices: PyPI has no lgpio for this Python")
    try:
        return guest()
    except NoGuestError as error:
        pytest.skip(f"NOT TESTED on real kernel devices: {error}")


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
