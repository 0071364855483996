"""The least that loses nothing: a SQLite table in WAL with an fsync a commit, and paho.

A window of 100; what is acknowledged is deleted 200 at a time.
"""

import os
import sqlite3
import threading
import time
from collections import deque
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from saf.events import body

WINDOW, READ_AT_ONCE, DELETE_AT_ONCE = 100, 500, 200
TOPIC = os.environ["SAF_TOPIC"]

connected, acknowledged = threading.Event(), threading.Event()
acknowledged_mids: deque[int] = deque()


def opened() -> sqlite3.Connection:
    """Return a connection of this thread's own."""
    path = Path(os.environ["SAF_DIR"]) / "outbox.db"
    connection = sqlite3.connect(path, isolation_level=None, timeout=30.0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, body BLOB)")
    return connection


def note(_client: object, _userdata: object, mid: int, *_: object) -> None:
    """Only note it: paho holds its lock here, and waits for whoever waits for that."""
    acknowledged_mids.append(mid)
    acknowledged.set()


def forward() -> None:
    """Bring the table to the centre, for ever."""
    table = opened()
    read: deque[tuple[int, bytes]] = deque()
    in_flight: dict[int, int] = {}
    done: list[tuple[int]] = []
    last = 0
    while True:
        connected.wait()
        if not read:
            query = "SELECT id, body FROM event WHERE id > ? ORDER BY id LIMIT ?"
            read.extend(table.execute(query, (last, READ_AT_ONCE)).fetchall())
            last = read[-1][0] if read else last
        while read and len(in_flight) < WINDOW:
            row, payload = read.popleft()
            in_flight[client.publish(TOPIC, payload, qos=1).mid] = row
        if not acknowledged_mids:
            acknowledged.wait(0.05)
        acknowledged.clear()
        while acknowledged_mids:
            done.append((in_flight.pop(acknowledged_mids.popleft()),))
        if len(done) >= DELETE_AT_ONCE or (done and not in_flight):
            table.execute("BEGIN IMMEDIATE")
            table.executemany("DELETE FROM event WHERE id = ?", done)
            table.execute("COMMIT")
            done.clear()


events = int(os.environ["SAF_N"])
journal = opened()
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="edge", clean_session=False)
client.max_inflight_messages_set(WINDOW)
client.reconnect_delay_set(1, 2)
client.on_connect = lambda *_: connected.set()
client.on_disconnect = lambda *_: connected.clear()
client.on_publish = note
client.connect_async(os.environ["SAF_HOST"], int(os.environ["SAF_PORT"]))
client.loop_start()
threading.Thread(target=forward, daemon=True).start()
print("READY", flush=True)
for number in range(events):
    journal.execute("INSERT INTO event (body) VALUES (?)", (body(number),))
if events:
    print("ACCEPTED", events, flush=True)
while True:
    time.sleep(3600)
