"""A stand-in CVAT: real HTTP on loopback, in a thread, that keeps state like the server and fails when it is told to.

Every request is checked against the server's recorded OpenAPI schema where that is there; ``unlawful`` lists what it
doesn't allow. Works without any recording.
"""

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.cvat import drawing, exporting, media, routes
from tests.cvat.faults import WORDS, Fault, Plan
from tests.cvat.schema import Schema, Unlawful, recorded_schema
from tests.cvat.state import Refuse, Reply, Request, State
from tests.shared import ROOT

assert routes and drawing and exporting and media


class Standin:
    """The server; ``calls`` are the requests so far as "METHOD path", ``plan`` says which goes wrong, ``elsewhere``
    where redirects lead."""

    def __init__(self, state: State | None = None, certificate: tuple[str, str] | None = None) -> None:
        self.state = state or State()
        self.calls: list[str] = []
        self.unlawful: list[str] = []
        self.plan: Plan | None = None
        self.elsewhere = "https://127.0.0.1:1"
        recorded = ROOT / "cvat/openapi.yml"
        self.schema: Schema | None = recorded_schema(recorded) if recorded.exists() else None
        self.lock = threading.Lock()
        self.closing = threading.Event()
        standin = self

        class Handler(_Handler):
            server_of = standin

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
            scheme = "https"
        self.url = self.state.url = f"{scheme}://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def fault(self) -> Fault | None:
        return self.plan.at(len(self.calls)) if self.plan else None

    def user_of(self, headers: dict[str, str]) -> str | None:
        """Who asks: a personal token, the key of a login, or the cookie of one. Raises Refuse."""
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind == "Bearer" and value in self.state.tokens:
            return "admin"
        if kind == "Token" and value.startswith("0123456789abcdef"):
            return "admin"
        if kind:
            raise Refuse(401, {"detail": "Invalid token."})
        return "admin" if "sessionid=s" in headers.get("cookie", "") else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: Standin

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def do_any(self) -> None:
        standin = self.server_of
        parts = urlsplit(self.path)
        path, query = parts.path, parse_qsl(parts.query, keep_blank_values=True)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with standin.lock:
            standin.calls.append(f"{self.command} {unquote(path)}")
            fault = standin.fault()
        if fault is Fault.RESET:
            self.rfile.read(min(int(headers.get("content-length", 0)), 10))
            return self._reset()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        if fault is Fault.HANG:
            standin.closing.wait(5)
            return self._reset()
        if fault is Fault.REDIRECT:
            return self._send(Reply(301, headers={"Location": f"{standin.elsewhere}{path}"}))
        if fault is Fault.HTML:
            return self._send(Reply(200, b"<html>Sign in to the proxy</html>", kind="text/html"))
        if fault is not None and fault.status is not None and not fault.name.endswith("DONE"):
            kind, words = WORDS[fault.status]
            return self._send(Reply(fault.status, words, kind=kind))
        with standin.lock:
            reply = self._answer(path, query, headers, body)
        if fault is Fault.RESET_DONE:
            return self._reset()
        if fault is Fault.E500_DONE:
            return self._send(Reply(500, WORDS[500][1], kind="text/html"))
        return self._send(reply, fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_any

    def _answer(self, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes) -> Reply:
        standin = self.server_of
        if standin.schema is not None:
            kind = headers.get("content-type", "").split(";")[0]
            try:
                standin.schema.check(self.command, path, query, kind, body)
            except Unlawful as error:
                standin.unlawful.append(f"{self.command} {self.path}: {error}")
        try:
            user = standin.user_of(headers) if not path.endswith(("/about", "/login")) else None
            return standin.state.handle(Request(self.command, unquote(path), dict(query), headers, body, user))
        except Refuse as refusal:
            return refusal.reply

    def _send(self, reply: Reply, fault: Fault | None = None) -> None:
        body = reply.body
        if body is None:
            data = b""
        elif isinstance(body, bytes):
            data = body
        else:
            data = body.encode() if isinstance(body, str) else json.dumps(body, separators=(",", ":")).encode()
        packed = len(data) > 400 and "gzip" in self.headers.get("Accept-Encoding", "") and not isinstance(body, bytes)
        if packed:
            data = gzip.compress(data, 1)
        head = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", f"Content-Length: {len(data)}"]
        if data:
            head.append(f"Content-Type: {reply.kind}")
        if packed:
            head.append("Content-Encoding: gzip")
        head += [f"{name}: {value}" for name, value in reply.headers.items()]
        if "Set-Cookie" in reply.headers:
            head.append("Set-Cookie: csrftoken=c; Path=/")
        whole = "\r\n".join(head).encode() + b"\r\n\r\n" + (b"" if self.command == "HEAD" else data)
        if fault is Fault.CUT_DONE:
            self.wfile.write(whole[: len(whole) - max(len(data) // 2, 1)])
            return self._reset()
        if fault is Fault.SLOW_DONE:
            return self._drip(whole)
        self.wfile.write(whole)
        return None

    def _drip(self, data: bytes) -> None:
        for position in range(0, len(data), 40):
            self.wfile.write(data[position : position + 40])
            time.sleep(0.0005)

    def _reset(self) -> None:
        """Closes with a reset, as a killed server or a lost route does."""
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RD)
            self.connection.close()
        except OSError:
            return


@contextmanager
def running(state: State | None = None, certificate: tuple[str, str] | None = None) -> Iterator[Standin]:
    """A stand-in for the length of a block; at its end every request has to have been lawful."""
    standin = Standin(state, certificate)
    try:
        yield standin
        assert not standin.unlawful, standin.unlawful
    finally:
        standin.close()
