"""The guest for the tests of this folder: built once, booted by each of them."""

import pytest

from .build import NoGuestError, guest
from .machine import Machine


@pytest.fixture(scope="session")
def built():
    try:
        return guest()
    except NoGuestError as error:
        pytest.fail(f"no guest: {error}", pytrace=False)


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
