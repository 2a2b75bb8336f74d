"""Many reviewers at once on a real server: no sample goes to two, and nothing they were told is saved is lost."""

import random
import threading
from collections import Counter
from pathlib import Path

import httpx
from sqlalchemy import select

from app.domain.actor import person
from app.flows import ingest
from app.store.db import open_database
from app.store.tables import Batch, Decision
from tests.web.conftest import make_npz
from tests.web.live import serving
from tests.web.test_roles import token_file

REVIEWERS = 12
SAMPLES = 60
A = "/api/v1"


class Reviewer(threading.Thread):
    """Takes what the queue gives, decides most of it, skips some."""

    def __init__(self, address: str, number: int) -> None:
        super().__init__()
        self.label = f"reviewer {number}"
        self.handed: list[int] = []
        self.saved: dict[int, int] = {}  # sample -> version after the decision
        self.skipped: set[int] = set()
        self.failed: BaseException | None = None
        self._rng = random.Random(number)  # noqa: S311
        self._headers = {"Authorization": f"Bearer token-of-reviewer-{number}", "Origin": address}
        self._address = address

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self._address, headers=self._headers, timeout=60) as client:
                self._walk(client)
        except BaseException as error:
            self.failed = error

    def _walk(self, client: httpx.Client) -> None:
        queue = client.get("/d/mars/queue", params={"sort": "key"}).json()
        left, done = queue["ids"], list[int]()
        while True:
            asked = {"samples": left[:200], "since": queue["batch"], "done": done}
            answer = client.post(f"{A}/datasets/mars/next", json=asked).raise_for_status().json()
            sample = answer["sample"]
            if sample is None:
                return
            left, done = left[left.index(sample) + 1 :], [sample]
            if self._rng.random() < 0.1:
                self.skipped.add(sample)
                continue
            self.handed.append(sample)
            tag = client.get(f"{A}/samples/{sample}").raise_for_status().headers["etag"]
            decided = client.post(
                f"{A}/samples/{sample}/decisions", json={"verb": "exclude"}, headers={"If-Match": tag}
            )
            self.saved[sample] = decided.raise_for_status().json()["samples"][0]["version"]


def test_no_sample_to_two_and_nothing_lost(tmp_path: Path) -> None:
    database = open_database(tmp_path / "remask.sqlite")
    ingest.run(database, make_npz(tmp_path / "mars.npz", SAMPLES - 3), "mars", person("Ada"))
    tokens = token_file(tmp_path, "\n".join(f"reviewer {n} reviewer token-of-reviewer-{n}" for n in range(REVIEWERS)))
    with serving(tmp_path, tokens=tokens) as (address, _):
        reviewers = [Reviewer(address, number) for number in range(REVIEWERS)]
        for reviewer in reviewers:
            reviewer.start()
        for reviewer in reviewers:
            reviewer.join(60)
    assert [reviewer.failed for reviewer in reviewers if reviewer.failed is not None] == []
    handed = Counter(sample for reviewer in reviewers for sample in reviewer.handed)
    assert max(handed.values()) == 1, "a sample went to two"
    assert len(set(handed) | set.union(*(reviewer.skipped for reviewer in reviewers))) == SAMPLES
    with database.read() as session:
        query = select(Decision.sample_id, Batch.actor_name).join(Batch, Batch.id == Decision.batch_id)
        kept = {(row.sample_id, row.actor_name) for row in session.execute(query)}
    assert kept == {(sample, reviewer.label) for reviewer in reviewers for sample in reviewer.saved}
    database.close()
