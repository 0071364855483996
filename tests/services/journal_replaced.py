"""A journal of twelve events, what is left of it, and what must hold of the one in its place."""

import shutil

from gatepost_services.journal.opening import open_journal
from gatepost_services.journal.witness import witness_path
from gatepost_services.record import EventClass

from .journal_files import SEALER, assert_sound, contents, entry, family, opened, stamp

DELIVERED = 3
ALL = set(range(1, 13))


def start(path, delivered_seq=DELIVERED, **keywords):
    """Open it as the gate does, write one event and close; return what was said of it."""
    found = open_journal(
        path, SEALER, delivered_seq=delivered_seq, stamp=stamp, clock=lambda: 0.0, **keywords
    )
    with found.journal as journal:
        journal.append([entry(777)])
    return found


def written(path, *, is_running=False):
    """Leave a journal of twelve events, of which three are delivered; killed where it `is_running`.

    The last four are in the -wal alone.
    """
    with opened(path) as journal:
        journal.append([entry(n, EventClass(n % 4)) for n in range(1, 9)])
    journal = opened(path)
    journal._connection.execute("PRAGMA wal_autocheckpoint = 0")
    journal.append([entry(n, EventClass(n % 4)) for n in range(9, 13)])
    if is_running:
        copy = path.with_name("copy")
        for file in [*family(path), witness_path(path)]:
            shutil.copy(file, file.with_name(file.name.replace(path.name, copy.name)))
        journal.close()
        for file in [*family(copy), witness_path(copy)]:
            file.rename(file.with_name(file.name.replace(copy.name, path.name)))
    else:
        journal.close()
    return contents(path) if not is_running else None


def claims(path, delivered_seq=DELIVERED):
    """Claim what holds after each replacement; return what is there."""
    file = assert_sound(path)
    there = {seq for seq in file.seqs if seq in ALL}
    undelivered = {seq for seq in ALL if seq > delivered_seq}
    # Each undelivered event is there, or told of; none is both.
    assert undelivered <= there | file.told_gone
    assert not there & file.told_gone
    first_new = min(seq for seq in file.seqs if seq not in ALL)
    assert first_new > max(ALL)
    # No number is without an event or a word, from the first undelivered on.
    assert set(range(max(ALL) + 1, file.state.last_seq)) <= {*file.seqs} | file.told_gone
    return file
