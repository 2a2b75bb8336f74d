"""A server's memory while it is used: ``python -m benchmarks.served HOME [--rounds 300] [--people 4]``.

``remask serve`` on a data folder, and people who go through it, as many at once as asked: each round is a page of the
grid with its thumbnails, some samples with picture and mask, a decision and its undoing, a page of 500 by the API.
Told are megabytes at the start and after each sixth of the rounds, and the threads that the server has.
"""

import argparse
import html
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen


def memory(pid: int | str = "self") -> tuple[float, float]:
    """A process's memory and the most that it had, in MB, as Linux tells."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, most = (int(status.split(f"{name}:")[1].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


@contextmanager
def server(home: Path) -> Iterator[tuple[int, int]]:
    """A server without a worker: its process and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = os.environ | {"REMASK_HOME": str(home), "REMASK_PORT": str(port)}
    command = [sys.executable, "-m", "app", "serve", "--no-worker"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        up = False
        while not up and process.poll() is None:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/healthz"):
                up = True
            time.sleep(0.2)
        yield process.pid, port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


class Person:
    """One browser: a connection that is kept open, and a place in the set."""

    def __init__(self, port: int, dataset: str) -> None:
        self._server = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._origin = f"http://127.0.0.1:{port}"
        self._dataset, self._after = dataset, ""

    def round(self) -> None:
        self._server.close()  # others were waited for, and the server doesn't wait as long; it is opened by itself
        tiles = self._ask(f"/d/{self._dataset}/samples?sort=key&part=tiles&after={self._after}").decode()
        for link in re.findall(r'src="(/media/[^"]+)"', tiles):
            self._ask(html.unescape(link))
        ids = [int(id) for id in re.findall(r'data-id="(\d+)"', tiles)]
        for id in ids[:3]:
            self._ask(f"/d/{self._dataset}/samples/{id}")
            self._ask(f"/media/samples/{id}/image.png")
            self._ask(f"/media/revisions/{self._sample(id)['revision']}/mask.bin")
        for verb in ("exclude", "include"):
            version = {"If-Match": f'"v{self._sample(ids[0])["version"]}"'}
            self._ask(f"/api/v1/samples/{ids[0]}/decisions", {"verb": verb}, version)
        self.forward()

    def forward(self) -> None:
        """500 samples further."""
        page = self._ask(f"/api/v1/datasets/{self._dataset}/samples?limit=500&sort=key&after={self._after}")
        self._after = json.loads(page)["next"] or ""

    def _sample(self, id: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ask(f"/api/v1/samples/{id}"))
        return found

    def _ask(self, path: str, body: object = None, headers: Mapping[str, str] = {}) -> bytes:
        sent = None if body is None else json.dumps(body)
        json_headers = {"Content-Type": "application/json", "Origin": self._origin, **headers}
        self._server.request("GET" if sent is None else "POST", path, sent, json_headers)
        answer = self._server.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{path}: {answer.status} {data[:200]!r}")
        return data


def measure(home: Path, dataset: str, rounds: int, people: int) -> None:
    """Print what the server has at its start, and how that grows."""
    with server(home) as (pid, port):
        print(f"server {memory(pid)[0]:.0f} MB", flush=True)
        crowd = [Person(port, dataset) for _ in range(people)]
        for place, one in enumerate(crowd):  # each ahead of the one before
            for _ in range(place):
                one.forward()
        with ThreadPoolExecutor(people) as pool:
            for sixth in range(1, 7):
                for _ in range(rounds // 6 // people):
                    list(pool.map(Person.round, crowd))
                now, most = memory(pid)
                threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
                done = f"{rounds * sixth // 6} rounds by {people}"
                print(f"{done:22} {now:5.0f} MB, at most {most:.0f} MB, {threads} threads", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--dataset", default="large")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--people", type=int, default=4)
    told = parser.parse_args()
    measure(told.home, told.dataset, told.rounds, told.people)


if __name__ == "__main__":
    main()
