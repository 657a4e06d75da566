"""The mistakes: what is replaced, the test that must fail then, and what it says.

Each is something that the product did once, or that another product does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.mistakes import early

from notarium import files, project, terminal, verdicts
from notarium.cli import verify
from notarium.errors import InvalidRecordFile
from notarium.evidence.record import Record
from notarium.verifying import verification
from notarium_ledger.state.quota import Tally
from notarium_ledger.trust import chain
from notarium_node.api.costly import CostlyReads
from notarium_node.api.guard import Guard
from notarium_node.entries import gossip, mempool
from notarium_node.entries.receiving import GossipReceiver
from notarium_node.entries.turns import FairQueue, Queued
from notarium_node.health.voters import Voters
from notarium_node.http.places import Held, Places
from notarium_node.peers.rates import Rates

Replacement = tuple[Any, str, Any]
"""(object, attribute, what to put there)."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake."""

    name: str
    replacements: Callable[[], list[Replacement]]
    test: str
    """Node id for pytest, of a test that passes without the mistake."""
    caught: str
    """Regular expression for what that test says."""

    def plant(self) -> None:
        """Make the product make this mistake, for the rest of the process."""
        for each in self.replacements():
            patch.object(*each).start()


# ---- records and verdicts ------------------------------------------------------------------------------------------


def _any_author() -> list[Replacement]:
    def lenient(place: Path, entry: Any) -> Any:
        record = Record.decode(place.read_bytes())
        if record.digest != entry.body["record"]:
            raise InvalidRecordFile("not the record that was anchored")
        return record

    return [(verification, "read_record", lenient)]


def _verified_folder() -> Path | None:
    """The deepest project below the current folder: that of what is verified."""
    folders = [Path(root) for root, names, _ in os.walk(Path.cwd()) if ".notarium" in names]
    return max(folders, key=lambda each: len(each.parts), default=None)


def _trust_of_the_verified() -> list[Replacement]:
    """As before: the configuration around what is verified, not around the current folder."""
    return [(verdicts, "find_project", lambda **_: project.find_project(_verified_folder()))]


def _genesis_of_the_verified() -> list[Replacement]:
    def misled(chosen: Path | None = None) -> Any:
        deepest = _verified_folder()
        return project.find_genesis(deepest) if chosen is None and deepest else project.trusted_genesis(chosen)

    return [(verify, "trusted_genesis", misled)]


def _a_strangers_entry_verifies() -> list[Replacement]:
    return [(verification.Verifying, "is_by_named", lambda *_: True)]


def _since_unchecked() -> list[Replacement]:
    follow = chain.ChainVerifier._follow_handovers

    def credulous(self: chain.ChainVerifier, decided: Any) -> Any:
        return follow(self, decided)[0], decided.header.since

    return [(chain.ChainVerifier, "_follow_handovers", credulous)]


def _quota_unchecked() -> list[Replacement]:
    return [(Tally, "_check", lambda *_: None)]


# ---- doors ---------------------------------------------------------------------------------------------------------


def _any_host() -> list[Replacement]:
    return [(Guard, "_is_own", lambda *_: True)]


def _pages_submit() -> list[Replacement]:
    check = Guard.check_origin

    def lenient(self: Guard, request: Any) -> None:
        if request.method == "GET":
            check(self, request)

    return [(Guard, "check_origin", lenient)]


def _no_part_of_one_address() -> list[Replacement]:
    def greedy(self: Places, _: str, amount: int = 1) -> Held | None:
        return Held.BY_ALL if self.taken + amount > self.most else None

    return [(Places, "full", greedy)]


def _reads_all_at_once() -> list[Replacement]:
    class Turnless:
        async def __aenter__(self) -> None:
            return

        async def __aexit__(self, *_: object) -> None:
            return

    return [(CostlyReads, "turn", lambda *_: Turnless())]


def _inadmissible_is_free() -> list[Replacement]:
    return [(GossipReceiver, "_judge", lambda *_: None)]


def _frames_without_a_rate() -> list[Replacement]:
    return [(Rates, "allow", lambda *_: True)]


# ---- reports and terminals -----------------------------------------------------------------------------------------


def _readiness_lies() -> list[Replacement]:
    return [(Voters, "unable", lambda _: {})]


def _clocks_do_not_matter() -> list[Replacement]:
    return [(Voters, "clock_behind_ms", property(lambda _: 0))]


def _names_steer_the_terminal() -> list[Replacement]:
    return [(terminal, "_is_seen", lambda *_: True)]


def _pipes_are_read() -> list[Replacement]:
    return [(files, "open_regular", lambda path: os.open(path, os.O_RDONLY | os.O_NONBLOCK))]


def _first_come_first_served() -> list[Replacement]:
    """As before: whoever sends most has most of a block."""

    def by_arrival(self: FairQueue) -> Iterator[Queued]:
        every = [
            each for member in self.members.values() for key in member.keys.values() for each in key.waiting.values()
        ]
        return iter(sorted(every, key=lambda each: each.number))

    return [(FairQueue, "__iter__", by_arrival)]


def _gossip_by_arrival() -> list[Replacement]:
    return [(gossip, "entries_in_turn", iter)]


def _room_for_whoever_comes_first() -> list[Replacement]:
    return [
        (mempool, "KEY_PART", 1),
        (FairQueue, "of_key", lambda *_: (0, 0)),
        (FairQueue, "of_member", lambda *_: (0, 0)),
    ]


def _memory_is_bytes() -> list[Replacement]:
    """As before: an entry was counted by its bytes, and cost eight times as much."""
    return [(mempool, "footprint", lambda entry: len(entry.raw))]


TURNS = "tests/mistakes/test_dead_turns.py"

MISTAKES = (
    Mistake(
        "author not bound",
        _any_author,
        "tests/client/verifying/test_verification.py::test_a_receipt_by_another_author_never_verifies_with_the_record",
        "VerificationStatus.VERIFIED",
    ),
    Mistake(
        "genesis taken from what is verified",
        _genesis_of_the_verified,
        "tests/client/cli/test_verify.py::test_what_is_verified_does_not_choose_the_ledger",
        "assert",
    ),
    Mistake(
        "nodes taken from what is verified",
        _trust_of_the_verified,
        "tests/client/cli/test_verify.py::test_no_file_that_is_verified_chooses_the_nodes",
        "assert",
    ),
    Mistake(
        "a stranger's entry verifies a file",
        _a_strangers_entry_verifies,
        "tests/client/test_verdicts.py::test_the_entries_of_others_are_no_verification",
        "assert",
    ),
    Mistake(
        "a header's own word on its set",
        _since_unchecked,
        "tests/ledger/trust/test_chain.py::test_a_loop_that_leads_back_to_the_same_set_cannot_be_left_out",
        "DID NOT RAISE",
    ),
    Mistake(
        "quota not checked by validators",
        _quota_unchecked,
        "tests/ledger/state/test_quota.py::test_a_validator_refuses_the_block_of_a_proposer_that_does_not_count",
        "DID NOT RAISE",
    ),
    Mistake(
        "any Host is answered",
        _any_host,
        "tests/node/api/test_guard.py::test_any_other_name_is_a_page_that_reads_through_a_visitors_browser",
        "DID NOT RAISE",
    ),
    Mistake(
        "any page submits",
        _pages_submit,
        "tests/node/api/test_guard.py::test_a_page_of_another_site_cannot_submit",
        "DID NOT RAISE",
    ),
    Mistake(
        "one address takes all places",
        _no_part_of_one_address,
        "tests/node/http/test_places.py::test_the_part_of_one_comes_before_the_whole",
        "BY_ADDRESS",
    ),
    Mistake(
        "costly reads run all at once",
        _reads_all_at_once,
        "tests/node/api/test_costly.py::test_only_one_runs_and_all_get_their_turn",
        "assert",
    ),
    Mistake(
        "inadmissible gossip is free",
        _inadmissible_is_free,
        "tests/node/entries/test_receiving.py::"
        "test_entries_of_an_unknown_key_cost_no_signature_and_a_stream_of_them_drops_the_sender",
        "assert",
    ),
    Mistake("frames without a rate", _frames_without_a_rate, "tests/node/peers/test_rates.py", "assert"),
    Mistake(
        "readiness lies on an idle ledger",
        _readiness_lies,
        "tests/node/health/test_voters.py::test_of_three_that_are_connected_one_has_forgotten",
        "not enough values",
    ),
    Mistake(
        "ready with clocks that were set back",
        _clocks_do_not_matter,
        "tests/node/health/test_voters.py::test_clocks_that_were_all_set_back",
        "assert",
    ),
    Mistake(
        "a name steers the terminal",
        _names_steer_the_terminal,
        "tests/client/test_terminal.py::test_whatever_a_name_is_each_line_of_the_client_is_one_harmless_line",
        "UnicodeEncodeError",
    ),
    Mistake("a dead proposer's turn is waited for", early.never, "tests/simulation/test_turns.py", "assert"),
    Mistake(
        "a round is left early without a quorum",
        early.without_a_quorum,
        f"{TURNS}::test_without_a_quorum_nobody_hurries",
        "assert",
    ),
    Mistake(
        "a round is left early with its proposal",
        early.with_a_proposal,
        f"{TURNS}::test_a_proposal_that_came_is_not_left_when_its_proposer_dies_after_it",
        "assert",
    ),
    Mistake(
        "a round left early counts as slow",
        early.as_slow_rounds,
        f"{TURNS}::test_the_round_after_a_dead_turn_is_as_long_as_a_first_one",
        "assert",
    ),
    Mistake(
        "a proposer's return is ignored",
        early.in_spite_of_a_return,
        f"{TURNS}::test_a_proposer_that_comes_back_in_time_has_its_turn",
        "assert",
    ),
    Mistake("pipes are read", _pipes_are_read, "tests/client/test_files.py::test_only_regular_files_are_read", "RAISE"),
    Mistake(
        "unfair share of a block",
        _first_come_first_served,
        "tests/node/entries/test_mempool.py::test_an_honest_entry_behind_a_flood_of_large_ones_is_in_the_next_block",
        "assert",
    ),
    Mistake(
        "unfair share of gossip",
        _gossip_by_arrival,
        "tests/node/entries/test_gossip.py::"
        "test_what_is_more_than_one_message_waits_and_one_that_floods_is_not_before_the_others",
        "assert",
    ),
    Mistake(
        "unfair share of the mempool",
        _room_for_whoever_comes_first,
        "tests/node/entries/test_mempool.py::test_one_that_floods_has_a_third_of_the_room_of_its_class",
        "DID NOT RAISE",
    ),
    Mistake(
        "a full mempool costs more than it counts",
        _memory_is_bytes,
        "tests/node/entries/test_footprint.py::test_a_full_mempool_takes_what_it_counts",
        "assert",
    ),
)
