import hashlib
import hmac
import json

import pytest

from app.cvat.errors import NotCvat
from app.cvat.webhook import read_delivery, register, signed
from tests.cvat.journey import connected
from tests.cvat.standin import running
from tests.shared import shared


def test_signatures() -> None:
    body = b'{"event":"ping"}'

    good = "sha256=" + hmac.new(b"key", body, hashlib.sha256).hexdigest()
    assert signed(body, good, "key")
    for wrong in (good[:-1], good.upper(), "", good.removeprefix("sha256="), "sha256=é"):
        assert not signed(body, wrong, "key")
    assert not signed(body + b" ", good, "key")
    empty = "sha256=" + hmac.new(b"", body, hashlib.sha256).hexdigest()
    assert not signed(body, empty, ""), "a webhook without a secret is nobody's"


def test_recorded_deliveries() -> None:
    events = []
    for sample in json.loads(shared("cvat/webhook_samples.json").read_text()):
        got = read_delivery(sample["raw"].encode())
        events.append(got.event)
        if got.event == "update:job":
            assert got.job is not None and got.job.kind == "annotation" and got.job.task > 0
    assert "ping" in events and "update:job" in events


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"event":"update:job","job":{"id":"x"}}'])
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(NotCvat):
        read_delivery(body)


def test_a_webhook_is_registered_once() -> None:
    with running() as standin, connected(standin.url) as connection:
        first = register(connection, 1, "https://remask.example/cvat", "key")
        assert register(connection, 1, "https://remask.example/cvat", "other") == first
        assert register(connection, 1, "https://elsewhere.example/cvat", "key") != first
        assert [one["events"] for one in standin.state.webhooks.values()] == [["update:job"]] * 2
