"""CVAT servers as the settings name them: listed, connected to, tested."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from app.cvat import probe as probes
from app.cvat import servers as configured
from app.cvat.connection import Connection
from app.cvat.probe import Probe
from app.cvat.servers import Server
from app.settings import Settings

FILE = "cvat.toml"


def servers(settings: Settings) -> dict[str, Server]:
    """The configured servers by name. Raises BadServer."""
    return configured.load_servers(settings.home / FILE, os.environ)


def choose(settings: Settings, name: str | None) -> Server:
    """The server of that name; without one, the only one there is. Raises NotFound, BadServer."""
    return configured.choose(servers(settings), name)


@contextmanager
def connect(settings: Settings, name: str | None) -> Iterator[Connection]:
    """A connection to that server for the length of a block. Raises NotFound, BadServer."""
    connection = Connection(choose(settings, name))
    try:
        yield connection
    finally:
        connection.close()


Connect = Callable[[Settings, str | None], AbstractContextManager[Connection]]
"""What the flows connect by: ``connect``, or a test's own."""


def test(settings: Settings, name: str | None, connect: Connect = connect) -> Probe:
    """What is right or wrong with a server, in one sentence. Raises NotFound, BadServer."""
    with connect(settings, name) as connection:
        return probes.probe(connection)
