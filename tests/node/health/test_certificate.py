"""The API's certificate: a note and a line a day when it expires soon, a reason when it has expired."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs
from tests.node.certificates import certificate

from notarium_node.health.certificate import SOON_DAYS, CertificateWatch, read_expiry_ms
from notarium_node.health.reason import ReasonKind

DAY_MS = 24 * 3600 * 1000
CURVE = ec.SECP256R1()
END_MS = 1_800_000_000_000


class Clock:
    now_ms = END_MS

    def __call__(self):
        return self.now_ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(clock):
    return CertificateWatch(END_MS, clock)


def test_the_expiry_is_that_of_the_first_certificate_in_the_file(tmp_path):
    path, end, key = tmp_path / "chain.pem", datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC), ec.generate_private_key(CURVE)
    path.write_bytes(certificate(key, end) + certificate(key, end + timedelta(days=999)))
    assert read_expiry_ms(path) == end.timestamp() * 1000


def test_a_file_that_cannot_be_read_is_logged_and_has_no_expiry(tmp_path):
    path = tmp_path / "chain.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with capture_logs() as logs:
        assert read_expiry_ms(path) is None
        assert read_expiry_ms(tmp_path / "missing.pem") is None
    assert [each["log_level"] for each in logs] == ["warning", "warning"]


def test_while_there_is_time_nothing_is_said(watch, clock):
    clock.now_ms = END_MS - SOON_DAYS * DAY_MS
    with capture_logs() as logs:
        watch.look()
    assert (logs, [*watch.notes()], [*watch.reasons()]) == ([], [], [])


def test_soon_it_is_a_note(watch, clock):
    clock.now_ms = END_MS - SOON_DAYS * DAY_MS + 1
    [note] = watch.notes()
    assert "expires in 29 days, at 2027-01-15T08:00:00.000Z" in note
    assert "Renew the API certificate" in note
    assert [*watch.reasons()] == []
    clock.now_ms = END_MS
    assert "expires in 0 days" in next(watch.notes())


def test_an_expired_one_is_a_reason(watch, clock):
    clock.now_ms = END_MS + 1
    [reason] = watch.reasons()
    assert reason.kind is ReasonKind.CERTIFICATE_EXPIRED
    assert "has expired at 2027-01-15T08:00:00.000Z" in reason.text
    assert "renew it and start the node again" in reason.text
    assert [*watch.notes()] == []


def test_the_log_has_one_line_a_day(watch, clock):
    clock.now_ms = END_MS - 2 * DAY_MS
    with capture_logs() as logs:
        for _ in range(4 * 24):
            watch.look()
            clock.now_ms += DAY_MS // 24
    assert [each["days"] for each in logs] == [2, 1, 0, -1, -2]


def test_an_api_without_a_certificate_has_no_expiry(clock):
    watch = CertificateWatch(None, clock)
    with capture_logs() as logs:
        watch.look()
    assert (logs, [*watch.notes()], [*watch.reasons()]) == ([], [], [])
