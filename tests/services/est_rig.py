"""An EST server on loopback, and hand-made requests to it."""

import base64
import http.client
import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path
from typing import Self

from gatepost_services.pki.authority import Authority, utc_now
from gatepost_services.pki.est_messages import BASE_PATH
from gatepost_services.pki.est_server import EstServer
from gatepost_services.pki.identity import Identity
from gatepost_services.pki.tokens import Token, make_token

DEADLINE_S = 30.0
SITE, GATE = "north", "gate-1"


class Site:
    """An authority whose clock can be ahead, its server, and the folder of one gate."""

    def __init__(self, folder: Path, *, deadline_s: float = DEADLINE_S) -> None:
        self.ahead = timedelta(0)
        self.authority = Authority.create(
            folder / "ca", SITE, clock_utc=lambda: utc_now() + self.ahead
        )
        self.server = EstServer(self.authority, ["localhost"], port=0, deadline_s=deadline_s)
        self.port = self.server.server_port
        self.url = f"https://localhost:{self.port}"
        (folder / "tls").mkdir()
        self.identity = Identity(folder / "tls")
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def token(self, gate: str = GATE) -> Token:
        return make_token(self.authority, gate)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server.shutdown()
        self._thread.join(DEADLINE_S)
        self.server.server_close()

    # ---------------------------------------------------------------------------------- by hand

    def context(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.load_verify_locations(cadata=self.authority.pem.decode())
        return made

    def line(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("localhost", self.port), DEADLINE_S)
        return self.context().wrap_socket(plain, server_hostname="localhost")

    def ask(
        self,
        method: str,
        what: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=DEADLINE_S, context=self.context()
        )
        try:
            connection.request(method, f"{BASE_PATH}/{what}", body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()


def basic(token_id: str, secret: str) -> dict[str, str]:
    """Return the headers of a request with a token."""
    word = base64.b64encode(f"{token_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {word}", "Content-Type": "application/pkcs10"}
