"""paho-mqtt with its own queue in memory and nothing on disk."""

import os
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from saf.events import body

IN_FLIGHT = 100

events = int(os.environ["SAF_N"])
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="edge", clean_session=False)
client.max_inflight_messages_set(IN_FLIGHT)
client.max_queued_messages_set(0)
client.reconnect_delay_set(1, 2)
client.connect_async(os.environ["SAF_HOST"], int(os.environ["SAF_PORT"]))
client.loop_start()
print("READY", flush=True)
for number in range(events):
    client.publish(os.environ["SAF_TOPIC"], body(number), qos=1)
if events:
    print("ACCEPTED", events, flush=True)
while True:
    time.sleep(3600)
