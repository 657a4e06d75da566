"""Who sends bad signatures is refused before anything is verified, and an honest neighbour can go on."""

import os
import re
from types import SimpleNamespace
from typing import Any

from tests.node.http_api import MSGPACK, Api

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import MAX_BATCH, sign_entry
from notarium_ledger.errors import InvalidEntry, KeyNotPermitted, KeyRefusal
from notarium_ledger.types import Hash
from notarium_node.api.junk import FEW, MOST, BadSignatures
from notarium_node.entries.admission import AdmissionStatus, Outcome
from notarium_node.http.debts import LONGEST_S


def good(world, count):
    return [sign_entry(world.researcher, world.genesis.hash, world.body()) for _ in range(count)]


def bad(world, count):
    key = world.researcher.public
    return [canonical.encode([1, canonical.encode(world.body()), key, os.urandom(63) + b"\x01"]) for _ in range(count)]


def post(api, raws, **headers):
    return api.post("/v1/entries/batch", canonical.encode([*raws]), Accept=MSGPACK, **headers)


def figure(world, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", world.node.get("/metrics").body.decode(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_a_stranger_who_sends_bad_signatures_is_refused_and_his_honest_neighbour_is_not(world):
    shared, other = Api(world.node.port, "127.0.0.77"), Api(world.node.port, "127.0.0.78")
    refused = 'notarium_api_refusals_total{reason="bad-signatures"}'
    assert figure(world, refused) == 0
    post(shared, good(world, FEW) + bad(world, MAX_BATCH - FEW)).problem(422, "invalid-entry")
    answers = [post(shared, bad(world, FEW + 1)) for _ in range(5)]
    assert (answers[0].status, answers[-1].status) == (422, 429)

    checked = figure(world, "notarium_signatures_checked_total")
    for raws in (bad(world, FEW + 1), bad(world, MAX_BATCH), good(world, FEW + 1)):
        answer = post(shared, raws)
        assert answer.problem(429, "bad-signatures")["limit"] == FEW
        assert 1 <= int(answer.headers["retry-after"]) <= LONGEST_S
    assert figure(world, "notarium_signatures_checked_total") == checked, "verified before it was refused"
    assert figure(world, refused) == 3 + sum(each.status == 429 for each in answers)

    assert post(shared, good(world, FEW)).status == 200
    assert shared.submit(good(world, 1)[0]).status == 200
    assert post(other, good(world, FEW + 1)).status == 200


def outcomes(error, malicious, count):
    return [Outcome(Hash(bytes(32)), AdmissionStatus.REFUSED, error=error, malicious=malicious)] * count


async def test_only_bad_signatures_are_owed():
    junk, request = BadSignatures(lambda asked: "a"), SimpleNamespace()
    asked: Any = request
    junk.note(asked, outcomes(KeyNotPermitted(KeyRefusal.NOT_ENROLLED), False, 2 * MOST))
    junk.note(asked, outcomes(InvalidEntry("is not a known kind", "body.kind"), True, 2 * MOST))
    junk.check(asked)
