"""Whatever the document, it is settings or a list of complaints, and never anything else."""

import tomllib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from gatepost_config.load import ConfigError, parse
from gatepost_config.settings import Settings

KEYS = {section.name: [f.name for f in fields(section.type)] for section in fields(Settings)}

scalars = (
    st.booleans()
    | st.integers()
    | st.integers(0, 60)
    | st.floats()
    | st.floats(0, 60)
    | st.text(max_size=8)
    | st.sampled_from(["5", "north-1", "/run", "mqtt.example.org", "a\n", "/\0"])
    | st.datetimes()
    | st.dates()
    | st.times()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def known(section):
    keys = st.sampled_from(KEYS[section]) | st.text(max_size=8)
    return st.dictionaries(keys, values, max_size=4)


# Mostly what might have been meant: known sections with known keys, and whatever else besides.
meant = st.fixed_dictionaries({}, optional={name: known(name) | values for name in KEYS})
documents = st.builds(
    lambda named, other: {**other, **named},
    meant,
    st.dictionaries(st.text(max_size=8), values, max_size=2),
)


def outcome(document, **more):
    """Return the settings or the problems; any other exception is a failure of the test."""
    try:
        return parse(document, path=Path("gate.toml"), **more)
    except ConfigError as error:
        return error.problems


@settings(max_examples=400, deadline=None)
@given(documents)
def test_any_document_is_settings_or_at_least_one_complaint(document):
    result = outcome(document)
    assert isinstance(result, Settings) or (
        len(result) > 0 and all(problem.startswith("gate.toml: ") for problem in result)
    )


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_one_setting_more_is_taken_or_is_the_one_complaint(data, least_text):
    section = data.draw(st.sampled_from(sorted(KEYS)))
    key, value = data.draw(st.sampled_from(KEYS[section])), data.draw(values)
    document = tomllib.loads(least_text)
    document[section] = {**document.get(section, {}), key: value}
    result = outcome(document)
    assert isinstance(result, Settings) or len(result) == 1


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_may_stand_beside_a_bad_document(text):
    # The text only lends its line numbers.
    assert len(outcome({"gate": {"site": "A"}}, text=text)) == 3
