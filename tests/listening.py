"""Coroutines in tests: the browser tests leave an event loop in the main thread, so these get a thread of their own."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """What ``coroutine`` returns. Raises TimeoutError after ``seconds``."""

    async def bounded() -> T:
        return await asyncio.wait_for(coroutine, seconds)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(bounded())).result()
