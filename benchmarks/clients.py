"""Decisions of several reviewers at once: ``python -m benchmarks.clients [--clients 8] [--seconds 20] [--pause 0.5]``.

A set of small pictures is imported and served by ``remask serve``; each client takes the next sample from the queue and
decides it, over HTTP, as fast as it is answered or, with ``--pause``, like a person. Printed: the time of a decision
and of asking for the next sample, as a client sees it, and the processor time that the server took for one of each.
``REMASK_DATABASE_URL`` chooses the database.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from app.domain.actor import person
from app.flows import ingest
from app.settings import Settings
from app.store.db import open_database
from benchmarks.scale import draw

HOST = "127.0.0.1"


class Client(threading.Thread):
    """One reviewer on one connection."""

    def __init__(self, port: int, number: int, until: float, pause: float) -> None:
        super().__init__()
        self.decisions: list[float] = []
        self.nexts: list[float] = []
        self.answers: Counter[int] = Counter()
        self.decided: list[int] = []
        self._until = until
        self._pause = pause
        self._connection = HTTPConnection(HOST, port, timeout=60)
        self._headers = {
            "Content-Type": "application/json",
            "Origin": f"http://{HOST}:{port}",
            "X-Reviewer": f"reviewer%20{number}",
        }

    def run(self) -> None:
        walk, _ = self._ask("GET", "/d/large/queue?sort=key")
        left, done = walk["ids"], list[int]()
        while time.monotonic() < self._until:
            asked = {"samples": left[:100], "since": walk["batch"], "done": done}
            answer, seconds = self._ask("POST", "/api/v1/datasets/large/next", asked)
            self.nexts.append(seconds)
            if answer["sample"] is None:
                left = left[100:]
                if not left:
                    return
                continue
            sample = answer["sample"]
            left, done = left[left.index(sample) + 1 :], [sample]
            _, seconds = self._ask(
                "POST", f"/api/v1/samples/{sample}/decisions", {"verb": "keep"}, {"If-Match": '"v1"'}
            )
            self.decisions.append(seconds)
            self.decided.append(sample)
            time.sleep(self._pause)

    def _ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[dict, float]:  # type: ignore[type-arg]
        started = time.perf_counter()
        said = None if body is None else json.dumps(body)
        self._connection.request(method, path, said, self._headers | (headers or {}))
        answer = self._connection.getresponse()
        text = answer.read()
        self.answers[answer.status] += 1
        return json.loads(text), time.perf_counter() - started


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def processor(pid: int) -> float:
    """Seconds of processor time that a process has taken, as Linux tells."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def line(name: str, seconds: list[float]) -> str:
    low, high, most = (1000 * value for value in np.percentile(seconds, (50, 95, 100)))
    return f"{name:10} {len(seconds):6,}: median {low:6.1f} ms, p95 {high:6.1f} ms, longest {most:6.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds that a reviewer thinks between two samples")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
        free.close()
        draw(Path(folder) / "large.npz", told.samples)
        env = os.environ | {"REMASK_HOME": folder, "REMASK_PORT": str(port)}
        db = open_database(Settings(home=Path(folder)).database)
        ingest.run(db, Path(folder) / "large.npz", "large", person("benchmark"))
        db.close()
        server = subprocess.Popen([sys.executable, "-m", "app", "serve"], env=env, stdout=subprocess.DEVNULL)
        try:
            while not answers(port):
                time.sleep(0.1)
            time.sleep(5)  # the worker beside it loads its engine
            spent = -processor(server.pid)
            until = time.monotonic() + told.seconds
            clients = [Client(port, number, until, told.pause) for number in range(told.clients)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            spent += processor(server.pid)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    decisions = [seconds for client in clients for seconds in client.decisions]
    handed = Counter(sample for client in clients for sample in client.decided)
    print(line("decision", decisions))
    print(line("next", [seconds for client in clients for seconds in client.nexts]))
    each = 1000 * spent / len(decisions)
    print(
        f"{len(decisions) / told.seconds:.0f} decisions a second, {each:.1f} ms of processor time each, next included"
    )
    total = sum((client.answers for client in clients), Counter[int]())
    print(f"answers {dict(total)}, handed to two: {sum(count > 1 for count in handed.values())}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
