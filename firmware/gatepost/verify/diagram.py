"""What the table says, as Markdown for people: priorities, states, a picture, records.

`firmware/README.md` holds it between two markers; a test says when that is not what the table says.
"""

from collections.abc import Iterable, Iterator

from gatepost.core.signals import SIGNALS, Signal
from gatepost.core.states import MODES, OUTPUTS, Output, State, Trigger
from gatepost.core.table import TABLE
from gatepost.verify.meanings import RECORDS, STATES

BEGIN = "<!-- begin: gatepost verify --diagram -->"
END = "<!-- end: gatepost verify --diagram -->"

_MODES = frozenset({mode.trigger for mode in MODES.values()} | {Trigger.NORMAL})
_ALARMS = frozenset({Trigger.FORCED, Trigger.TAILGATED, Trigger.WRONG_WAY})
# Not in the picture, but in the table under it: they may come in most of the states.
_FROM_MANY = (
    Trigger.FIRE,
    Trigger.EMERGENCY,
    Trigger.MAINTENANCE,
    Trigger.LOCKDOWN,
    Trigger.CLOSURE,
    Trigger.TAMPER,
    Trigger.FORCED,
    Trigger.TAILGATED,
    Trigger.WRONG_WAY,
    Trigger.EXIT_REQUESTED,
    Trigger.ENTRY_COMMANDED,
    Trigger.LEFT,
)
_OUTSIDE_THE_PICTURE = frozenset({mode.state for mode in MODES.values()}) | {
    State.TESTING,
    State.FORCED,
}


def as_markdown() -> str:
    """Return all of it."""
    parts = (
        ("What goes before what", _priorities()),
        ("The states", _states()),
        ("The way of one person", _picture()),
        ("From many states", _from_many()),
        ("The records", _records()),
    )
    return "\n".join("\n".join((f"### {title}", "", *lines, "")) for title, lines in parts)


def renewed(text: str) -> str:
    """Return a document with what is between its markers as it is to be.

    Raises:
        ValueError: it has not both markers, in this order.
    """
    return between(text, BEGIN, END, as_markdown())


def between(text: str, begin: str, end: str, content: str) -> str:
    """Return a document with the content between two markers.

    Raises:
        ValueError: it has not both markers, in this order.
    """
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"no {begin} with an {end} after it")
    return f"{head}{begin}\n\n{content}\n{end}{tail}"


def _table(header: str, rows: Iterable[str]) -> Iterator[str]:
    yield f"| {header} |"
    yield "|" + "---|" * (header.count("|") + 1)
    yield from (f"| {row} |" for row in rows)


def _priorities() -> Iterator[str]:
    yield "What stands further up goes first; each stands until its own end."
    yield ""
    yield from _table(
        "condition | state | record when it begins | record when it is over",
        (
            f"{_words(standing.name)} | {mode.state.name} | `{mode.begun}` | `{mode.over}`"
            for standing, mode in MODES.items()
        ),
    )


def _states() -> Iterator[str]:
    return _table(
        "state | what it means | lamps and sound | free | until",
        (
            f"{state.name} | {STATES[state]} | {_shown(output.signal)} | {_free(output)} | "
            f"{_until(output)}"
            for state, output in OUTPUTS.items()
        ),
    )


def _until(output: Output) -> str:
    return "what comes next" if output.until is None else f"`{output.until.name}` is over"


def _free(output: Output) -> str:
    return " and ".join(sorted(way.value for way in output.releases)) or "-"


def _shown(signal: Signal) -> str:
    pattern = SIGNALS[signal]
    lamps = " and ".join(sorted(lamp.value for lamp in pattern.lamps)) or "dark"
    blinking = f", blinking every {pattern.blink_s} s" if pattern.blink_s else ""
    tones_s = pattern.buzzer_s[::2]
    sound = "silent"
    if tones_s:
        sound = " and ".join(f"{tone_s} s" for tone_s in tones_s)
        if len(tones_s) > 1 and len(set(tones_s)) == 1:
            sound = f"{tones_s[0]} s, {len(tones_s)} times"
        sound += ", again and again" if pattern.repeat else ""
    return f"{lamps}{blinking}; {sound}"


def _picture() -> Iterator[str]:
    """Yield the usual way, without what may come at most times."""
    edges: dict[tuple[State, State], list[str]] = {}
    for state, row in TABLE.items():
        for trigger, step in row.steps.items():
            is_usual = trigger not in _FROM_MANY and trigger not in _MODES
            ends = {state, step.to}
            if is_usual and step.to is not state and not ends & _OUTSIDE_THE_PICTURE:
                edges.setdefault((state, step.to), []).append(_words(trigger.name))
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    [*] --> IDLE"
    yield f"    IDLE --> LEAVING: {_words(Trigger.EXIT_REQUESTED.name)}"
    for (state, to), words in edges.items():
        yield f"    {state.name} --> {to.name}: {' or '.join(words)}"
    yield "```"


def _from_many() -> Iterator[str]:
    return _table("what comes | in | leads to", (_row_of(trigger) for trigger in _FROM_MANY))


def _row_of(trigger: Trigger) -> str:
    steps = {state: row.steps[trigger] for state, row in TABLE.items() if trigger in row.steps}
    onward = {state: step.to for state, step in steps.items() if step.to is not state}
    to = sorted({state.name for state in onward.values()})
    # The mode that it leads to takes no notice of itself.
    others = [state.name for state in State if state not in onward and state.name not in to]
    places = ", ".join(state.name for state in onward)
    if not others:
        places = "every state"
    elif len(others) < len(onward):
        places = f"every state but {', '.join(others)}"
    return f"{_words(trigger.name)} | {places} | {', '.join(to)}"


def _records() -> Iterator[str]:
    return _table("record | says that", (f"`{type_}` | {RECORDS[type_]}" for type_ in RECORDS))


def recorded_types() -> set[str]:
    """Return every type of record that the table and the modes can leave."""
    steps = (step for row in TABLE.values() for step in row.steps.values())
    of_modes = {type_ for mode in MODES.values() for type_ in (mode.begun, mode.over)}
    return {type_ for step in steps for type_ in step.records} | of_modes


def _words(name: str) -> str:
    return name.lower().replace("_", " ")
