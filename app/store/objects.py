"""Bytes in an S3-compatible object store, by their hash: what stands behind the blobs where REMASK_BLOBS names one.

An object is put before the row that names it is committed, and never changed, so a kill leaves an object without a row
at most. Credentials, region and endpoint come from the usual AWS_ variables. The only module that knows obstore.
"""

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from app.domain.errors import Invalid, RemaskError

if TYPE_CHECKING:
    from obstore.store import S3Store

log = logging.getLogger(__name__)
AT_ONCE = 16
PATIENCE = timedelta(seconds=10)  # for a connection, for the next byte, and for all retries together
WHOLE = timedelta(minutes=5)  # for one object, however steadily its bytes come
RETRIES = 4
_HASH = re.compile(r"[0-9a-f]{64}")
T = TypeVar("T")


class BadStore(Invalid):
    """A REMASK_BLOBS that can't be used."""


class Unavailable(RemaskError):
    """The object store doesn't answer, or answers that it can't."""

    status = 503
    title = "Object store unavailable"
    retry_after = 10


@dataclass(frozen=True)
class Kept:
    """An object: the hash in its name, its size in bytes, and when it was put last."""

    hash: str
    size: int
    at: datetime


class Objects:
    """The objects under one ``s3://bucket/prefix``.

    ``patience`` bounds the wait for a connection, for the next byte, and for the retries of a request. Every method
    raises Unavailable past it, and where the store refuses. Raises BadStore for another kind of URL.
    """

    def __init__(self, url: str, patience: timedelta = PATIENCE) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc or parts.username or parts.query or parts.fragment:
            raise BadStore(
                "REMASK_BLOBS has to be s3://bucket or s3://bucket/prefix; endpoint and credentials come from the "
                "AWS_ variables."
            )
        self._bucket, prefix = parts.netloc, parts.path.strip("/")
        self._store = _connect(self._bucket, prefix, patience)

    def put(self, datas: Mapping[str, bytes]) -> None:
        """Put the bytes of each hash, several at a time; returns once the store has acknowledged all of them."""
        if len(datas) == 1:
            self._put_one(*next(iter(datas.items())))
        elif datas:
            with ThreadPoolExecutor(min(AT_ONCE, len(datas))) as pool:
                for _ in pool.map(self._put_one, datas, datas.values()):
                    pass

    def get(self, hash: str) -> bytes | None:
        """The bytes under ``hash`` as they are there, None where there are none."""
        import obstore

        try:
            return self._ask(lambda: bytes(obstore.get(self._store, _path(hash)).bytes()))
        except FileNotFoundError:
            return None

    def lacking(self, hashes: Sequence[str]) -> list[str]:
        """Those of ``hashes`` under which other bytes are, or none; all are read, several at a time."""

        def holds(hash: str) -> bool:
            data = self.get(hash)
            return data is not None and hashlib.sha256(data).hexdigest() == hash

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [hash for hash, there in zip(hashes, pool.map(holds, hashes), strict=True) if not there]

    def walk(self) -> Iterator[list[Kept]]:
        """Every object whose name holds a hash, about a thousand at a time, in no order."""
        import obstore

        pages = obstore.list(self._store, chunk_size=1000)
        while page := self._ask(lambda: next(pages, None)):
            named = [(one["path"].rpartition("/")[2], one) for one in page]
            yield [Kept(hash, one["size"], one["last_modified"]) for hash, one in named if _HASH.fullmatch(hash)]

    def drop(self, hashes: Sequence[str]) -> None:
        """Delete these; those that aren't there are no matter."""
        import obstore

        if hashes:
            self._ask(lambda: obstore.delete(self._store, [_path(hash) for hash in hashes]))

    def _put_one(self, hash: str, data: bytes) -> None:
        import obstore

        try:
            self._ask(lambda: obstore.put(self._store, _path(hash), data))
        except FileNotFoundError as error:
            raise BadStore(
                f"There is no bucket {self._bucket!r} in the object store; make it, or correct REMASK_BLOBS."
            ) from error

    def _ask(self, request: Callable[[], T]) -> T:
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            return request()
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise Unavailable(
                f"The object store refuses access to the bucket {self._bucket!r}; check AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and the bucket's policy."
            ) from error
        except BaseError as error:
            log.warning("the object store failed: %s", str(error).partition("\n")[0])
            raise Unavailable(
                "The object store doesn't answer as it should, so nothing was changed; try again in a while."
            ) from error


def _path(hash: str) -> str:
    return f"{hash[:2]}/{hash}"


def _connect(bucket: str, prefix: str, patience: timedelta) -> "S3Store":
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError as error:
        raise BadStore('REMASK_BLOBS needs the package obstore; run pip install "remask[s3]".') from error
    plain = any(os.environ.get(name, "").startswith("http://") for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT"))
    try:
        return S3Store(
            bucket,
            prefix=prefix or None,
            client_options={
                "allow_http": plain,
                "connect_timeout": patience,
                "read_timeout": patience,
                "timeout": WHOLE,
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": patience},
        )
    except (BaseError, ValueError) as error:
        raise BadStore(
            f"REMASK_BLOBS can't be used with these AWS_ variables: {str(error).splitlines()[0]}."
        ) from error
