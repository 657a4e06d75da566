"""What of our messages goes to whom, and when again.

Votes and the claims of round changes are small: they go to all, and again each resend time. Blocks are large:

- A PROPOSAL goes to all, and again to each validator that does not show that it has it.
- The block of a ROUND-CHANGE goes to the proposer of its round, the only one that needs it: the others get the block
  with its PROPOSAL. It goes to each peer once per height and connection, and again to one that does not show that it
  has it. All others get the ROUND-CHANGE with the block's hash.

"Again" is after 1, 2, 4, 8, ... resend times of a round, so that bulk does not fill a line that is thin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from notarium_consensus.effects import Broadcast, Send
from notarium_consensus.inbox import Inbox
from notarium_consensus.justification import HeightContext
from notarium_consensus.messages import Message, Proposal, RoundChange
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.types import Hash, PublicKey, Round

TIMES_TRUSTED: Final = 8
"""After so many resend times of a round without its PROPOSAL, its proposer gets the block that it once voted for."""


class Dispatch:
    """Sends the messages of one height."""

    __slots__ = ("_context", "_doubted", "_effects", "_has_block", "_inbox", "_own_key", "_times")

    def __init__(self, context: HeightContext, own_key: PublicKey | None, inbox: Inbox, effects: StepEffects) -> None:
        self._context = context
        self._own_key = own_key
        self._inbox = inbox
        self._effects = effects
        self._times = 0
        """How often the messages of this round were sent again."""
        self._has_block: dict[PublicKey, Hash] = {}
        """The latest block that a round change of ours took to a peer over the present connection."""
        self._doubted: set[PublicKey] = set()
        """Peers that connected again at this height: they may have forgotten the blocks that they voted for."""

    def enter_round(self) -> None:
        """A new round began."""
        self._times = 0

    def first(self, message: Message) -> None:
        """Send a new message."""
        if not isinstance(message, RoundChange) or message.block is None:
            self._effects.emit(Broadcast(message))
            return
        self._effects.emit(Broadcast(message.by_hash()))
        proposer = self._proposer(message.round)
        if self._has_block.get(proposer) != message.block.hash:
            self._send_block(message, proposer)

    def again(self, messages: Iterable[Message]) -> None:
        """A resend time has passed, or the process was restarted: send our messages of this round again."""
        self._times += 1
        bulk = self._times & (self._times - 1) == 0  # 1, 2, 4, 8, ...
        for message in messages:
            if isinstance(message, Proposal):
                for key in self._without(message) if bulk else ():
                    self._effects.emit(Send(key, message))
            elif isinstance(message, RoundChange) and message.block is not None:
                self._effects.emit(Broadcast(message.by_hash()))
                if bulk:
                    self._send_block(message, self._proposer(message.round))
            else:
                self._effects.emit(Broadcast(message))

    def to_peer(self, peer: PublicKey, messages: Iterable[Message]) -> None:
        """A connection to `peer` came up: what was sent over an earlier one may be lost."""
        self._has_block.pop(peer, None)
        self._doubted.add(peer)
        for message in messages:
            if isinstance(message, RoundChange) and message.block is not None:
                self._effects.emit(Send(peer, message.by_hash()))
                if peer == self._proposer(message.round):
                    self._send_block(message, peer)
            else:
                self._effects.emit(Send(peer, message))

    def _send_block(self, message: RoundChange, peer: PublicKey) -> None:
        """Unless it is known to have the block, or to need it no more."""
        block = message.block
        if block is None or peer == self._own_key or self._shows(peer, message.round, block.hash):
            return
        self._has_block[peer] = block.hash
        self._effects.emit(Send(peer, message))

    def _shows(self, peer: PublicKey, round_: Round, block: Hash) -> bool:
        if self._inbox.proposals.get(peer, round_) is not None:
            return True
        # A proposer that still does not propose may have forgotten a block of long ago (block_checks.BLOCKS_KEPT).
        is_trusted = peer not in self._doubted and self._times < TIMES_TRUSTED
        return is_trusted and self._inbox.has_voted_for(peer, block)

    def _without(self, proposal: Proposal) -> Iterator[PublicKey]:
        """Validators that do not show that they have the PROPOSAL."""
        have = self._inbox.prepares.heard_in(proposal.round) | self._inbox.commits.heard_in(proposal.round)
        for validator in self._context.validators.validators:
            if validator.key != self._own_key and validator.key not in have:
                yield validator.key

    def _proposer(self, round_: Round) -> PublicKey:
        return self._context.validators.proposer(self._context.height, round_)
