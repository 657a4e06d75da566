"""A seeded network and a seeded liar around real engines: what happens next, in the model's words.

The same choices as the random steps of docs/spec/qbft.qnt: whatever the liar can sign around what it has seen signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from tests.spec.replay import Event, Stage
from tests.spec.words import Value

from notarium_consensus.phase import Phase

LAST_ROUND = 4
"""Of the model's exploration."""
MEMBERS = range(4)
QUORUM = 3
KINDS = ("RoundChange", "Proposal", "Prepare", "Commit")
"""In the order in which they make sense."""

Said = tuple[str, Value]


def proposer(round_: int) -> int:
    """Whose turn it is at height 1."""
    return (1 + round_) % 4


class Chance:
    """Chooses the next event. Equal seeds and equal engines: equal events."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._random = Random(seed)
        liar = stage.liar
        self._lies = [{"by": liar, "name": name, "ok": name < 2} for name in range(3)]
        self._offered: list[Value] = []
        """The liar's own proposals."""
        for member in stage.hosts:
            for round_ in range(LAST_ROUND + 1):
                stage.words.fresh_block(member, round_)

    def event(self) -> Event | None:
        """What happens next, or None if everybody has decided."""
        weights = {
            self._hear_round: 6,
            self._expire: 3,
            self._restart: 1,
            self._hear_one: 1,
            self._lie_vote: 1,
            self._lie_change: 1,
            self._lie_offer: 3,
            self._lie_certificate: 1,
        }
        while self._open():
            (kind,) = self._random.choices(list(weights), list(weights.values()))
            event = kind()
            if event is not None:
                return event
        return None

    # ---- what there is -----------------------------------------------------------------------------------------

    def _open(self) -> list[int]:
        return [member for member, host in self._stage.hosts.items() if host.phase is not Phase.DECIDED]

    def _who(self) -> int:
        return self._random.choice(self._open())

    def _round(self, who: int) -> int:
        return self._stage.hosts[who].instance.round

    def _said(self, member: int | None = None) -> list[Said]:
        """Everything that the honest signed, or that one of them did."""
        words = self._stage.words
        return [
            words.message_value(message)
            for each, host in self._stage.hosts.items()
            if member in (None, each)
            for message in host.ever_sent
        ]

    def _values(self, tag: str) -> list[Value]:
        return [value for each, value in self._said() if each == tag]

    def _blocks(self) -> list[Value]:
        return [*self._lies, *(value["block"] for value in self._values("Proposal"))]

    def _provable(self, tag: str, round_: int, block: Value) -> list[Value]:
        """All votes for one round and block, the liar's included."""
        votes = [vote for vote in self._values(tag) if vote["round"] == round_ and vote["block"] == block]
        return [*votes, {"signer": self._stage.liar, "round": round_, "block": block}]

    def _receive(self, who: int, messages: list[Said]) -> Event:
        return "Receive", {"to": who, "messages": messages, "timely": self._random.randrange(8) > 0}

    def _perhaps_by_hash(self, messages: list[Said]) -> list[Said]:
        """Blocks of round changes come, or not."""
        if self._random.random() < 0.6:
            return messages
        return [(tag, {**value, "whole": False}) if tag == "RoundChange" else (tag, value) for tag, value in messages]

    # ---- the network -------------------------------------------------------------------------------------------

    def _hear_round(self) -> Event | None:
        """A member hears of its round, or of one ahead, of all or of some."""
        who, random = self._who(), self._random
        some = random.choice([MEMBERS, list(self._stage.hosts), random.sample(MEMBERS, random.randint(1, 4))])
        round_ = self._round(who) + random.choice([0, 0, 0, random.randrange(3)])
        if round_ > LAST_ROUND:
            return None
        told = [message for member in some if member != who for message in self._said_in(member, round_)]
        told.sort(key=lambda each: KINDS.index(each[0]))
        return self._receive(who, self._perhaps_by_hash(told)) if told else None

    def _said_in(self, member: int, round_: int) -> Iterator[Said]:
        if member != self._stage.liar:
            yield from (each for each in self._said(member) if each[1]["round"] == round_)
            return
        offers = [offer for offer in [*self._offered, *self._values("Proposal")] if offer["round"] == round_]
        if round_:
            yield "RoundChange", {**self._core(round_), "prepares": [], "whole": False}
        for offer in offers:
            if offer["signer"] == member:
                yield "Proposal", offer
            vote = {"signer": member, "round": round_, "block": offer["block"]}
            yield "Prepare", vote
            yield "Commit", vote

    def _hear_one(self) -> Event | None:
        """Any one message, new or old."""
        who = self._who()
        heard = [message for member in self._stage.hosts if member != who for message in self._said(member)]
        return self._receive(who, self._perhaps_by_hash([self._random.choice(heard)])) if heard else None

    def _expire(self) -> Event | None:
        who = self._who()
        return ("Timeout", who) if self._round(who) < LAST_ROUND else None

    def _restart(self) -> Event:
        return ("Wipe" if self._random.random() < 0.2 else "Restart"), self._who()

    # ---- lies --------------------------------------------------------------------------------------------------

    def _core(self, round_: int, claim: Value | None = None) -> Value:
        said: Any = ("None", []) if claim is None else ("Some", claim)
        return {"signer": self._stage.liar, "round": round_, "claim": said}

    def _lie_vote(self) -> Event:
        who, random = self._who(), self._random
        round_ = random.randint(0, min(LAST_ROUND, self._round(who) + 1))
        vote = {"signer": self._stage.liar, "round": round_, "block": random.choice(self._blocks())}
        return self._receive(who, [(random.choice(["Prepare", "Commit"]), vote)])

    def _lie_change(self) -> Event:
        """A claim, true or false, with such proof as there is; perhaps of another round, or of too few votes."""
        who, random = self._who(), self._random
        round_ = random.randint(self._round(who), LAST_ROUND)
        claimed, block = random.randint(0, round_), random.choice(self._blocks())
        if random.random() < 0.5:
            return self._receive(who, [("RoundChange", {**self._core(round_), "prepares": [], "whole": False})])
        proven = claimed if random.random() < 0.75 else abs(claimed - 1)
        core = self._core(round_, {"round": claimed, "block": block})
        proof = {"prepares": self._provable("Prepare", proven, block), "whole": random.random() < 0.5}
        return self._receive(who, [("RoundChange", {**core, **proof})])

    def _lie_offer(self) -> Event | None:
        """A proposal to one member, with any round changes for the round, and the prepares of any claim."""
        who, random = self._who(), self._random
        rounds = [each for each in range(self._round(who), LAST_ROUND + 1) if proposer(each) == self._stage.liar]
        if not rounds:
            return None
        round_, block = random.choice(rounds), random.choice(self._blocks())
        claims = [{"round": vote["round"], "block": vote["block"]} for vote in self._values("Prepare")]
        mine = self._core(round_, random.choice([None, *claims]))
        others = [
            {name: change[name] for name in ("signer", "round", "claim")}
            for change in self._values("RoundChange")
            if change["round"] == round_
        ]
        if random.random() < 0.3:
            others = random.sample(others, random.randint(0, len(others)))
        named = [core["claim"][1] for core in [*others, mine] if core["claim"][0] == "Some"]
        proof = random.choice([None, *named])
        offer = {
            "signer": self._stage.liar,
            "round": round_,
            "block": block if proof is None or random.random() < 0.1 else proof["block"],
            "changes": [] if round_ == 0 and random.random() < 0.9 else [*others, mine],
            "prepares": [] if proof is None else self._provable("Prepare", proof["round"], proof["block"]),
        }
        self._offered.append(offer)
        return self._receive(who, [("Proposal", offer)])

    def _lie_certificate(self) -> Event | None:
        """A good one of any round, or one stitched together from votes of several rounds."""
        commits = self._values("Commit")
        if not commits:
            return None
        vote = self._random.choice(commits)
        is_stitched = self._random.random() < 0.5
        seals = [
            each
            for each in commits
            if each["block"] == vote["block"] and (is_stitched or each["round"] == vote["round"])
        ]
        seals.append({"signer": self._stage.liar, "round": vote["round"], "block": vote["block"]})
        if len(seals) < QUORUM:
            return None
        seals = self._random.sample(seals, self._random.randint(QUORUM, len(seals)))
        certificate = {"round": vote["round"], "block": vote["block"], "seals": seals}
        return "Learn", {"to": self._who(), "certificate": certificate}
