"""PostgreSQL told to behave as the store expects: whole numbers of 64 bits, text in byte order, one writer at a time.

SQLite gives all three by nature. Here SQLAlchemy's compilers see to the first two, in every migration and query, so
that no table has to say it.
"""

import re
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects.postgresql.base import PGDDLCompiler, PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGCompiler_psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import Column
from sqlalchemy.types import Integer, String, TypeEngine

from app.store.faults import is_locked

# The advisory lock of the one writer; such locks are a database's own, so the number only has to stay the same.
_WRITER = 7_363_572_771
# A writer that says nothing for so long is ended: a process that was stopped or cut off would hold the lock else.
_SILENCE = "30s"
_LOCK_PATIENCE = "30s"
# The server's own clock of silence stands still once a statement has begun to arrive: who was stopped with half of one
# sent is ended by the next in line, after it waited in vain.
_END_STALLED = b"""
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = %s
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND wait_event = 'ClientRead' AND state_change < now() - %s::interval
"""
# A page reads a few hundred rows by an index. Its planner takes such reads for dear, as they were on turning disks, and
# reads whole tables instead, with helpers and compiled code that take longer to start than the page may last.
_PLANS = "-c random_page_cost=1.1 -c max_parallel_workers_per_gather=0 -c jit=off"
# A network that was cut is noticed in seconds, not hours.
_NETWORK = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


class _Types(PGTypeCompiler):
    def visit_INTEGER(self, type_: TypeEngine[Any], **kw: Any) -> str:
        return self.visit_BIGINT(type_, **kw)  # type: ignore[no-any-return, no-untyped-call]


class _Statements(PGCompiler_psycopg):
    def render_bind_cast(self, type_: TypeEngine[Any], dbapi_type: TypeEngine[Any], sqltext: str) -> str:
        # Numbers are sent with the type that they need: one that is too large for a column is just not found there.
        if isinstance(dbapi_type, Integer) and not self.isinsert:
            return sqltext
        cast: str = super().render_bind_cast(type_, dbapi_type, sqltext)  # type: ignore[no-untyped-call]
        return cast


class _Columns(PGDDLCompiler):
    def get_column_specification(self, column: Column[Any], **kwargs: Any) -> str:
        found: str = super().get_column_specification(column, **kwargs)  # type: ignore[no-untyped-call]
        if isinstance(column.type, String):
            return re.sub(r"\b(TEXT|VARCHAR(\(\d+\))?)", r'\1 COLLATE "C"', found, count=1)
        return re.sub(r"\bSERIAL\b", "BIGSERIAL", found)


def make(url: URL, writes: str) -> Engine:
    """An engine by psycopg. ``writes``: the execution option that says what a transaction will do, see ``engines``."""
    options = f"-c timezone=UTC -c synchronous_commit=on -c lock_timeout={_LOCK_PATIENCE} {_PLANS}"
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={**_NETWORK, "options": options, "application_name": "remask"},
        pool_pre_ping=True,  # a server that was started again is found without an error
    )
    types = _Types(engine.dialect)
    engine.dialect.type_compiler_instance = types
    engine.dialect.type_compiler = types  # its older name, by which alembic asks
    engine.dialect.statement_compiler = _Statements
    engine.dialect.ddl_compiler = _Columns

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # In a statement of its own, so that all that follow see what the writer before has committed.
        wanted = connection.get_execution_options().get(writes)
        if wanted in ("one", "brief"):
            lazily = "" if wanted == "one" else ", set_config('synchronous_commit', 'off', true)"
            get_in_line = (
                f"SELECT set_config('idle_in_transaction_session_timeout', '{_SILENCE}', true), "
                f"pg_advisory_xact_lock({_WRITER}){lazily}"
            )
            try:
                connection.exec_driver_sql(get_in_line)
            except OperationalError as error:
                if not (is_locked(error) and _end_stalled(connection)):
                    raise
                connection.exec_driver_sql(get_in_line)

    return engine


def _end_stalled(connection: Connection) -> bool:
    """End the writer if nothing was heard of it for too long; whether that was so."""
    driver: Any = connection.connection.driver_connection
    driver.rollback()  # what failed
    ended = driver.execute(_END_STALLED, [_WRITER, _SILENCE]).fetchall()
    driver.rollback()
    return any(done for (done,) in ended)
