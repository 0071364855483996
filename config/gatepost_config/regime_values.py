"""What is wrong with a value of a regime file, in words, and all of it at once.

It walks the types of `regime_file`; what a single value may be stands there and nowhere else.
"""

import difflib
import types
from collections.abc import Iterable, Iterator
from datetime import date, time
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import inspect as mi

from gatepost_config.link_settings import NAME_FORM
from gatepost_config.regime_file import PROMPT_FORM, RULE_FORM
from gatepost_config.terms import Category, Check, Finding

_UNITS = {
    "_c": "degrees Celsius",
    "_hours": "hours",
    "_days": "days",
    "works_inside": "people",
    "capacity": "people",
}
_FORMS = {
    NAME_FORM: "a name of a-z, 0-9 and '-', in quotes",
    RULE_FORM: 'a rule such as "R001", or "ours"',
    PROMPT_FORM: 'the key of a prompt, such as "see_doctor"',
}
_PLAIN: dict[type[mi.Type], str] = {
    mi.BoolType: "true or false",
    mi.DateTimeType: "a date and time such as 2022-04-01T00:00:00, without quotes",
    mi.StrType: "a text in quotes",
}
_OUTCOMES = ("may", "then")  # of a row, and of a finding
_NOUNS: dict[object, str] = {Category: "category", Check: "check", Finding: "finding"}


class Wrong(NamedTuple):
    """A problem: the keys that lead to it, and the rest of the sentence that they begin."""

    path: tuple[str, ...]
    words: str


def wrong(kind: Any, value: object, path: tuple[str, ...] = ()) -> Iterator[Wrong]:
    """Yield all that is wrong with a value of one of the types of a regime file."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(bare) is dict:
        yield from _of_dict(bare, value, path)
    elif isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        yield from _of_struct(bare, value, path)
    elif get_origin(bare) is list and isinstance(value, list) and value:
        (item,) = get_args(bare)
        for element in value:
            if not _accepts(item, element):
                yield Wrong(path, f": {_written(element)}: {_remedy(item, element, '')}")
    elif not _accepts(kind, value):
        key = path[-1] if path else ""
        yield Wrong(path, f" = {_written(value)}: {_remedy(kind, value, key)}")


def hint(name: object, known: Iterable[str]) -> str:
    """Return what was probably meant, or all that there is."""
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}."


def _of_dict(kind: Any, value: object, path: tuple[str, ...]) -> Iterator[Wrong]:
    if not isinstance(value, dict):
        yield Wrong(path, " must be a table.")
        return
    keys, contents = get_args(kind)
    for key, content in value.items():
        if keys in _NOUNS and key not in get_args(keys):
            yield Wrong((*path, key), f": {_remedy(keys, key, key)}")
        else:
            yield from wrong(contents, content, (*path, key))


def _of_struct(kind: type, value: object, path: tuple[str, ...]) -> Iterator[Wrong]:
    if not isinstance(value, dict):
        yield Wrong(path, " must be a table.")
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, content in value.items():
        if key in fields:
            yield from wrong(fields[key].type, content, (*path, key))
        else:
            yield Wrong((*path, key), f": no such key; {hint(key, fields)}")
    for key, field in fields.items():
        if field.required and key not in value:
            yield Wrong((*path, key), f" is missing; it must be {_allowed(field.type, key)}.")


def _written(value: object) -> str:
    """Return a value as the file has it; Python's own form of a date would say nothing."""
    return value.isoformat() if isinstance(value, date | time) else repr(value)


def _accepts(kind: Any, value: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _remedy(kind: Any, value: object, key: str) -> str:
    if kind in _NOUNS and isinstance(value, str):
        return f"no such {_NOUNS[kind]}; {hint(value, get_args(kind))}"
    return f"must be {_allowed(kind, key)}."


def _range(info: mi.IntType | mi.FloatType, key: str) -> str:
    noun = "a whole number" if isinstance(info, mi.IntType) else "a number"
    unit = next((f" of {unit}" for end, unit in _UNITS.items() if key.endswith(end)), "")
    least = f"above {info.gt}" if info.ge is None else f"from {info.ge}"
    return f"{noun}{unit} {least} to {info.le}, without quotes or a unit"


def _allowed(kind: Any, key: str) -> str:
    """Return in words what a value may be: its type, unit and range."""
    if get_origin(kind) is types.UnionType or get_origin(kind) is Union:
        kind = next(part for part in get_args(kind) if part is not type(None))
    if kind in _NOUNS:
        return f"the name of a {_NOUNS[kind]}, in quotes"
    if key in _OUTCOMES:
        return "an outcome or a named choice, in quotes"
    info = mi.type_info(kind)
    match info:
        case mi.IntType() | mi.FloatType():
            return _range(info, key)
        case mi.LiteralType():
            return f"one of {', '.join(map(str, info.values))}"
        case mi.ListType():
            return "a list in [ ] with something in it" if info.min_length else "a list in [ ]"
        case mi.StrType(pattern=str(form)):
            return _FORMS[form]
        case mi.StrType(min_length=int(least), max_length=int(most)):
            return f"a text of {least} to {most} characters, in quotes"
        case _:
            return _PLAIN[type(info)]
