"""A mosquitto beside the app, bridged to the centre: what a Pi usually runs.

    mosquitto_bridge.py default|best [EVENTS A SECOND]

Accepted is what the local broker has acknowledged.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from saf.events import body

IN_FLIGHT = 100
ACCEPT_TIMEOUT_S = 230.0
PACED_BY = 20  # events
BEST = """max_queued_messages 0
autosave_interval 1
max_inflight_messages 100
set_tcp_nodelay true
"""


def start_broker(folder: Path, port: int, mode: str) -> None:
    """Run the local broker; it ends with our session."""
    store = folder / "mosquitto"
    store.mkdir(exist_ok=True)
    is_quick = mode == "best" or os.environ.get("SAF_FAST_RECONNECT") == "1"
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_type none\n"
        + ("user root\n" if os.geteuid() == 0 else "")
        + f"persistence true\npersistence_location {store}/\n"
        + (BEST if mode == "best" else "")
        + f"connection up\naddress {os.environ['SAF_HOST']}:{os.environ['SAF_PORT']}\n"
        f"topic {os.environ['SAF_TOPIC']} out 1\nremote_clientid edge\n"
        + ("restart_timeout 1 2\n" if is_quick else "")
    )
    binary = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if binary is None:
        raise SystemExit("no mosquitto")
    subprocess.Popen([binary, "-c", str(config)], stdout=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.01)
        else:
            return


def accept(port: int, events: int, a_second: float) -> int:
    """Hand `events` to the local broker; return how many it acknowledged."""
    acknowledged = 0
    all_done = threading.Event()

    def count(*_: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if acknowledged == events:
            all_done.set()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="app")
    client.max_inflight_messages_set(IN_FLIGHT)
    client.on_publish = count
    client.connect("127.0.0.1", port)
    client.loop_start()
    began_s = time.monotonic()
    for number in range(events):
        if a_second and number % PACED_BY == 0:
            time.sleep(max(0.0, began_s + number / a_second - time.monotonic()))
        client.publish(os.environ["SAF_TOPIC"], body(number), qos=1)
    all_done.wait(ACCEPT_TIMEOUT_S)
    return acknowledged


def main() -> None:
    events, port = int(os.environ["SAF_N"]), int(os.environ["SAF_LOCAL_PORT"])
    start_broker(Path(os.environ["SAF_DIR"]), port, sys.argv[1])
    print("READY", flush=True)
    if events:
        a_second = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
        print("ACCEPTED", accept(port, events, a_second), flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
