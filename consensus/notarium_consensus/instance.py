"""QBFT for one height: state, and the rules of the paper as methods `_upon_*`.

Inputs only change the state; then `_run` applies the rules until none fires, as the paper's "upon" clauses and the
Dafny specification's Upon* predicates do. "Paper" is arXiv 2002.03613 (there rounds count from 1, here from 0).
"""

from __future__ import annotations

from enum import Enum

from notarium_consensus.authentication import Authenticator
from notarium_consensus.block_checks import KnownBlocks, Verdict
from notarium_consensus.config import EngineConfig
from notarium_consensus.effects import (
    Broadcast,
    CheckBlock,
    Decide,
    Persist,
    RequestBlock,
    ResendTimer,
    RoundTimer,
    Send,
    SetTimer,
)
from notarium_consensus.errors import InvalidMessage
from notarium_consensus.events import PeerAhead, ProposalRejected, ProtocolViolation, RoundStarted
from notarium_consensus.inbox import Inbox
from notarium_consensus.justification import HeightContext, Prepared, check_header, highest_prepared, is_fresh, untimely
from notarium_consensus.messages import Message, MessageKind, Proposal, RoundChange, Vote
from notarium_consensus.signer import Signer
from notarium_consensus.signing_record import PREPARED_KEY, SigningRecord, encode_prepared
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal, VoteType
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import MAX_ROUND, Hash, PublicKey, Round


class Phase(Enum):
    """How far the current round is, as this node sees it."""

    WAITING = "waiting"
    """No acceptable proposal yet."""
    CHECKING = "checking"
    """A justified proposal is here; its content is being checked."""
    REJECTED = "rejected"
    """The proposal's content is invalid; the round will time out."""
    PREPARING = "preparing"
    """The block is good; waiting for Q prepares."""
    COMMITTING = "committing"
    """Q prepares are here; waiting for Q commits."""
    DECIDED = "decided"
    """Nothing more happens at this height."""


class Instance:
    """One height. The engine hands it only messages of this height."""

    def __init__(
        self,
        context: HeightContext,
        config: EngineConfig,
        key: SigningKey | None,
        authenticator: Authenticator,
        outbox: StepEffects,
        may_sign: bool,
    ) -> None:
        self.context = context
        self.signer = Signer(context, key, authenticator, outbox, may_sign)
        self.inbox = Inbox(context, authenticator, outbox)
        self.blocks = KnownBlocks(rejected_kept=len(context.validators))
        self.round = Round(0)
        self.phase = Phase.WAITING
        self.prepared: Prepared | None = None
        self.due = False
        """A block is due: only then timers run (mistake 14)."""
        self._config = config
        self._outbox = outbox
        self._own = None if key is None else key.public
        self._accepted: Proposal | None = None
        self._timely = True
        self._timer_runs = False
        """Of the current round."""
        self._building: Round | None = None
        self._nothing_to_propose = False
        self._asked: set[Hash] = set()
        self._last_peer: PublicKey | None = None

    # ---- inputs ------------------------------------------------------------------------------------------------

    def restore(self, record: SigningRecord) -> None:
        """After a restart: the round, the prepared block and the own messages of this height, which are sent again.

        Recorded blocks are checked once more: the runner has forgotten what follows from them.
        """
        self.prepared = record.prepared
        own = self.signer.restore(record.messages)
        rounds = [message.round for message in own]
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
        """From here on this node signs, what it would have signed of the current round first."""
        self.signer.allow()
        proposal = self._accepted
        if self.round > 0 and self.phase is Phase.WAITING:
            self._keep(self.signer.change_round(self.round, self.prepared))
        if proposal is not None and self.phase in (Phase.PREPARING, Phase.COMMITTING) and self._timely:
            self._keep(self.signer.vote(VoteType.PREPARE, self.round, proposal.block.hash))
        if self.phase is Phase.COMMITTING and self.prepared is not None:
            self._commit(self.prepared)
        self._start_round_timer()
        self._run()

    def work_pending(self) -> None:
        """The mempool holds something."""
        self._nothing_to_propose = False
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
            self._outbox.report(ProtocolViolation(peer, str(error)))
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
            return
        changes = self._usable_changes()
        if highest_prepared([change.signed for change in changes]) is None:
            check_header(block, self.context)
            if block.header.proposer != self._own:
                raise InvalidMessage("the block built here names another proposer", "block.header.proposer")
            self.blocks.add_valid(block, self._needed())
            self._propose(block, changes, ())
        # Else a prepared block came to light meanwhile: the rules propose that one.
        self._run()

    def block_checked(self, block: Hash, valid: bool, reason: str) -> None:
        """The answer to CheckBlock."""
        if self.phase is not Phase.DECIDED and self.blocks.finish_check(block, valid, reason, self._needed()):
            self._run()

    def round_timeout(self, round_: Round) -> None:
        """Paper, algorithm 3, "upon timer expires"; "UponRoundTimeout"."""
        if round_ != self.round or not self.due or not self._is_voting() or round_ >= MAX_ROUND:
            return
        self._change_round(Round(round_ + 1), "timeout")
        self._run()

    def resend_timeout(self) -> None:
        """Send again, as long as a block is due: QBFT assumes that messages arrive in the end (mistake 12)."""
        if self.phase is Phase.DECIDED or not self.due:
            return
        self._asked.clear()
        self._set_resend_timer()
        self._resend()
        self._run()

    def peer_connected(self, peer: PublicKey) -> None:
        """Give `peer` what it missed."""
        if self.phase is not Phase.DECIDED and self._is_voting():
            for message in self.signer.of_round(self.round):
                self._outbox.emit(Send(peer, message))

    def fall_behind(self) -> None:
        """Others seem to be at the next height: this one's block is due."""
        self._become_due("others are ahead")

    # ---- rules -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        # Not kept on the instance: bound methods of itself would be a cycle, and its blocks would outlive it.
        rules = (
            self._upon_proposal,
            self._upon_prepare,
            self._upon_commit,
            self._upon_higher_round_changes,
            self._upon_round_change_quorum,
        )
        while self.phase is not Phase.DECIDED and any(rule() for rule in rules):
            pass
        self._start_round_timer()

    def _upon_proposal(self) -> bool:
        """Paper, algorithm 2, "upon PRE-PREPARE"; "UponProposal", after the content check: broadcast PREPARE.

        A proposal that is not timely gets no prepare, but if Q others prepare it, this node commits with them.
        """
        proposal = self._accepted
        if proposal is None or self.phase is not Phase.CHECKING:
            return False
        verdict = self._verdict(proposal.block)
        if verdict is Verdict.INVALID:
            self.phase = Phase.REJECTED
            self._reject(proposal, f"content: {self.blocks.reason(proposal.block)}")
            return True
        if verdict is not Verdict.VALID:
            return False
        self.phase = Phase.PREPARING
        if self._timely:
            self._keep(self.signer.vote(VoteType.PREPARE, self.round, proposal.block.hash))
        return True

    def _upon_prepare(self) -> bool:
        """Paper, algorithm 2, "upon a quorum of PREPARE"; "UponPrepare": lock the block, broadcast COMMIT.

        Only in the current round: whoever has left a round never votes in it (mistake 10).
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
            # Decided, but the block never came (or with wrong entries): somebody must have it.
            self._asked.add(block)
            self._outbox.report(PeerAhead(self._last_peer, self.context.height))
        return False

    def _upon_higher_round_changes(self) -> bool:
        """Paper, algorithm 3, "upon f+1 ROUND-CHANGE of higher rounds": jump to the lowest of them.

        Of all sets of f+1 the one with the highest rounds is taken, which is where applying the rule again and
        again ends.
        """
        rounds = self.inbox.round_changes.highest_rounds()
        reach = self.context.validators.honest_minimum
        if len(rounds) < reach or rounds[reach - 1] <= self.round:
            return False
        self._change_round(rounds[reach - 1], f"{reach} validators are in this round or a later one")
        return True

    def _upon_round_change_quorum(self) -> bool:
        """Paper, algorithm 3, "upon a quorum of ROUND-CHANGE" at its leader; "UponRoundChange": propose.

        Round 0 needs no quorum, only work ("UponBlockTimeout" in Dafny: here a block is due at once).
        """
        if not self.due or not self._is_voting() or self._building is not None:
            return False
        if self.context.validators.proposer(self.context.height, self.round) != self._own:
            return False
        if self.signer.has_signed(self.round, MessageKind.PROPOSAL):
            return False
        changes = self._usable_changes()
        if self.round > 0 and len(changes) < self.context.validators.quorum:
            return False
        highest = highest_prepared([change.signed for change in changes])
        if highest is not None:
            return self._propose_again(highest, changes)
        if not self._nothing_to_propose:
            self._building = self.round
            earliest_ms = self.context.parent_time_ms + 1
            self._outbox.emit(RequestBlock(self.context.height, self.round, earliest_ms))
        return False

    # ---- steps -------------------------------------------------------------------------------------------------

    def _admit(self, message: Message, peer: PublicKey) -> bool:
        if isinstance(message, Vote):
            return self.inbox.admit_vote(message, self.round)
        if isinstance(message, RoundChange):
            return self.inbox.admit_round_change(message, self.round)
        if not self.inbox.admit_proposal(message, self.round):
            return False
        if message.round > self.round:
            # "UponProposal": Q round changes inside prove the round, so the jump needs no others.
            self._become_due("a proposal came")
            self._enter(message.round, "a justified proposal")
            self._start_round_timer(proven=True)
        if message.round == self.round:
            self._accept(message)
        else:
            self._verdict(message.block)  # late, but committed by a quorum: its content is wanted
        return True

    def _accept(self, proposal: Proposal) -> None:
        self._accepted = proposal
        self.phase = Phase.CHECKING
        self._timely = True
        if is_fresh(proposal) and proposal.key != self._own:
            reason = untimely(proposal.block.header.time_ms, proposal.round, self.context, self._outbox.now_ms)
            if reason is not None:
                self._timely = False
                self._reject(proposal, reason)

    def _commit(self, prepared: Prepared) -> None:
        if self.signer.may_sign:
            # The block and its prepares are on disk before the COMMIT that promises to remember them.
            self._outbox.emit(Persist(self.context.height, PREPARED_KEY, encode_prepared(prepared)))
        self._keep(self.signer.vote(VoteType.COMMIT, prepared.round, prepared.block.hash))

    def _change_round(self, round_: Round, reason: str) -> None:
        """Leave the round for a higher one and say so."""
        self._become_due(reason)
        self._enter(round_, reason)
        self._keep(self.signer.change_round(round_, self.prepared))

    def _enter(self, round_: Round, reason: str) -> None:
        self.round = round_
        self.phase = Phase.WAITING
        self._accepted = None
        self._building = None
        self._nothing_to_propose = False
        self._timer_runs = False
        self._outbox.report(RoundStarted(self.context.height, round_, reason))

    def _propose_again(self, highest: tuple[Round, Hash], changes: list[RoundChange]) -> bool:
        """Propose the highest prepared block; its entries as that copy has them whose content is right."""
        for change in changes:
            if change.signed.prepared == highest and change.block is not None:
                verdict = self._verdict(change.block)
                block = self.blocks.valid(highest[1])
                if block is not None:
                    return self._propose(block, changes, change.prepares)
                if verdict is not Verdict.INVALID:
                    return False  # being checked
        return False

    def _usable_changes(self) -> list[RoundChange]:
        """This round's, but those of a prepared block that is here with wrong entries only.

        Whoever sends these lies, and if nobody has the true ones any more (those that prepared may have restarted),
        its claim would keep every honest proposer from proposing.
        """
        changes = self.inbox.round_changes.of_round(self.round) if self.round > 0 else []
        blocks = [change.block for change in changes if change.block is not None]
        hopeful = {block.hash for block in blocks if self.blocks.verdict(block) is not Verdict.INVALID}
        return [change for change in changes if change.block is None or change.block.hash in hopeful]

    def _propose(self, block: Block, changes: list[RoundChange], prepares: tuple[Vote, ...]) -> bool:
        """False: nothing is signed any more, for a signature of ours that we do not know was seen in this step."""
        proposal = self.signer.propose(self.round, block, tuple(change.signed for change in changes), prepares)
        if proposal is None:
            return False
        self._keep(proposal)
        self._accept(proposal)
        return True

    def _decide(self, certificate: QuorumCertificate) -> None:
        block = self.blocks.valid(certificate.block)
        if block is None:
            raise RuntimeError("decided without a checked block; callers look it up first")
        self.phase = Phase.DECIDED
        self._outbox.emit(Decide(Decision(block, certificate)))

    def _verdict(self, block: Block) -> Verdict:
        """What is known of the content of `block`; starts its check if nothing is."""
        verdict = self.blocks.verdict(block)
        if verdict is Verdict.UNKNOWN:
            self.blocks.start_check(block)
            self._outbox.emit(CheckBlock(block))
            return Verdict.CHECKING
        return verdict

    def _keep(self, message: Message | None) -> None:
        if message is not None:
            self.inbox.admit_own(message, self.round)

    def _reject(self, proposal: Proposal, reason: str) -> None:
        self._outbox.report(ProposalRejected(self.context.height, proposal.round, proposal.key, reason))

    def _needed(self) -> list[Hash]:
        needed = [block for _, block in self.inbox.commits.complete]
        if self.prepared is not None:
            needed.append(self.prepared.block.hash)
        if self._accepted is not None:
            needed.append(self._accepted.block.hash)
        return needed

    # ---- timers ------------------------------------------------------------------------------------------------

    def _is_voting(self) -> bool:
        return self.signer.may_sign and self.phase is not Phase.DECIDED

    def _become_due(self, reason: str) -> None:
        if self.due or self.phase is Phase.DECIDED:
            return
        self.due = True
        self._start_round_timer()
        self._set_resend_timer()
        self._outbox.report(RoundStarted(self.context.height, self.round, reason))

    def _start_round_timer(self, proven: bool = False) -> None:
        """Above round 0 only once Q validators are in the round or beyond (PBFT; Castro and Liskov, OSDI 1999, 4.5.2).

        Else a validator that is cut off goes on through the rounds alone, and since the timer is capped, those it meets
        again never catch up with it: where it is needed for the quorum, the ledger stands still (mistake 12). `proven`:
        a justified proposal of the round shows that Q were there.
        """
        if self._timer_runs or not self.due or not self._is_voting():
            return
        if self.round > 0 and not proven and len(self.inbox.reached(self.round)) < self.context.validators.quorum:
            return
        self._timer_runs = True
        at_ms = self._outbox.now_ms + self._config.timeout_ms(self.round)
        self._outbox.emit(SetTimer(RoundTimer(self.context.height, self.round), at_ms))

    def _set_resend_timer(self) -> None:
        self._outbox.emit(SetTimer(ResendTimer(self.context.height), self._outbox.now_ms + self._config.resend_ms))

    def _resend(self) -> None:
        """Votes to all; the proposal, which may be large, only to those of whom nothing shows that they have it."""
        if not self._is_voting():
            return
        for message in self.signer.of_round(self.round):
            if isinstance(message, Proposal):
                have = self.inbox.prepares.heard_in(self.round) | self.inbox.commits.heard_in(self.round)
                for validator in self.context.validators.validators:
                    if validator.key != self._own and validator.key not in have:
                        self._outbox.emit(Send(validator.key, message))
            else:
                self._outbox.emit(Broadcast(message))

    def votes_missing(self) -> tuple[PublicKey, ...]:
        """Validators of whom no message of the current round is here, this node aside."""
        heard = self.inbox.heard_in(self.round)
        return tuple(
            validator.key
            for validator in self.context.validators.validators
            if validator.key not in heard and validator.key != self._own
        )
