"""Serving: the web process and, beside it, the worker process that ends with it."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvicorn

from app import logs
from app.domain.errors import Conflict
from app.jobs import engine
from app.settings import Settings
from app.store.db import Database
from app.web.access import check_exposure
from app.web.site import create_app


class InUse(Conflict):
    """Another process has the port or the data folder."""


@contextmanager
def reserve(settings: Settings) -> Iterator[socket.socket]:
    """Hold the data folder and the address before anything long is begun. Raises InUse, or as check_exposure does."""
    check_exposure(settings)
    with (
        _only_one(settings.home / "serve.lock", f"Another server has the data folder {settings.home}; stop it first."),
        _listen(settings) as listening,
    ):
        yield listening


def serve(
    settings: Settings, db: Database, listening: socket.socket, say: Callable[[str], None], page: str, with_worker: bool
) -> None:
    """Serve until stopped, a worker beside it or not; says the address, ``page`` and all."""
    logs.begin(settings.log)
    worker = None
    if with_worker:
        command = [sys.executable, "-m", "app", "worker", "--until-stdin-closes"]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603  (our own program)
    try:
        say(f"Remask is at http://{_shown(settings.host)}:{settings.port}{page}   (Ctrl+C stops it)")
        app = create_app(settings)
        config = uvicorn.Config(app, log_level="warning", log_config=None, timeout_graceful_shutdown=2)
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        if worker is not None:
            worker.communicate()
        db.close()


def work(settings: Settings, db: Database, until_stdin_closes: bool) -> None:
    """Run jobs until stopped by a signal, or, as the server's child, until the server is gone. Raises InUse."""
    logs.begin(settings.log)
    stop = threading.Event()
    if until_stdin_closes:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole group; the server tells us
        threading.Thread(target=_stop_at_end_of_stdin, args=(stop,), daemon=True).start()
    else:
        signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # A server's own worker waits for the one of a server that has just been stopped.
    patience = 10.0 if until_stdin_closes else 0.0
    name, lock = "worker", "worker.lock"
    sentence = f"Another worker has the data folder {settings.home}."
    if settings.database_url is not None:
        name, lock = settings.worker, f"worker-{settings.worker}.lock"
        sentence = f"Another worker is named {name}; set REMASK_WORKER to another name."
    with _only_one(settings.home / lock, sentence, patience):
        engine.work(db, settings, name, stop)
        # As if killed: a job under way isn't waited for, nor ended wrongly; the next worker goes on with it.
        os._exit(0)


@contextmanager
def all_stopped(settings: Settings) -> Iterator[None]:
    """Keep servers and workers from the data folder. Raises InUse where one is there."""
    sentence = f"A server or a worker has the data folder {settings.home}; stop it first."
    locks = {settings.home / name for name in ("serve.lock", "worker.lock")} | set(settings.home.glob("worker-*.lock"))
    with ExitStack() as held:
        for lock in sorted(locks):
            held.enter_context(_only_one(lock, sentence))
        yield


def _stop_at_end_of_stdin(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


@contextmanager
def _only_one(path: Path, sentence: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock that the system lets go of when this process ends, however it ends. Raises InUse with ``sentence``
    where somebody holds it for ``patience`` seconds more."""
    deadline = time.monotonic() + patience
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise InUse(sentence) from error
                time.sleep(0.1)
        yield


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Said to be TCP, so that asyncio sends what is small at once: else an answer's body waits 40 ms for the client to
    # acknowledge its head.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise InUse(
            f"{settings.host}:{settings.port} can't be served on ({error.strerror}); set REMASK_PORT to another port."
        ) from error
    return listening


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
