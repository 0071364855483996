"""Follows one gate and proves that nothing is missing. Needs paho-mqtt, and nothing of Gatepost.

Written from the AsyncAPI document alone (services/gatepost_services/contract/asyncapi.json); the
numbers in the comments are those of its description. Prints one line of JSON a finding:

    {"whole": 4711}          everything up to this number is here
    {"repeated": 4711}       came again, the same
    {"altered": [4710, 4711]}  one of these two was altered
    {"missing": [4712, 4713]}  from and through: late, or removed

    python follow.py --host broker.example.org --ca ca.pem --cert server.pem --key server.key \
        --site north --gate gate-1 --confirm
"""

import argparse
import contextlib
import hashlib
import json
import time

import paho.mqtt.client as mqtt

STREAMS = ("alarm", "live", "backlog", "replay")


class Proof:
    """What of one gate is here. `tell` takes each finding; `grace_s`: how late one may come."""

    def __init__(self, after, tell, grace_s):
        self.through = after  # N of the description
        self._hash = "0" * 64 if after == 0 else None  # None: not known, so not checked
        self._here = {}  # above N: number -> (previoushash, hash)
        self._seen = {}  # up to N, of the newest few: number -> hash
        self._absent = set()  # numbers of gap events
        self._tell, self._grace_s = tell, grace_s
        self._since_s = time.monotonic()
        self._is_told = False

    def take(self, payload):
        """Take an event as it came, in bytes."""
        event = json.loads(payload)
        number = int(event["sequence"])
        digest = hashlib.sha256(payload).hexdigest()  # 1
        if event["type"] == "gatepost.journal.withheld":  # 5
            digest = event["data"]["hash"]
        known = self._here[number][1] if number in self._here else self._seen.get(number)
        if number <= self.through or known is not None:  # 4
            if known in (None, digest):
                self._tell({"repeated": number})
            else:
                self._tell({"altered": [number, number]})
            return
        self._here[number] = event["previoushash"], digest
        if event["type"] == "gatepost.journal.gap":  # 6
            for first, last in event["data"]["ranges"]:
                self._absent.update(range(max(first, self.through + 1), last + 1))
        self._advance()

    def _advance(self):
        before = self.through
        while True:  # 2
            number = self.through + 1
            if number in self._here:
                previous, digest = self._here.pop(number)
                if self._hash not in (None, previous):  # 3
                    self._tell({"altered": [number - 1, number]})
                self._hash = digest
            elif number in self._absent:
                self._absent.discard(number)
                self._hash = None
            else:
                break
            self.through = number
            self._seen[number] = self._hash
            self._seen.pop(number - 10_000, None)
        if self.through > before:
            self._since_s, self._is_told = time.monotonic(), False
            self._tell({"whole": self.through})

    def look(self):
        """Tell what is missing below the highest number that is here, once it is late."""
        if self._here and not self._is_told and time.monotonic() - self._since_s > self._grace_s:
            self._is_told = True
            first = self.through + 1
            last = min(self._here) - 1
            self._tell({"missing": [first, last]})


def main():
    """Follow until somebody stops it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8883)
    parser.add_argument("--ca", help="who vouches for the broker; without it: plain TCP")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--site", required=True)
    parser.add_argument("--gate", required=True)
    parser.add_argument("--after", type=int, default=0, help="everything up to it is here already")
    parser.add_argument("--grace", type=float, default=30.0, help="seconds (default: 30)")
    parser.add_argument("--confirm", action="store_true", help="publish the watermark")
    args = parser.parse_args()
    prefix = f"gatepost/{args.site}/{args.gate}"

    name = f"follow-{args.site}-{args.gate}"
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)

    def tell(finding):
        print(json.dumps(finding), flush=True)
        if args.confirm and "whole" in finding:  # 6
            through = json.dumps({"through": finding["whole"]})
            client.publish(f"{prefix}/watermark", through, qos=1, retain=True)

    proof = Proof(args.after, tell, args.grace)

    def on_connect(*_):
        client.subscribe([(f"{prefix}/event/{stream}", 1) for stream in STREAMS])

    def on_message(_client, _userdata, message):
        if message.payload == b"{}":  # 8
            return
        try:
            proof.take(message.payload)
        except (ValueError, KeyError, TypeError, AttributeError):
            tell({"unreadable": message.topic})

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: tell({"following": prefix})
    client.on_message = on_message
    if args.ca:
        client.tls_set(ca_certs=args.ca, certfile=args.cert, keyfile=args.key)
    client.connect(args.host, args.port)
    while True:
        if client.loop(timeout=0.2) != mqtt.MQTT_ERR_SUCCESS:
            time.sleep(1.0)
            with contextlib.suppress(OSError):  # tried again
                client.reconnect()
        proof.look()


if __name__ == "__main__":
    main()
