"""Whatever a file says, it is used, or refused in sentences: never anything else."""

import datetime as dt
import tomllib
from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_config.choices import CHOICES
from gatepost_config.load import ConfigError
from gatepost_config.regime_shape import Source
from gatepost_config.regimes import resolve

from .regime_files import TEXT

WORDS = st.sampled_from(
    [
        *CHOICES,
        *("", "R001", "R999", "ours", "admit", "resident", "hot", "test", "*", "normal", "mine"),
        *("community at once", "home", "7", "isolation", "if", "then", "Asia/Shanghai"),
    ]
)
LEAVES = (
    WORDS
    | st.text(max_size=5)
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.datetimes()
    | st.datetimes(timezones=st.just(dt.UTC))
    | st.dates()
    | st.times()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
REGIME = tomllib.loads(TEXT)


def paths(value, path=()):
    """Yield the way to each value of a document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from paths(inner, (*path, key))
        else:
            yield (*path, key)


PATHS = list(paths(REGIME))


def put(document, path, value):
    """Put a value in a place of a document, where there still is such a place."""
    *way, last = path
    with suppress(KeyError, IndexError, TypeError):
        for key in way:
            document = document[key]
        document[last] = value


def told(raw, site=None):
    """Return what is said of it; [] where it is used."""
    try:
        resolve(Source("mine.toml", raw, TEXT), site and Source("site.toml", site, ""))
    except ConfigError as error:
        return list(error.problems)
    return []


def test_the_document_itself_is_used():
    assert told(deepcopy(REGIME)) == []
    assert len(PATHS) > 150


@settings(max_examples=400, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PATHS), VALUES), min_size=1, max_size=3))
def test_a_regime_with_anything_in_it_is_used_or_refused_in_sentences(changes):
    raw = deepcopy(REGIME)
    for path, value in changes:
        put(raw, path, value)
    problems = told(raw)
    assert all(problem.startswith("mine.toml") for problem in problems)
    assert all(problem.endswith((".", "?")) for problem in problems)


@settings(max_examples=200, deadline=None)
@given(path=st.sampled_from([path for path in PATHS if len(path) == 1]), data=st.data())
def test_a_site_file_with_anything_in_it_is_used_or_refused_in_sentences(path, data):
    content = data.draw(VALUES | st.just(REGIME[path[0]]))
    assert all(
        problem.startswith(("mine.toml", "site.toml"))
        for problem in told(deepcopy(REGIME), {path[0]: content})
    )


@pytest.mark.parametrize("path", [path for path in PATHS if len(path) <= 2], ids=str)
def test_what_is_taken_out_is_told_or_was_not_needed(path):
    raw = deepcopy(REGIME)
    *way, last = path
    inner = raw
    for key in way:
        inner = inner[key]
    del inner[last]
    # No row asks for a health code.
    assert bool(told(raw)) is (path != ("sequence", 2))
