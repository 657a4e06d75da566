"""QBFT for one height: state, and the rules of the paper as methods `_upon_*`.

Inputs only change the state. Then `_run` tries the first five rules in this order until none fires; the last three fire
on their input. "Paper" is arXiv 2002.03613 (there rounds count from 1, here from 0), the predicates are those of the
Dafny specification, and the mistakes are numbered as in docs/consensus.md.

============================  ============================================  ==================  ==============
rule                          paper                                         Dafny               mistakes
============================  ============================================  ==================  ==============
_upon_proposal                algorithm 2, "upon PRE-PREPARE"               UponProposal        4, 9
_upon_prepare                 algorithm 2, "upon a quorum of PREPARE"       UponPrepare         1, 2, 3, 6, 10
_upon_commit                  algorithm 2, "upon a quorum of COMMIT"        UponCommit          1, 3, 5
_upon_higher_round_changes    algorithm 3, "upon f+1 ROUND-CHANGE"          (none)              12
_upon_round_change_quorum     algorithm 3, "upon a quorum of ROUND-CHANGE"  UponRoundChange     1, 2, 4, 14
_upon_round_timeout           algorithm 3, "upon timer expires"             UponRoundTimeout    10, 12, 14
_upon_absent_proposer         algorithm 3, "upon timer expires", early      UponRoundTimeout    10, 12, 14
_upon_later_proposal          algorithm 2, "upon PRE-PREPARE"               UponProposal        4, 12
============================  ============================================  ==================  ==============

Each is a member of `Rule`, and `Engine.fired` lists those that fired in the last step.
"""

from __future__ import annotations

from notarium_consensus.block_checks import ContentVerdict
from notarium_consensus.effects import RequestBlock
from notarium_consensus.errors import InvalidMessage
from notarium_consensus.events import PeerAhead, ProposerAbsent, ProtocolViolation
from notarium_consensus.height_state import HeightState
from notarium_consensus.justification import Prepared, check_header, highest_prepared
from notarium_consensus.messages import Message, Proposal, RoundChange
from notarium_consensus.phase import Phase
from notarium_consensus.rules import Rule
from notarium_consensus.signing_record import SigningRecord
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.statements import StatementKind, Vote
from notarium_ledger.types import MAX_ROUND, Hash, PublicKey, Round


class Instance(HeightState):
    """One height. The engine hands it only messages of this height."""

    # ---- inputs ------------------------------------------------------------------------------------------------

    def restore(self, record: SigningRecord) -> None:
        """After a restart: restore the round, the prepared block and our messages of this height, and send them again.

        Recorded blocks are checked again, since the runner has forgotten their effect on the state.
        """
        own = self.own.restore(record)
        self.prepared = self.own.lock
        if self.prepared is not None:
            self._timers.see_prepared(self.prepared.round)
        latest = self.own.latest_round
        rounds = [] if latest is None else [latest]
        if self.prepared is not None:
            rounds.append(self.prepared.round)
        if not rounds:
            return
        self.round = max(rounds)
        for message in own:
            self.inbox.admit_own(message, self.round)
            if isinstance(message, Proposal) and message.round == self.round:
                self._accept(message)
        if self.prepared is not None:
            self._verdict(self.prepared.block)
        self._become_due("restarted")
        self._resend()
        self._run()

    def begin_to_sign(self) -> None:
        """Sign from now on, but nothing on a verdict of before: history was missing, so content is checked again."""
        if self.phase is Phase.DECIDED:
            return
        self.own.allow()
        if not self.own.may_sign:
            return
        self._forget_verdicts()
        if self.round > 0 and self.phase is Phase.WAITING:
            self._keep(self.own.change_round(self.round, self.prepared))
        self._start_round_timer()
        self._run()

    def work_pending(self) -> None:
        """The mempool holds something."""
        self._nothing_to_propose = False
        self._timers.have_work(self.round)
        self._become_due("work is pending")
        self._run()

    def receive(self, message: Message, peer: PublicKey) -> None:
        """A message of this height."""
        if self.phase is Phase.DECIDED:
            return
        self._last_peer = peer
        try:
            news = self._admit(message, peer)
        except InvalidMessage as error:
            self._effects.report(ProtocolViolation(peer, str(error)))
            return
        if news:
            self._become_due("a message came")
            self._run()

    def block_built(self, round_: Round, block: Block | None) -> None:
        """The answer to RequestBlock. Raises InvalidMessage if the runner built a block that no peer would accept."""
        if self._building != round_ or round_ != self.round or self.phase is Phase.DECIDED:
            return
        self._building = None
        if block is None:
            self._nothing_to_propose = True
            self._timers.have_nothing()
            return
        changes = self._usable_changes()
        if highest_prepared([change.signed for change in changes]) is None:
            check_header(block, self.context)
            if block.header.proposer != self._own_key:
                raise InvalidMessage("the block built here names another proposer", "block.header.proposer")
            self.blocks.add_valid(block, self._needed())
            if self._propose(block, changes, ()):
                self._effects.fired.append(Rule.ROUND_CHANGE_QUORUM)
            elif self._is_voting():
                self._nothing_to_propose = True  # The signer refuses: do not ask for the same block without end.
        # Otherwise a prepared block came to light meanwhile: the rules propose that one.
        self._run()

    def block_checked(self, block: Hash, valid: bool, reason: str, attempt: int) -> None:
        """The answer to CheckBlock."""
        if self.phase is Phase.DECIDED or attempt != self.blocks.attempt:
            return
        if self.blocks.finish_check(block, valid, reason, self._needed()):
            self._run()

    def round_timeout(self, round_: Round) -> None:
        """The timer of `round_` has expired."""
        if self._upon_round_timeout(round_):
            self._run()

    def absence_timeout(self, round_: Round) -> None:
        """The proposer of `round_` has been unreachable for long enough, unless it came back."""
        if self._upon_absent_proposer(round_):
            self._run()

    def reach(self, peers: frozenset[PublicKey]) -> None:
        """These peers, and no others, are connected."""
        self._reachable = peers
        self._watch_proposer()

    def propose_timeout(self, round_: Round) -> None:
        """This node's clock has passed the parent's time."""
        if round_ == self.round and self.phase is not Phase.DECIDED:
            self._timers.propose_expired()
            self._run()

    def resend_timeout(self) -> None:
        """Send again while a block is due: QBFT assumes that messages arrive eventually (mistake 12)."""
        if self.phase is Phase.DECIDED or not self.due:
            return
        self._asked.clear()
        self._timers.start_resend()
        self._resend()
        self._run()

    def peer_connected(self, peer: PublicKey) -> None:
        """Send `peer` our messages of the current round."""
        if self.phase is not Phase.DECIDED and self._is_voting():
            self._dispatch.to_peer(peer, self.own.of_round(self.round))

    def fall_behind(self) -> None:
        """Others seem to be at the next height, so a block is due at this one."""
        self._become_due("others are ahead")

    def _admit(self, message: Message, peer: PublicKey) -> bool:
        if isinstance(message, Vote):
            news = self.inbox.admit_vote(message, self.round)
        elif isinstance(message, RoundChange):
            news = self.inbox.admit_round_change(message, self.round)
        else:
            return self._admit_proposal(message)
        if news and isinstance(message, RoundChange) and message.signed.prepared is not None:
            self._timers.see_prepared(self.round)
        return news

    def _admit_proposal(self, message: Proposal) -> bool:
        if not self.inbox.admit_proposal(message, self.round):
            return False
        if message.round < self.round:
            self._verdict(message.block)  # Late, but a quorum has committed to it: its content is needed.
        elif not self._upon_later_proposal(message):
            self._accept(message)
        return True

    # ---- rules -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self.phase is not Phase.DECIDED:
            fired = self._fire()
            if fired is None:
                break
            self._effects.fired.append(fired)
        self._start_round_timer()
        self._watch_proposer()

    def _fire(self) -> Rule | None:
        """The first rule that fires, tried in the paper's order, or None."""
        if self._upon_proposal():
            return Rule.PROPOSAL
        if self._upon_prepare():
            return Rule.PREPARE
        if self._upon_commit():
            return Rule.COMMIT
        if self._upon_higher_round_changes():
            return Rule.HIGHER_ROUND_CHANGES
        return Rule.ROUND_CHANGE_QUORUM if self._upon_round_change_quorum() else None

    def _upon_proposal(self) -> bool:
        """Paper, algorithm 2, "upon PRE-PREPARE"; "UponProposal", after the content check: broadcast PREPARE.

        A proposal that is not timely gets no prepare, but if Q others prepare it, this node commits with them.
        """
        proposal = self._accepted
        if proposal is None or self.phase is not Phase.CHECKING:
            return False
        verdict = self._verdict(proposal.block)
        if verdict is ContentVerdict.INVALID:
            self.phase = Phase.REJECTED
            self._reject(proposal, f"content: {self.blocks.reason(proposal.block)}")
            return True
        if verdict is not ContentVerdict.VALID:
            return False
        self.phase = Phase.PREPARING
        if self._timely:
            self._keep(self.own.vote(StatementKind.PREPARE, self.round, proposal.block.hash))
        return True

    def _upon_prepare(self) -> bool:
        """Paper, algorithm 2, "upon a quorum of PREPARE"; "UponPrepare": lock the block, broadcast COMMIT.

        Only in the current round: a node never votes in a round that it has left (mistake 10).
        """
        proposal = self._accepted
        if proposal is None or self.phase is not Phase.PREPARING:
            return False
        subject = (self.round, proposal.block.hash)
        block = self.blocks.valid(proposal.block.hash)
        if subject not in self.inbox.prepares.complete or block is None:
            return False
        self.phase = Phase.COMMITTING
        self.prepared = Prepared(self.round, block, self.inbox.prepares.votes(*subject))
        self._timers.see_prepared(self.round)
        self._commit(self.prepared)
        return True

    def _upon_commit(self) -> bool:
        """Paper, algorithm 2, "upon a quorum of COMMIT"; "UponCommit": Q commits of any one round decide."""
        for round_, block in self.inbox.commits.complete:
            if self.blocks.valid(block) is not None:
                seals = tuple(Seal(vote.key, vote.signature) for vote in self.inbox.commits.votes(round_, block))
                self._decide(QuorumCertificate(self.context.height, round_, block, seals))
                return True
            if self.blocks.is_checking(block) or block in self._asked or self._last_peer is None:
                continue
            # Decided, but the block did not come, or with wrong entries only: a peer must have it.
            self._asked.add(block)
            self._effects.report(PeerAhead(self._last_peer, self.context.height))
        return False

    def _upon_higher_round_changes(self) -> bool:
        """Paper, algorithm 3, "upon f+1 ROUND-CHANGE of higher rounds": jump to the lowest of them.

        Of all sets of f+1 the one with the highest rounds counts. To apply the paper's rule again and again ends there.
        """
        rounds = self.inbox.round_changes.highest_rounds()
        reach = self.context.validators.honest_minimum
        if len(rounds) < reach or rounds[reach - 1] <= self.round:
            return False
        self._change_round(rounds[reach - 1], f"{reach} validators are in this round or a later one")
        return True

    def _upon_round_change_quorum(self) -> bool:
        """Paper, algorithm 3, "upon a quorum of ROUND-CHANGE" at its leader; "UponRoundChange": propose.

        Round 0 needs no quorum, only work ("UponBlockTimeout" in Dafny; here a block is due at once). The rule has
        fired when the proposal is signed, which for a fresh block is in `block_built`.
        """
        if not self.due or not self._is_voting() or self._building is not None:
            return False
        if self.context.validators.proposer(self.context.height, self.round) != self._own_key:
            return False
        if self.own.has_signed(self.round, StatementKind.PROPOSAL):
            return False
        changes = self._usable_changes()
        if self.round > 0 and len(changes) < self.context.validators.quorum:
            return False
        highest = highest_prepared([change.signed for change in changes])
        if highest is not None:
            return self._propose_again(highest, changes)
        if not self._nothing_to_propose and self._timers.may_propose(self.round):
            self._building = self.round
            earliest_ms = self.context.parent_time_ms + 1
            self._effects.emit(RequestBlock(self.context.height, self.round, earliest_ms))
        return False

    def _upon_round_timeout(self, round_: Round) -> bool:
        """Paper, algorithm 3, "upon timer expires"; "UponRoundTimeout": go to the next round."""
        if round_ != self.round or not self.due or not self._is_voting() or round_ >= MAX_ROUND:
            return False
        self._effects.fired.append(Rule.ROUND_TIMEOUT)
        self._change_round(Round(round_ + 1), "timeout")
        return True

    def _upon_absent_proposer(self, round_: Round) -> bool:
        """Paper, algorithm 3, "upon timer expires", before its time: the proposer of this round cannot be reached.

        Safety does not depend on when a timer expires. The round's timer runs, so this node does not go through the
        rounds alone (mistake 12), and no proposal is here, so no vote is withdrawn from one.
        """
        if round_ != self.round or not self._timers.is_proposer_watched or round_ >= MAX_ROUND:
            return False
        if not self._waits_in_vain():
            return False
        self._effects.fired.append(Rule.ABSENT_PROPOSER)
        height = self.context.height
        self._effects.report(ProposerAbsent(height, round_, self.context.validators.proposer(height, round_)))
        self._change_round(Round(round_ + 1), "the proposer cannot be reached")
        return True

    def _upon_later_proposal(self, proposal: Proposal) -> bool:
        """Paper, algorithm 2, "upon PRE-PREPARE"; "UponProposal": go to the round of a justified proposal.

        The Q round changes inside prove the round, so the jump needs no others.
        """
        if proposal.round <= self.round:
            return False
        self._effects.fired.append(Rule.LATER_PROPOSAL)
        self._become_due("a proposal came")
        self._enter(proposal.round, "a justified proposal")
        self._start_round_timer(proven=True)
        self._accept(proposal)
        return True
