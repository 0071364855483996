"""From the rows of a list to the settings of each gate: all of them, or what is wrong with any."""

import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec

from gatepost.provision import columns, wifi
from gatepost.provision.sites import Row, Sheet
from gatepost.provision.toml_text import as_toml
from gatepost.wiring.order_in_force import check_order
from gatepost.wiring.thermometer import check_part
from gatepost_config.load import ConfigError, parse
from gatepost_config.settings import NOTHING, Pins, Settings
from gatepost_services.pki.errors import PkiError
from gatepost_services.pki.est_client import Server
from gatepost_services.pki.profiles import gate_name
from gatepost_services.pki.tokens import Token

# A settings file as parsed: sections of keys.
Document: TypeAlias = dict[str, dict[str, object]]
_WHERE = re.compile(r"\[(\w+)\](?: (\w+))?")
_LINE = re.compile(r".*?:([0-9]+): ")
_MOST_HOSTNAME_CHARACTERS = 63
# Of the wired gates nobody asks a country.
_NO_COUNTRY = "00"


@dataclass(frozen=True, slots=True)
class Plan:
    """One gate's folder, before anything of it is written.

    `document` is what template and row say. `wifi_key` and `token` are secret; `token` is empty
    where the authority is to make one, or where there is none.
    """

    row: Row
    settings: Settings
    document: Document
    wifi_name: str
    wifi_key: str
    wifi_country: str
    token: str
    enrol_url: str

    @property
    def name(self) -> str:
        """The gate's folder, and its name in the network."""
        return f"{self.settings.gate.site}-{self.settings.gate.name}"


class Planner:
    """Makes plans of rows, and gathers what is wrong.

    Args:
        template: settings of all gates, and its path for messages; None where there is none.
        passwords: of Wi-Fis, by name.
        password: of each Wi-Fi that is not among them, "" for none.
        site: whose authority makes the tokens, None where none does.
        enrol_url: where gates enrol whose row does not say; "" where that is not said either.
    """

    def __init__(
        self,
        *,
        template: tuple[Path, Document] | None = None,
        passwords: Mapping[str, str] | None = None,
        password: str = "",
        site: str | None = None,
        enrol_url: str = "",
    ) -> None:
        self._template_path = template[0] if template else None
        self._template: Document = template[1] if template else {}
        self._passwords, self._password = passwords or {}, password
        self._site, self._enrol_url = site, enrol_url
        self._keys: dict[str, str] = {}
        self._problems: list[str] = []
        self._says_enrol = False

    def plans(self, sheet: Sheet) -> list[Plan]:
        """Return a plan for each row.

        Raises:
            ConfigError: with everything that is wrong with the list, the template or a password.
        """
        self._problems = list(sheet.problems)
        self._says_enrol = any(columns.ENROL in row.cells for row in sheet.rows)
        plans = [plan for row in sheet.rows if (plan := self._plan(row)) is not None]
        self._check_twice(sheet.rows)
        if self._problems:
            raise ConfigError(sorted(dict.fromkeys(self._problems), key=_line_of))
        return plans

    def _plan(self, row: Row) -> Plan | None:
        before = len(self._problems)
        document, said = self._document(row)
        settings = self._settings(row, document, said)
        name = self._wifi_name(row)
        country = row.cells.get(columns.COUNTRY, _NO_COUNTRY)
        token, url = self._token(row)
        if settings is None or len(self._problems) > before:
            return None
        key = self._keys.get(name, "")
        return Plan(row, settings, document, name, key, country, token, url)

    def _tell(self, row: Row, column: str, what: str) -> None:
        self._problems.append(row.problem(column, what))

    # ---------------------------------------------------------------------------------- settings

    def _document(self, row: Row) -> tuple[Document, dict[columns.Key, str]]:
        """Return what template and row say together, and which column said what of it."""
        document = deepcopy(self._template)
        said: dict[columns.Key, str] = {}
        values: list[tuple[columns.Key, str, object]] = []
        for column, text in row.cells.items():
            key = columns.key_of(column)
            if key is not None:
                values.append((key, column, columns.value_of(key, text)))
        if columns.PINS in row.cells:
            pins = columns.pins_of(row.cells[columns.PINS])
            if pins is None:
                self._tell(row, columns.PINS, f"must be {columns.PIN_FORM}.")
            values += [(("pins", name), columns.PINS, pin) for name, pin in (pins or {}).items()]
        for (section, name), column, value in values:
            if (section, name) in said:
                other = said[section, name]
                self._tell(row, column, f"says [{section}] {name}, as {other} does; empty one.")
            said[section, name] = column
            content = document.setdefault(section, {})
            # A template may be wrong in any way; the loader says so.
            if isinstance(content, dict):
                content[name] = value
        return document, said

    def _settings(
        self, row: Row, document: Document, said: Mapping[columns.Key, str]
    ) -> Settings | None:
        place = Path(row.place)
        try:
            settings = parse(dict(document), path=place)
            check_part(settings, place)
            if settings.regime.site == NOTHING and not settings.regime.name.startswith("/"):
                check_order(settings)
            gate_name(settings.gate.site, settings.gate.name)
        except ConfigError as error:
            self._problems += [self._explained(row, said, each) for each in error.problems]
            return None
        except PkiError as error:
            self._tell(row, columns.GATE, str(error))
            return None
        name = f"{settings.gate.site}-{settings.gate.name}"
        if len(name) > _MOST_HOSTNAME_CHARACTERS:
            self._tell(row, columns.GATE, f"{name} is {len(name)} signs; a computer's name has 63.")
        return settings

    def _explained(self, row: Row, said: Mapping[columns.Key, str], problem: str) -> str:
        """Return a problem that the loader tells, with the place where it was written."""
        what = problem.removeprefix(f"{row.place}: ")
        found = _WHERE.search(what)
        section, key = (found[1], found[2]) if found else ("", "")
        column = said.get((section, key)) or _named(what, section, said)
        if column is not None:
            return f"{row.place}: column {column}: {what}"
        is_here = key in self._template.get(section, {}) if key else section in self._template
        if is_here and self._template_path is not None:
            return f"{self._template_path}: {what}"
        if " is missing" in what:
            column = columns.required_of(section)
            return f"{row.place}: column {column}: {what} Write it there, or in the template."
        return f"{row.place}: {what}"

    def _check_twice(self, rows: list[Row]) -> None:
        first: dict[str, Row] = {}
        for row in rows:
            site, gate = row.cells[columns.SITE], row.cells[columns.GATE]
            other = first.setdefault(f"{site}-{gate}", row)
            if other is row:
                continue
            if other.cells[columns.SITE] == site:
                self._tell(row, columns.GATE, f"{site} has it in line {other.line}; each once.")
            else:
                self._tell(
                    row,
                    columns.GATE,
                    f"its folder and computer would be {site}-{gate}, as of line {other.line}; name"
                    " one of them otherwise.",
                )

    # ------------------------------------------------------------------------- network and token

    def _wifi_name(self, row: Row) -> str:
        name = wifi.name_of(row.cells[columns.NETWORK])
        if name is None:
            self._tell(row, columns.NETWORK, "must be wired, or wifi:NAME, at most 32 bytes.")
            return ""
        if not name:
            return ""
        country = row.cells.get(columns.COUNTRY)
        if country is None:
            what = "is empty; the radio needs it: two capitals, as CN or DE."
            self._problems.append(f"{row.place}: column {columns.COUNTRY}: {what}")
        elif not wifi.COUNTRY_FORM.match(country):
            self._tell(row, columns.COUNTRY, "must be two capitals, as CN or DE.")
        if name in self._keys:
            return name
        password = self._passwords.get(name, self._password)
        if not password:
            self._tell(
                row,
                columns.NETWORK,
                f"its password is not known; put it into the file of --wifi-passwords, or into the"
                f" environment as {wifi.ENVIRONMENT}.",
            )
            return name
        try:
            self._keys[name] = wifi.key_of(name, password)
        except ValueError as error:
            self._tell(row, columns.NETWORK, f"{error}.")
        return name

    def _token(self, row: Row) -> tuple[str, str]:
        token = row.cells.get(columns.TOKEN, "")
        url = row.cells.get(columns.ENROL, "") or self._enrol_url
        has_token = bool(token) or self._site is not None
        if token:
            try:
                Token.parse(token)
            except PkiError as error:
                self._tell(row, columns.TOKEN, f"{error}.")
            if self._site is not None:
                self._tell(row, columns.TOKEN, "--pki makes one; empty it, or leave --pki out.")
        if self._site is not None and row.cells[columns.SITE] != self._site:
            self._tell(
                row,
                columns.SITE,
                f"the authority of --pki is of site {self._site}; a list for each site.",
            )
        if has_token and not url:
            # Of a whole list without addresses it is told once.
            place = f"{row.place}: " if self._says_enrol else ""
            self._problems.append(
                f"{place}column {columns.ENROL}: is empty; a token needs the server that it is good"
                " for: https://HOST:PORT there, or with --enrol."
            )
        elif url and not has_token:
            self._problems.append(
                f"{row.place}: column {columns.ENROL} = {url!r}: there is no token for it; add"
                " --pki FOLDER, or a column token."
            )
        elif url:
            self._check_url(row, url)
        return token, url

    def _check_url(self, row: Row, url: str) -> None:
        try:
            Server.of_url(url)
        except PkiError as error:
            self._problems.append(f"{row.place}: column {columns.ENROL}: {error}.")


def _named(problem: str, section: str, said: Mapping[columns.Key, str]) -> str | None:
    """Return the column of another setting of the section that a problem speaks of."""
    words = set(re.findall(r"\w+", problem))
    return next(
        (column for key, column in said.items() if key[0] == section and key[1] in words), None
    )


def _line_of(problem: str) -> int:
    found = _LINE.match(problem)
    return int(found[1]) if found else 0


def read_template(path: Path) -> Document:
    """Return what a template says. Whether it is right, each gate's settings show.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}."]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: not TOML: {error}."]) from None
    problems = [
        f"{path}: [{name}]: must be a section of settings, not {content!r}."
        for name, content in document.items()
        if not isinstance(content, dict)
    ]
    if problems:
        raise ConfigError(problems)
    return document


def settings_text(plan: Plan, source: str) -> str:
    """Return the gate's gatepost.toml: what template and row say, and nothing else.

    `source`: where it is from, for whoever reads it.
    """
    order = [field.name for field in msgspec.structs.fields(Settings)]
    sections = {name: plan.document[name] for name in order if plan.document.get(name)}
    head = (
        f"# Gate {plan.settings.gate.name} of site {plan.settings.gate.site}, made by gatepost"
        f" provision from {source}.\n# What is not here has its default.\n\n"
    )
    return head + as_toml(sections)


def pins_of(settings: Settings) -> list[tuple[str, int]]:
    """Return the lines that are wired, by name."""
    lines = [(name, getattr(settings.pins, name)) for name in Pins.__struct_fields__]
    return [(name, line) for name, line in lines if isinstance(line, int) and line]
