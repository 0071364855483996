"""Every type of event with what its data hold: the register of the schemas.

One `Data` for each type, in a module of its family; the class and the version of a type stand in
`classes`, which the gate reads as well. Nothing here is imported by a process of the gate.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import NamedTuple, TypeVar

import msgspec

from gatepost_services.contract.classes import CLASS_OF, schema_urn, version_of
from gatepost_services.record import EventClass, JsonValue

_FAMILIES = ("visits", "passages", "lane", "people", "machine", "orders", "books")


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an event carries. A member is required unless it may be left out (`Unset`)."""


class EventSchema(NamedTuple):
    """One type of event, by its name without "gatepost."; `data` is what it holds."""

    name: str
    event_class: EventClass
    version: int
    urn: str
    description: str
    data: type[Data]


class SchemaError(ValueError):
    """Data that are not what the contract says of their type. Names the type and the member."""


_D = TypeVar("_D", bound=type[Data])
_defined: dict[str, type[Data]] = {}


def event(*types: str) -> Callable[[_D], _D]:
    """Say of which types a class is the data.

    Raises:
        ValueError: a type is unknown to `classes`, or defined already.
    """

    def define(data: _D) -> _D:
        for type_ in types:
            if type_ in _defined or type_ not in CLASS_OF:
                raise ValueError(f"{type_}: defined twice, or without a class in contract/classes")
            _defined[type_] = data
        return data

    return define


@cache
def schemas() -> Mapping[str, EventSchema]:
    """Return every type of the contract by its name without the prefix, in the table's order.

    Raises:
        ValueError: a type that `classes` has is defined nowhere.
    """
    for family in _FAMILIES:
        import_module(f"gatepost_services.contract.{family}")
    missing = CLASS_OF.keys() - _defined.keys()
    if missing:
        raise ValueError(f"{', '.join(sorted(missing))}: in contract/classes, and defined nowhere")
    return {type_: _schema_of(type_, _defined[type_]) for type_ in CLASS_OF}


def _schema_of(type_: str, data: type[Data]) -> EventSchema:
    urn = schema_urn(type_)
    if urn is None:
        raise ValueError(f"{type_}: no type of the contract")
    description = " ".join((data.__doc__ or "").split())
    return EventSchema(type_, CLASS_OF[type_], version_of(type_), urn, description, data)


def check(type_: str, data: Mapping[str, JsonValue] | bytes) -> Data:
    """Return the data of an event, typed.

    Args:
        type_: without the prefix "gatepost.".
        data: as an entry has them, or as JSON.

    Raises:
        SchemaError: no type of the contract, or data that are not what it says.
    """
    schema = schemas().get(type_)
    if schema is None:
        raise SchemaError(f"{type_}: no type of the contract; see contract/classes.py")
    text = data if isinstance(data, bytes) else _encode(data)
    try:
        return msgspec.json.decode(text, type=schema.data)
    except msgspec.ValidationError as error:
        raise SchemaError(f"{type_}: {error}") from error


def _plain(value: object) -> dict[str, JsonValue]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
