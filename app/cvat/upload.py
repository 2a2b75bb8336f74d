"""Pictures into a task: one zip, then the wait for the server. Up to 100 MiB in one request, as CVAT's SDK does it;
what is bigger goes in resumable pieces (the TUS protocol, https://tus.io).

One zip and not single files, because CVAT keeps only the last part of a single file's name. A zip is stored, not
packed, and its pictures are the files as they are: CVAT keeps those bytes.
"""

import base64
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit

from urllib3 import encode_multipart_formdata

from app.cvat.answers import need, optional
from app.cvat.client import task
from app.cvat.connection import JSON, Connection
from app.cvat.errors import Busy, ImportFailed, Missing, Rejected, ServerFailed, Unreachable

_WHOLE = 100 << 20
_PIECE = 10 << 20
_TUS = {"Tus-Resumable": "1.0.0"}
_OFFSET = "application/offset+octet-stream"
_MOST_SETBACKS = 5
# Best quality for what people look at, and pictures in the order of their names
_SETTINGS = b'{"image_quality":100,"sorting_method":"lexicographical"}'
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PERIODS = (0.25, 0.5, 1.0, 2.0)
Tick = Callable[[int, int], None]
"""Called with how much of what is done; may raise to cancel."""


def quiet(_done: int, _whole: int) -> None:
    """Progress that nobody looks at."""


def write_zip(path: Path, pictures: Iterable[tuple[str, bytes]]) -> None:
    """The upload of a task: (name with sub-folders, bytes of an image file). The same pictures give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for name, data in pictures:
            out.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def start_upload(
    connection: Connection, task_id: int, archive: Path, tick: Tick = quiet, whole: int | None = None
) -> str:
    """Uploads the zip and has the server begin with it; the id of its request, for ``wait_for_data``. ``whole``: the
    largest zip that goes in one request, by default 100 MiB.

    What fails leaves a task that can't be used again: CVAT takes data only once, so it has to be deleted and made anew.
    """
    path, size = f"/api/tasks/{task_id}/data/", archive.stat().st_size
    connection.call("POST", path, headers={"Upload-Start": ""}, content_type=JSON, repeat=True)
    tick(0, size)
    if size <= (_WHOLE if whole is None else whole):
        body, kind = _form(archive)
        connection.call("POST", path, headers={"Upload-Multiple": ""}, body=body, content_type=kind)
    else:
        name = base64.b64encode(archive.name.encode()).decode()
        parts = urlsplit(connection.server.url)
        # Servers without a proxy in front build the address of the upload from Origin, and break where there is none
        headers = {**_TUS, "Origin": f"{parts.scheme}://{parts.netloc}"}
        headers |= {"Upload-Length": str(size), "Upload-Metadata": f"filename {name}"}
        begun = connection.call("POST", path, headers=headers, content_type=JSON)
        place = connection.local(begun.headers.get("location", ""))
        if not place.startswith("/"):
            raise Rejected(f"CVAT {connection.server.name} began an upload without saying where it goes.")
        _pieces(connection, place, archive, size, tick)
    tick(size, size)
    done = connection.call("POST", path, headers={"Upload-Finish": ""}, body=_SETTINGS, content_type=JSON)
    return need(done.json(), "rq_id", str)


def wait_for_data(connection: Connection, task_id: int, request: str, tick: Tick = quiet, most: float = 3600.0) -> None:
    """Returns when the task has its pictures. Raises ImportFailed with the server's reason, Unreachable after
    ``most`` seconds. A request that the server has forgotten is over; then the task itself says how it ended."""
    until = connection.clock() + most
    turn = 0
    while True:
        try:
            value = connection.get(f"/api/requests/{quote(request, safe='')}")
        except Missing:
            if task(connection, task_id).size:
                return
            raise ImportFailed(f"CVAT {connection.server.name} lost the upload; push again.") from None
        status = need(value, "status", str)
        if status == "finished":
            return
        if status == "failed":
            lines = (optional(value, "message", str) or "no reason given").strip().splitlines()
            raise ImportFailed(f"CVAT {connection.server.name} can't make a task of the pictures: {lines[-1][:300]}")
        if connection.clock() > until:
            raise Unreachable(f"CVAT {connection.server.name} has not finished with the pictures; try again later.")
        tick(0, 1)
        connection.sleep(_PERIODS[min(turn, len(_PERIODS) - 1)])
        turn += 1


def _form(archive: Path) -> tuple[bytes, str]:
    """The zip as a form with one file, and its content type."""
    return encode_multipart_formdata(
        {"image_quality": "100", "client_files[0]": (archive.name, archive.read_bytes(), "application/zip")}
    )


def _pieces(connection: Connection, place: str, archive: Path, size: int, tick: Tick) -> None:
    offset, setbacks = 0, 0
    with archive.open("rb") as stream:
        while offset < size:
            tick(offset, size)
            stream.seek(offset)
            piece = stream.read(_PIECE)
            headers = {**_TUS, "Upload-Offset": str(offset)}
            try:
                answer = connection.call(
                    "PATCH", place, headers=headers, body=piece, content_type=_OFFSET, repeat=False
                )
                reached = answer.headers.get("upload-offset", "")
            except (Unreachable, ServerFailed, Busy):
                # Part of it may have arrived; the server knows how much
                setbacks += 1
                if setbacks > _MOST_SETBACKS:
                    raise
                reached = _reached(connection, place, size if offset + len(piece) == size else None)
            if not reached.isdigit() or int(reached) > offset + len(piece):
                raise Rejected(f"CVAT {connection.server.name} lost count of the upload; push again.")
            setbacks += int(reached) <= offset
            if setbacks > _MOST_SETBACKS:
                raise Unreachable(f"CVAT {connection.server.name} takes no more of the upload; try again later.")
            offset = int(reached)


def _reached(connection: Connection, place: str, whole: int | None) -> str:
    """How much has arrived. ``whole``: the size, where the last piece was on its way: a complete upload has no address
    any more."""
    try:
        return connection.call("HEAD", place, headers=_TUS).headers.get("upload-offset", "")
    except Missing:
        if whole is None:
            raise
        return str(whole)
