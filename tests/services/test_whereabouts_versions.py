"""A file of an older version is taken over, with all that it knew."""

import sqlite3

import pytest

from gatepost_services.whereabouts import APPLICATION_ID, SCHEMA_VERSION, Row, Whereabouts

_OF_1 = """
    CREATE TABLE whereabouts (
        subject TEXT PRIMARY KEY, place TEXT NOT NULL, boot_id TEXT NOT NULL, at_s REAL NOT NULL,
        utc_s REAL NOT NULL, entered_boot_id TEXT, entered_at_s REAL, entered_utc_s REAL
    ) STRICT, WITHOUT ROWID
"""
_SINCE_2 = "ALTER TABLE whereabouts ADD COLUMN left_utc_s REAL"


@pytest.mark.parametrize(("version", "left_utc_s"), [(1, None), (2, 70.0)])
def test_what_an_older_version_knew_is_known(tmp_path, version, left_utc_s):
    path = tmp_path / "whereabouts.db"
    with sqlite3.connect(path) as old:
        old.execute(_OF_1)
        if version > 1:
            old.execute(_SINCE_2)
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute(f"PRAGMA user_version = {version}")
        values = ["anna", "outside", "b", 1.0, 60.0, "b", 0.5, 50.0, left_utc_s][: 7 + version]
        marks = ", ".join("?" * len(values))
        old.execute(f"INSERT INTO whereabouts VALUES ({marks})", values)  # noqa: S608
    old.close()
    row = Row("anna", "outside", "b", 1.0, 60.0, "b", 0.5, 50.0, left_utc_s)
    new = row._replace(subject="c-1", category="works", household="h9")
    whereabouts = Whereabouts.open(path)
    assert whereabouts.set_aside is None
    assert whereabouts.all() == {"anna": row}
    whereabouts.note(new)
    whereabouts.close()
    again = Whereabouts.open(path)
    assert again.all() == {"anna": row, "c-1": new}
    again.close()
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    file.close()
