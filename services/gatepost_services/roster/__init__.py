"""The roster: which passes exist, and what category of person each one stands for.

A member is an opaque subject id and a category: the gate needs no names, and what it does not hold
nobody can take from it. Somebody may have a second pass for the same subject, marked `duress`, to
show under threat: it opens as any other, and tells silently.

One SQLite file, changed by one process at a time (`sync.taking`, or `gatepost roster import`) and
read by the gate, which follows without a restart:

* `rows`: what is kept of a pass, and the digest over all of them that a server can compare;
* `key`: the site's key, without which the file opens nothing;
* `schema`: the tables; `writer`: whole rosters, deltas, erasure; `reader`: the look-ups;
* `documents`, with `gathering`, `csv_text` and `json_text`: the files that come and go;
* `comparing`: what differs.
"""

from gatepost_services.roster.key import RosterKey
from gatepost_services.roster.reader import Roster
from gatepost_services.roster.rows import Member, Person, RosterError, Row
from gatepost_services.roster.schema import DamagedError, State

__all__ = ["DamagedError", "Member", "Person", "Roster", "RosterError", "RosterKey", "Row", "State"]
