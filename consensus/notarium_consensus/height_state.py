"""The state of one height, and the steps that its rules (instance.py) are made of."""

from __future__ import annotations

from notarium_consensus.authentication import Authenticator
from notarium_consensus.block_checks import ContentVerdict, KnownBlocks
from notarium_consensus.config import EngineConfig
from notarium_consensus.dispatch import Dispatch
from notarium_consensus.effects import CheckBlock, Decide
from notarium_consensus.events import ProposalRejected, RoundStarted
from notarium_consensus.inbox import Inbox
from notarium_consensus.justification import HeightContext, Prepared, is_fresh, untimely
from notarium_consensus.messages import Message, Proposal, RoundChange
from notarium_consensus.own_messages import OwnMessages
from notarium_consensus.phase import Phase
from notarium_consensus.step_effects import StepEffects
from notarium_consensus.timers import HeightTimers
from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.statements import Vote
from notarium_ledger.types import Hash, PublicKey, Round


class HeightState:
    """What this node knows of one height. Only Instance, which has the rules, changes it."""

    def __init__(
        self,
        context: HeightContext,
        config: EngineConfig,
        authenticator: Authenticator,
        effects: StepEffects,
        may_sign: bool,
    ) -> None:
        self.context = context
        self.inbox = Inbox(context, authenticator, effects)
        self._dispatch = Dispatch(context, config.own_key, self.inbox, effects)
        self.own = OwnMessages(context, config.signer, authenticator, effects, self._dispatch)
        if may_sign:
            self.own.allow()
        self.blocks = KnownBlocks(rejected_kept=len(context.validators))
        self.round = Round(0)
        self.phase = Phase.WAITING
        self.prepared: Prepared | None = None
        self._reachable: frozenset[PublicKey] = frozenset()
        self._skipped: Round | None = None
        """The last round that ended here without a proposal while its proposer could not be reached."""
        self.next_lengths = context.lengths
        """The patience with which the next height starts."""
        self._timers = HeightTimers(context, config, self.inbox, effects)
        self._effects = effects
        self._own_key = config.own_key
        self._accepted: Proposal | None = None
        self._timely = True
        self._building: Round | None = None
        self._nothing_to_propose = False
        self._asked: set[Hash] = set()
        self._last_peer: PublicKey | None = None

    @property
    def due(self) -> bool:
        """Whether a block is due: only then timers run (mistake 14)."""
        return self._timers.due

    def votes_missing(self) -> tuple[PublicKey, ...]:
        """The other validators that have sent no message of the current round or of a later one."""
        heard = self.inbox.reached(self.round)
        keys = (each.key for each in self.context.validators.validators)
        return tuple(key for key in keys if key not in heard and key != self._own_key)

    # ---- steps -------------------------------------------------------------------------------------------------

    def _accept(self, proposal: Proposal) -> None:
        self._timers.see_proposal()
        self._accepted = proposal
        self.phase = Phase.CHECKING
        self._timely = True
        if is_fresh(proposal) and proposal.key != self._own_key:
            length_ms = self._timers.length_ms(proposal.round)
            reason = untimely(proposal.block.header.time_ms, length_ms, self.context, self._effects.now_ms)
            if reason is not None:
                self._timely = False
                self._reject(proposal, reason)

    def _commit(self, prepared: Prepared) -> None:
        self._keep(self.own.commit(prepared))

    def _forget_verdicts(self) -> None:
        """Nothing is known of any content: what was found out without the whole history counts for nothing.

        The proposal of this round is checked again before it gets a vote, and Q prepares for it lock it then. Of the
        locks the one on the disk stays. Another one was gained without a COMMIT, so nothing promised to remember it.
        """
        for block in self.blocks.forget():
            if block.hash in self._needed():
                self._verdict(block)
        self.prepared = self.own.lock
        if self._accepted is not None:
            self.phase = Phase.CHECKING

    def _change_round(self, round_: Round, reason: str) -> None:
        """Leave the round for a higher one, with a ROUND-CHANGE."""
        self._become_due(reason)
        self._enter(round_, reason)
        self._keep(self.own.change_round(round_, self.prepared))

    def _enter(self, round_: Round, reason: str) -> None:
        has_skipped = self.phase is Phase.WAITING and self._is_proposer_absent()
        if has_skipped:
            self._skipped = self.round
        self.round = round_
        self.phase = Phase.WAITING
        self._accepted = None
        self._building = None
        self._nothing_to_propose = False
        self._timers.enter_round(has_skipped=has_skipped)
        self._dispatch.enter_round()
        self._effects.report(RoundStarted(self.context.height, round_, reason))

    def _propose_again(self, highest: tuple[Round, Hash], changes: list[RoundChange]) -> bool:
        """Propose the highest prepared block, with the entries of the copy whose content is valid."""
        for copy in self.inbox.copies(highest[1]):
            if self.blocks.valid(highest[1]) is None and self._verdict(copy) is ContentVerdict.CHECKING:
                return False
        block = self.blocks.valid(highest[1])
        if block is None:
            return False
        prepares = next(change.prepares for change in changes if change.signed.prepared == highest)
        return self._propose(block, changes, prepares)

    def _usable_changes(self) -> list[RoundChange]:
        """The round changes of this round, except those whose prepared block is not here, or with wrong entries only.

        A liar may have the prepares of a block and keep the block to itself, or send wrong entries under its header. If
        no node has the right ones any more (those that prepared may have restarted), the liar's claim would keep every
        honest proposer from proposing. An honest node sends the block to the proposer, so its claim counts when the
        block is here. Any Q round changes are as safe as any others.
        """
        changes = self.inbox.round_changes.of_round(self.round) if self.round > 0 else []
        return [each for each in changes if each.signed.prepared is None or self._may_have(each.signed.prepared[1])]

    def _may_have(self, block: Hash) -> bool:
        """Whether the content of a block is here, as far as is known."""
        if self.blocks.valid(block) is not None or self.blocks.is_checking(block):
            return True
        return any(self.blocks.verdict(copy) is not ContentVerdict.INVALID for copy in self.inbox.copies(block))

    def _propose(self, block: Block, changes: list[RoundChange], prepares: tuple[Vote, ...]) -> bool:
        """False if nothing is signed: the signer refuses, or an unknown signature of ours was seen in this step."""
        proposal = self.own.propose(self.round, block, tuple(change.signed for change in changes), prepares)
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
        self._learn(left=certificate.round if certificate.round < self.round else None)
        self._effects.emit(Decide(Decision(block, certificate)))

    def others_decided(self) -> None:
        """The height is over. If not by this node's decision, the rounds that it needed are a lesson all the same."""
        if self.phase is not Phase.DECIDED and self.round > 0:
            self._learn(left=None if self._timers.is_round_timed else Round(self.round - 1))

    def _learn(self, left: Round | None) -> None:
        """`left`: the round that decided, as far as is known, where this node had left it before."""
        if not self.own.may_sign:
            return  # Its timers do not run: it waits for nobody.
        if left is not None and left == self._skipped:
            return  # This node did not wait for its proposal, so it does not know how much time was needed.
        worked, took_ms = self._timers.worked(self.round), self._timers.round_took_ms(self.round)
        self.next_lengths = self.context.lengths.after(worked, took_ms, has_left=left is not None)

    def _verdict(self, block: Block) -> ContentVerdict:
        """What is known of the content of `block`; starts its check if nothing is."""
        verdict = self.blocks.verdict(block)
        if verdict is ContentVerdict.UNKNOWN:
            self.blocks.start_check(block)
            self._effects.emit(CheckBlock(block, self.blocks.attempt))
            return ContentVerdict.CHECKING
        return verdict

    def _keep(self, message: Message | None) -> None:
        if message is not None:
            self.inbox.admit_own(message, self.round)

    def _reject(self, proposal: Proposal, reason: str) -> None:
        self._timers.proposal_rejected()
        self._effects.report(ProposalRejected(self.context.height, proposal.round, proposal.key, reason))

    def _needed(self) -> list[Hash]:
        needed = [block for _, block in self.inbox.commits.complete]
        if self.prepared is not None:
            needed.append(self.prepared.block.hash)
        if self._accepted is not None:
            needed.append(self._accepted.block.hash)
        return needed

    # ---- timers ------------------------------------------------------------------------------------------------

    def _is_proposer_absent(self) -> bool:
        """Whether the proposer of this round cannot be reached, and a quorum that could go on without it can."""
        validators = self.context.validators
        proposer = validators.proposer(self.context.height, self.round)
        if proposer == self._own_key or proposer in self._reachable:
            return False
        here = sum(each.key == self._own_key or each.key in self._reachable for each in validators.validators)
        return here >= validators.quorum

    def _waits_in_vain(self) -> bool:
        """Whether this node waits for a proposal that cannot reach it, in a round that it could leave at its end."""
        is_waiting = self._is_voting() and self.phase is Phase.WAITING and self._timers.is_round_timed
        return is_waiting and self._is_proposer_absent()

    def _watch_proposer(self) -> None:
        self._timers.watch_proposer(self.round, is_absent=self._waits_in_vain())

    def _is_voting(self) -> bool:
        return self.own.may_sign and self.phase is not Phase.DECIDED

    def _become_due(self, reason: str) -> None:
        if self.due or self.phase is Phase.DECIDED:
            return
        self._timers.due = True
        self._start_round_timer()
        self._timers.start_resend()
        self._effects.report(RoundStarted(self.context.height, self.round, reason))

    def _start_round_timer(self, proven: bool = False) -> None:
        if self._is_voting():
            self._timers.start_round(self.round, is_proven=proven)

    def _resend(self) -> None:
        if self._is_voting():
            self._dispatch.again(self.own.of_round(self.round))
