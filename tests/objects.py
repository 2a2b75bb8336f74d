"""A real S3 server in a process of its own, and a proxy before it that can be told to fail or to be slow."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SERVER = """
import sys, time
from moto.server import ThreadedMotoServer
import boto3
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="bucket")
print(port, flush=True)
sys.stdin.read()
"""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE0000",
    "AWS_SECRET_ACCESS_KEY": "a/secret/that/nobody/may/read",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def running() -> Iterator[int]:
    """The port of an S3 server on loopback that has a bucket named ``bucket``."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | CREDENTIALS,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@dataclass
class Faults:
    """What the proxy does to a request: pass it on, answer ``status`` itself, or say nothing at all (``silent``).
    ``seen``: first lines of the requests that came."""

    port: int
    status: int | None = None
    silent: bool = False
    seen: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def proxy(target: int) -> Iterator[Faults]:
    """A proxy on a free port that passes everything on to ``target``, until it is told otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        faults = Faults(listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, target, faults), daemon=True).start()
        try:
            yield faults
        finally:
            faults._over.set()
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, target: int, faults: Faults) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, target, faults), daemon=True).start()


def _serve(client: socket.socket, target: int, faults: Faults) -> None:
    """One connection: a request's head is looked at when it begins, what follows goes on as it comes."""
    with client, suppress(OSError), socket.create_connection(("127.0.0.1", target)) as server:
        threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()
        while data := client.recv(1 << 16):
            faults.seen.append(data.split(b"\r\n", 1)[0].decode("latin-1"))
            if faults.silent:
                faults._over.wait()
                return
            if faults.status is not None:
                client.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % faults.status)
                return
            server.sendall(data)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
