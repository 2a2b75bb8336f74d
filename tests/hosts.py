"""Two machines made of one: network namespaces of the kernel with a cable between them, which can be cut."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

NET = "10.203.77"  # a private network that nothing else here is likely to use


@dataclass(frozen=True)
class Host:
    """One of the machines. ``inside``: the command that runs others on it."""

    name: str
    address: str

    @property
    def inside(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    def plug(self, how: str) -> None:
        """Its end of the cable ``up`` or ``down``."""
        _ip("-n", self.name, "link", "set", "cable", how)


@contextmanager
def two() -> Iterator[tuple[Host, Host]]:
    """Two connected machines that end with the block; skips where the kernel or our rights don't allow them."""
    one, other = (Host(f"remask-{os.getpid()}-{n}", f"{NET}.{n}") for n in (1, 2))
    if shutil.which("ip") is None:
        pytest.skip("needs the program ip (Debian: apt-get install iproute2)")
    made = subprocess.run(["ip", "netns", "add", one.name], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"network namespaces aren't allowed here: {made.stderr.strip()}")
    try:
        _ip("netns", "add", other.name)
        _ip("-n", one.name, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", other.name)
        for host in (one, other):
            _ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "cable")
            _ip("-n", host.name, "link", "set", "lo", "up")
            host.plug("up")
        yield one, other
    finally:
        for host in (one, other):
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
