"""What people do with files on CVAT's own pages, by the calls that those pages make: *Export dataset* and *Upload
annotations*."""

import base64
import io
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.cvat import upload
from app.cvat.archives.base import ArchiveKind
from app.cvat.connection import JSON, Connection
from app.cvat.errors import Missing, Rejected


def exported(connection: Connection, task: int) -> zipfile.ZipFile:
    """The server's own *Segmentation mask 1.1* of a task."""
    query = [("format", "Segmentation mask 1.1"), ("save_images", "False")]
    try:
        begun = connection.call("POST", f"/api/tasks/{task}/dataset/export", query=query, repeat=True).json()["rq_id"]
    except (Missing, Rejected):
        pytest.skip("this server exports in an older way, which no recording shows")
    upload.wait_for_data(connection, task, begun)
    answer = connection.call("GET", f"/api/tasks/{task}/dataset/download", query=[("rq_id", begun)])
    return zipfile.ZipFile(io.BytesIO(answer.body))


def put_archive(connection: Connection, task: int, kind: ArchiveKind, path: Path) -> None:
    """What *Upload annotations* does in CVAT's pages, with *Convert masks to polygons* off."""
    address, tus = f"/api/tasks/{task}/annotations/", {"Tus-Resumable": "1.0.0"}
    query = [("format", "CVAT 1.1" if kind is ArchiveKind.IMAGES else kind), ("conv_mask_to_poly", "false")]
    start, finish = {"Upload-Start": ""}, {"Upload-Finish": ""}
    connection.call("POST", address, query=[*query, ("filename", path.name)], headers=start, content_type=JSON)
    parts = urlsplit(connection.server.url)
    told = {"Upload-Length": str(path.stat().st_size), "Origin": f"{parts.scheme}://{parts.netloc}"}
    told["Upload-Metadata"] = f"filename {base64.b64encode(path.name.encode()).decode()}"
    begun = connection.call("POST", address, headers=tus | told, content_type=JSON)
    place = connection.local(begun.headers["location"])
    kept = "application/offset+octet-stream"
    connection.call("PATCH", place, headers=tus | {"Upload-Offset": "0"}, body=path.read_bytes(), content_type=kept)
    query.append(("filename", place.rpartition("/")[2]))
    done = connection.call("POST", address, query=query, headers=finish, content_type=JSON)
    upload.wait_for_data(connection, task, done.json()["rq_id"])
