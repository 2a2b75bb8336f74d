"""What went wrong with the database, told apart: busy, away, out of range, or past using."""

from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, OperationalError

# Classes of SQLSTATE: connection exceptions, and what a server says to clients that it turns away or ends. The latter
# (57P0x, 25P03) come as OperationalError too, as a refused connection does, which has no state at all.
_AWAY = ("08", "57P", "25P03", "53300")
# What PostgreSQL says where it can't be used as it is: no right to a table or none of that name, a standby that takes
# no writes, no room, a disk that fails, damaged data.
_UNFIT = ("42501", "42P01", "25006", "53", "58", "XX001", "XX002")
_BUSY = ("55P03", "40001", "40P01")  # a lock that didn't come, a transaction that has to be tried again


def is_locked(error: BaseException) -> bool:
    """Whether this is the database saying that another writer holds it for longer than we wait."""
    if not isinstance(error, DBAPIError):
        return False
    return _state(error).startswith(_BUSY) or (isinstance(error, OperationalError) and "locked" in str(error.orig))


def is_away(error: BaseException) -> bool:
    """Whether a PostgreSQL server can't be reached, or has ended the connection; what was asked may be asked again."""
    if not isinstance(error, DBAPIError):
        return False
    state = _state(error)
    lost = isinstance(error, OperationalError) and not state and hasattr(error.orig, "sqlstate")
    return error.connection_invalidated or lost or state.startswith(_AWAY)


def out_of_range(error: BaseException) -> bool:
    """Whether a value was asked for that the database can't hold, so that nothing can be there under it."""
    too_large = isinstance(error, OverflowError) and "SQLite" in str(error)  # the driver's own, before it asks
    return isinstance(error, DataError) or too_large


def trouble(error: BaseException) -> str | None:
    """A sentence for what the machine keeps the database from doing: a server that is away, a full disk, a folder that
    can't be written to, a file that is damaged. None for any other error."""
    if is_away(error):
        return "The database server doesn't answer; start it or look at REMASK_DATABASE_URL, then try again."
    unfit = isinstance(error, DBAPIError) and _state(error).startswith(_UNFIT)
    if isinstance(error, OperationalError) or type(error) is DatabaseError or unfit:
        assert isinstance(error, DatabaseError)  # noqa: S101  (for the type checker)
        said = str(error.orig).partition("\n")[0]
        return f"The database can't be used: {said}. Make room, give access or restore a backup, then try again."
    return None


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
