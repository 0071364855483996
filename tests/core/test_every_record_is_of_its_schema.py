"""What a lane tells is of its schema, in every state that it can reach (`gatepost verify`'s walk).

A record is looked at once for each of its shapes: which members it has, of which kinds.
"""

import pytest

from gatepost.verify.explore import EnoughError, walk
from gatepost.verify.world import SITES
from gatepost_services.contract.schemas import check

# The whole walk is for `gatepost verify`; the shapes are all there long before.
STEPS = 40_000


def shape_of(record):
    return record.type, tuple((name, type(value)) for name, value in sorted(record.data.items()))


@pytest.mark.parametrize("site", SITES)
def test_every_record_of_the_walk_is_of_its_schema(site):
    shapes, seen_steps = {}, 0

    def see(seen, _node):
        nonlocal seen_steps
        seen_steps += 1
        for record in seen.records:
            shapes.setdefault(shape_of(record), record)
        if seen_steps >= STEPS:
            raise EnoughError

    def crash(_node, happening, error):
        raise AssertionError(happening.words) from error

    walk(SITES[site], see, crash)
    for record in shapes.values():
        check(record.type, record.data)
    assert len(shapes) > 40
