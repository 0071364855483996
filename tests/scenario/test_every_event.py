"""Every type of event of the contract is told by a gate in some play, and is as its schema says.

That it is as the schema says is looked at in every test (tests/conftest.py).
"""

import pytest

from gatepost_services.contract.classes import CLASS_OF

from . import every_event, every_event_machine
from .every_event import Theatre

PLAYS = every_event.PLAYS | every_event_machine.PLAYS


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
def test_this_is_told(play, make_stage, config, tmp_path, told_types):
    folder = tmp_path / "theatre"
    folder.mkdir()
    play(Theatre(make_stage, config, folder))
    assert set(PLAYS[play]) <= told_types


def test_the_plays_tell_every_type_that_there_is():
    assert {type_ for types in PLAYS.values() for type_ in types} == set(CLASS_OF)
