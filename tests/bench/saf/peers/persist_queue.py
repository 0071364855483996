"""persist-queue's SQLiteAckQueue and paho, as tutorials do it: get, publish, wait, ack."""

import os
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import persistqueue  # type: ignore[import-not-found]
from paho.mqtt.enums import CallbackAPIVersion
from saf.events import body

ACK_TIMEOUT_S = 10.0
CLEAR_EACH = 1000

events = int(os.environ["SAF_N"])
queue = persistqueue.SQLiteAckQueue(str(Path(os.environ["SAF_DIR"]) / "queue"), multithreading=True)
connected = threading.Event()


def forward() -> None:
    """Bring one event after another to the centre, for ever."""
    forwarded = 0
    while True:
        connected.wait()
        item = queue.get()
        try:
            sent = client.publish(os.environ["SAF_TOPIC"], item, qos=1)
            sent.wait_for_publish(ACK_TIMEOUT_S)
            is_there = sent.is_published()
        except (RuntimeError, ValueError):
            is_there = False
        (queue.ack if is_there else queue.nack)(item)
        forwarded += 1
        if forwarded % CLEAR_EACH == 0:
            queue.clear_acked_data(keep_latest=0, max_delete=100_000)


client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="edge", clean_session=False)
client.on_connect = lambda *_: connected.set()
client.on_disconnect = lambda *_: connected.clear()
client.reconnect_delay_set(1, 2)
client.connect_async(os.environ["SAF_HOST"], int(os.environ["SAF_PORT"]))
client.loop_start()
threading.Thread(target=forward, daemon=True).start()
print("READY", flush=True)
for number in range(events):
    queue.put(body(number))
if events:
    print("ACCEPTED", events, flush=True)
while True:
    time.sleep(3600)
