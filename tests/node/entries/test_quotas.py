"""What a key and a member may submit to a node in a second and in a day."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.consortium import START_MS, Consortium

from notarium_ledger.state.quota import DAY_MS, day_of
from notarium_node.entries import quotas
from notarium_node.entries.quotas import AT_ONCE_S, Quotas

CONSORTIUM = Consortium(4, researchers=5)
PARAMETERS = replace(
    CONSORTIUM.state.registry.parameters, max_key_second_entries=2, max_member_second_entries=3, max_key_day_entries=50
)
LARGE = PARAMETERS.max_key_second_bytes


def entries(number, researcher=0):
    """Researchers 0 and 4 are m0's."""
    issuer = f"m{researcher % 4}"
    body = CONSORTIUM.body(issuer=issuer)
    entry = CONSORTIUM.entry(body, CONSORTIUM.researcher_keys[researcher])
    return [entry] * number


def take(counted, number, researcher=0, at_s=0.0, parameters=PARAMETERS):
    """The parameter that refuses, or ""."""
    refusal = counted.take(parameters, entries(number, researcher), START_MS + round(at_s * 1000))
    return "" if refusal is None else next(name for name in vars_of(PARAMETERS) if f"({name})" in str(refusal))


def vars_of(parameters):
    return parameters.to_value()


def test_what_a_few_seconds_allow_may_come_at_once_and_comes_back_with_time():
    counted = Quotas()
    assert take(counted, 2 * AT_ONCE_S) == ""
    assert take(counted, 1) == "max_key_second_entries"
    assert take(counted, 2, at_s=1) == ""
    assert take(counted, 1, at_s=1) == "max_key_second_entries"
    assert take(counted, 2, at_s=1.5) == "max_key_second_entries"
    assert take(counted, 1, at_s=1.5) == ""


def test_what_was_refused_is_not_counted():
    counted = Quotas()
    assert take(counted, 1) == ""
    assert take(counted, 2 * AT_ONCE_S) == "max_key_second_entries"
    assert take(counted, 2 * AT_ONCE_S - 1) == ""


def test_a_batch_above_what_may_come_at_once_waits_for_all_of_it_and_delays_the_next():
    """Refused for good, it would wait in its sender's outbox without end."""
    counted = Quotas()
    assert take(counted, 1) == ""
    assert take(counted, 5 * AT_ONCE_S) == "max_key_second_entries"
    assert take(counted, 5 * AT_ONCE_S, at_s=1) == ""
    assert take(counted, 1, at_s=2) == "max_key_second_entries"
    assert take(counted, 1, at_s=1 + 2 * AT_ONCE_S) == ""


def test_a_member_has_a_rate_for_all_its_keys_and_another_member_its_own():
    counted = Quotas()
    assert take(counted, 2 * AT_ONCE_S, researcher=0) == ""
    assert take(counted, AT_ONCE_S + 1, researcher=4) == "max_member_second_entries"
    assert take(counted, AT_ONCE_S, researcher=4) == ""
    assert take(counted, 2 * AT_ONCE_S, researcher=1) == ""


def test_a_key_has_a_day_that_ends_at_midnight_utc():
    counted = Quotas()
    parameters = replace(PARAMETERS, max_key_second_entries=1_000, max_member_second_entries=1_000)
    midnight_s = ((day_of(START_MS) + 1) * DAY_MS - START_MS) / 1000
    assert take(counted, 50, parameters=parameters) == ""
    refusal = counted.take(parameters, entries(1), START_MS)
    assert refusal is not None
    assert refusal.until_ms == (day_of(START_MS) + 1) * DAY_MS
    assert take(counted, 1, at_s=midnight_s - 1, parameters=parameters) == "max_key_day_entries"
    assert take(counted, 50, at_s=midnight_s, parameters=parameters) == ""


def test_bytes_have_a_rate_too():
    counted = Quotas()
    size = len(entries(1)[0].raw)
    parameters = replace(PARAMETERS, max_key_second_bytes=size)
    assert take(counted, AT_ONCE_S, parameters=parameters) == ""
    assert take(counted, 1, parameters=parameters) == "max_key_second_bytes"


def test_other_parameters_hold_at_once():
    counted = Quotas()
    assert take(counted, 2 * AT_ONCE_S) == ""
    assert take(counted, 1) == "max_key_second_entries"
    more = replace(PARAMETERS, max_key_second_entries=3)
    assert take(counted, AT_ONCE_S, parameters=more) == ""
    assert take(counted, 1, parameters=more) == "max_key_second_entries", "what was counted counts"


def test_a_clock_that_steps_back_gives_nothing():
    counted = Quotas()
    assert take(counted, 2 * AT_ONCE_S, at_s=100) == ""
    assert take(counted, 1, at_s=0) == "max_key_second_entries"
    assert take(counted, 1, at_s=0.4) == "max_key_second_entries"
    assert take(counted, 1, at_s=0.5) == "", "what was ahead for a moment must not refuse until its time comes"


def test_a_clock_that_was_days_ahead_does_not_take_the_midnights_between():
    counted, parameters = Quotas(), replace(PARAMETERS, max_key_day_entries=2)
    assert take(counted, 1, at_s=30 * DAY_MS / 1000, parameters=parameters) == ""
    assert take(counted, 2, parameters=parameters) == ""
    assert take(counted, 1, parameters=parameters) == "max_key_day_entries"
    assert take(counted, 2, at_s=DAY_MS / 1000, parameters=parameters) == ""


def test_what_is_given_back_may_come_again():
    counted = Quotas()
    assert take(counted, 2 * AT_ONCE_S) == ""
    counted.give_back(entries(2 * AT_ONCE_S))
    assert take(counted, 2 * AT_ONCE_S) == ""
    assert take(counted, 1) == "max_key_second_entries"


def test_what_a_member_signs_itself_is_not_counted():
    counted = Quotas()
    statement = CONSORTIUM.entry(CONSORTIUM.member_body("enrol", 0, key=bytes(CONSORTIUM.researcher.public)))
    assert counted.take(PARAMETERS, [statement] * 1_000, START_MS) is None


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(quotas, "MOST", 3)
    counted = Quotas()
    for researcher in range(5):
        take(counted, 1, researcher)
        assert len(counted._meters) <= 3
    assert set(counted._meters) >= {CONSORTIUM.researcher_keys[4].public, "m0"}, "what was counted last is kept"


def test_what_was_counted_longest_ago_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(quotas, "MOST", 4)
    counted = Quotas()
    for researcher in (0, 1, 0, 2):
        assert take(counted, AT_ONCE_S // 2, researcher) == ""
    assert take(counted, 2 * AT_ONCE_S, researcher=0) == "max_key_second_entries"


@pytest.mark.parametrize("at_s", [0.0, 0.4])
def test_a_refusal_says_when_there_is_room(at_s):
    counted = Quotas()
    assert take(counted, 2 * AT_ONCE_S) == ""
    refusal = counted.take(PARAMETERS, entries(2), START_MS + round(at_s * 1000))
    assert refusal is not None
    assert take(counted, 2, at_s=(refusal.until_ms - START_MS) / 1000) == ""
