"""The application behind a real server on a free port."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from app.settings import Settings
from app.web.site import create_app


@contextmanager
def serving(home: Path, **settings: object) -> Iterator[tuple[str, Settings]]:
    """(address, settings) of a server, for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        chosen = Settings.model_validate({"home": home, "port": port} | settings)
        config = uvicorn.Config(create_app(chosen), log_level="warning", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}", chosen
        finally:
            running.should_exit = True
            thread.join(20)
