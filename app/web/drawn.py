"""The pictures drawn last, kept encoded."""

import threading
from collections import OrderedDict
from collections.abc import Callable

CACHE_BYTES = 64 << 20


class Cache:
    """The pictures drawn last, as encoded bytes, up to ``limit`` bytes in all."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._held = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[bytes, str]] = OrderedDict()

    def get(self, key: str, draw: Callable[[], tuple[bytes, str]]) -> tuple[bytes, str]:
        """(bytes, media type) under ``key``, drawn now where they aren't there."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        entry = draw()
        with self._lock:
            if key not in self._entries and len(entry[0]) <= self._limit // 4:
                self._entries[key] = entry
                self._held += len(entry[0])
                while self._held > self._limit:
                    _, (dropped, _) = self._entries.popitem(last=False)
                    self._held -= len(dropped)
        return entry
