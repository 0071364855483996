"""Any settings that each by itself are allowed, for tests with hypothesis."""

from hypothesis import strategies as st
from msgspec import inspect as mi

from gatepost_config.reference import entries, kind_of

# All that TOML may hold: no surrogates, and what terminals and editors stumble over.
LETTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
    '"\\\n\r\t\x1b\x7f\x85\u202e#=[]'
)


def value_of(entry):
    """Return a strategy for the values of one setting, as they stand in a document."""
    match kind_of(entry):
        case mi.IntType(ge=least, le=most):
            return st.integers(least, most)
        case mi.FloatType(ge=least, le=most):
            return st.floats(least, most) | st.sampled_from([least, most])
        case mi.BoolType():
            return st.booleans()
        case mi.LiteralType(values=values):
            return st.sampled_from(list(values))
        case mi.StrType(pattern=str(form)):
            return st.from_regex(form)
        case mi.StrType(min_length=least, max_length=most):
            return st.text(LETTERS, min_size=least, max_size=min(most, 30))
        case _:
            return st.text(LETTERS, max_size=30).map(lambda rest: f"/{rest.replace(chr(0), '')}")


def _document(chosen):
    document = {}
    for name, value in chosen.items():
        section, _, key = name.partition(".")
        document.setdefault(section, {})[key] = value
    return document


REQUIRED = ("gate.site", "gate.name", "link.broker_host")
documents = st.fixed_dictionaries(
    {name: value_of(entries()[name]) for name in REQUIRED},
    optional={name: value_of(each) for name, each in entries().items() if name not in REQUIRED},
).map(_document)
