"""Figures about the server in the text format of Prometheus: requests as they came, and what the database counts."""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.store import jobs, summary, workers
from app.store.db import Database
from app.store.tables import now

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one application; ``home`` is its data folder."""

    def __init__(self, db: Database, home: Path) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "remask_request_seconds",
            "Requests by method, route and status, with their durations.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        self._registry.register(_Counted(db, home))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. ``route`` is the template of its path, not the path itself."""
        self._seconds.labels(method, route, status).observe(seconds)

    def text(self) -> bytes:
        """All figures, as version 0.0.4 of the text format."""
        return generate_latest(self._registry)


class _Counted(Collector):
    """What is counted when somebody asks: the same whichever process answers."""

    def __init__(self, db: Database, home: Path) -> None:
        self._db, self._home = db, home

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._db.read() as session:
            by_state, oldest = jobs.by_state(session), jobs.oldest_queued(session)
            by_status = summary.everywhere_by_status(session)
        yield _gauge("remask_jobs", "Jobs by state.", "state", by_state)
        yield _gauge("remask_samples", "Samples of all datasets by label status.", "status", by_status)
        age = 0.0 if oldest is None else max(0.0, (now() - oldest.replace(tzinfo=UTC)).total_seconds())
        yield GaugeMetricFamily("remask_queue_age_seconds", "How long the oldest waiting job has waited.", age)
        yield GaugeMetricFamily("remask_workers", "Workers seen lately.", len(workers.alive(self._home)))

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing, so that registering doesn't ask the database."""
        return iter(())


def _gauge(name: str, about: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, about, labels=(label,))
    for value, count in values.items():
        gauge.add_metric((value,), count)
    return gauge
