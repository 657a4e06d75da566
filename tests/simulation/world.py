"""The simulated world: one clock, one queue of events, one seed. Nothing else decides what happens."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.costs import Costs
from tests.simulation.lines import Lines
from tests.simulation.links import Links
from tests.simulation.loop import WORLD, Life, SimulatedLoop
from tests.simulation.member import Member
from tests.simulation.speaking import Speaker
from tests.simulation.substitutes import directories
from tests.simulation.watch import Watch
from tests.support.consortium import START_MS, Consortium

from notarium_ledger import signing
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.chain_state import ChainState
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Registry
from notarium_ledger.types import Hash, PublicKey

if TYPE_CHECKING:
    from tests.simulation.schedules import Schedule

DAY_MS = 24 * 60 * 60 * 1000
MAX_STEPS = 500_000
"""Of one seed; a longer one is a storm."""
ASK_S = 0.02
MAX_SKEW_MS = 200
RESUBMIT_S = 3.0
ANSWERED_S = 30.0
"""In which every client has its receipt once all are level."""
VOTE_TRIES = 1_000
VOTE_S = 8.0
"""In which a vote on validators takes effect, where other votes may prevent it."""
LEAST_SAFE = 4
"""Validators; fewer only by a vote that says so, of one more than a quorum."""
PAD_BYTES = 250
PADDING_BYTES = 310
"""Of a subject with a name of PAD_BYTES."""


class SimulationFailed(AssertionError):
    """What the seed showed. The message names seed, size and scenario."""


class World:
    """Some members, the network between them, clients that submit entries, and faults until they end."""

    def __init__(self, seed: int, size: int, transcript: list[str] | None, schedule: Schedule) -> None:
        """`size`: validators; beside them the schedule's observers, or one or none as the seed draws it."""
        self.seed = seed
        self.schedule = schedule
        self.size = size
        self.cast = ""
        """Who lies, and how."""
        self.random = Random(seed)
        self.loop = SimulatedLoop()  # type: ignore[abstract]  # what it lacks no node calls
        self.loop.on_error = self._on_error
        observers = self.random.randint(0, 1) if schedule.observers is None else schedule.observers
        self.consortium = consortium(size, observers, schedule.parameters, size if schedule.spending else 1)
        self.genesis: Genesis = self.consortium.genesis
        self.coverage: Counter[str] = Counter()
        self.transcript = transcript
        self.failure: BaseException | None = None
        self.is_troubled = False
        self.peace_s = 0.0
        """When the faults ended."""
        self.midnight_s = math.inf
        """When a day of UTC ends."""
        self._began_ms = START_MS + schedule.age_s * 1000
        if schedule.midnight_s is not None:
            self.midnight_s = self.random.uniform(*schedule.midnight_s)
            self._began_ms = (START_MS // DAY_MS + 1) * DAY_MS - int(1000 * self.midnight_s)
        self.dusk_s = self.dawn_s = math.inf
        """From when to when nobody has work (night.py)."""
        self.crash_probability = 0.0
        self.links = Links(self, self.random)
        self.members: list[Member] = []
        self.holders: dict[PublicKey, list[int]] = {}
        self.paths = directories(2 * size + 2)
        self.snapshot_lag = self.random.choice([1, 3, 1_000])
        """From how many blocks behind on nodes begin with a snapshot."""
        self.watch = Watch(self)
        self.voting = False
        self._speakers: dict[int, Speaker] = {}
        self._seen = self.consortium.state
        """The highest state of the honest nodes that are down."""
        self.entries = 0
        self.made: dict[Hash, bytes] = {}
        """All of `new_entry`, by id: clients wait for their receipts."""
        self.recovered_s = 0.0
        """How long after the last fault everything was decided and level."""
        if schedule.mbit_per_s:
            self.links.lines = Lines(self.loop, self.random.choice(schedule.mbit_per_s))
        self.costs = Costs(self.random.choice(schedule.slowness)) if schedule.slowness else None

    # ---- members ---------------------------------------------------------------------------------------------

    def join(self, member: Member) -> None:
        """Add a member (its number is its place)."""
        self.members.append(member)
        self.holders.setdefault(member.public, []).append(member.number)
        self.watch.joined(member)

    @property
    def honest(self) -> list[Member]:
        """Who keeps to the rules."""
        return [member for member in self.members if member.is_honest]

    def is_honest(self, key: PublicKey) -> bool:
        """Whether all who hold this key keep to the rules."""
        return all(self.members[number].is_honest for number in self.holders[key])

    @property
    def tolerated(self) -> int:
        """f: how many members may be faulty, also when the set is at its smallest."""
        return (self.size - self.schedule.leavers - 1) // 3

    @property
    def faulty(self) -> int:
        """Members that lie, that have not signed since their disk was lost, or whose clock is wrong; twins are one."""
        bad = (m for m in self.members if not m.is_honest or m.is_forgetful or m.is_clock_wrong)
        return len({member.record.member for member in bad})

    def clocks_ms(self) -> tuple[int, int]:
        """The slowest and the fastest clock of those that are right."""
        skews = [member.skew_ms for member in self.honest if not member.is_clock_wrong]
        return self.now_ms + min(skews), self.now_ms + max(skews)

    @property
    def registry(self) -> Registry:
        """Of the most advanced honest node, also when it is down."""
        return self._newest().registry

    def _newest(self) -> ChainState:
        nodes = [member.node for member in self.honest if member.node is not None]
        return max([self._seen, *(node.store.state for node in nodes)], key=lambda state: state.height)

    def ends(self, member: Member) -> None:
        """A process ends: what it knows of the consortium stays known."""
        if member.is_honest and member.node is not None and member.node.store.state.height > self._seen.height:
            self._seen = member.node.store.state

    def doors(self) -> list[Member]:
        """Where clients submit: honest validators."""
        return [member for member in self.honest if member.is_validator]

    def unanswered(self) -> list[bytes]:
        """Entries for which no client has a receipt, although their members may write them today."""
        known = self.watch.acknowledged
        return [raw for id_, raw in self.made.items() if id_ not in known and self.watch.has_room(raw)]

    def waiting(self) -> list[bytes]:
        """Entries that wait for a block at some honest node."""
        nodes = [member.node for member in self.honest if member.node is not None]
        return list({entry.raw: None for node in nodes for entry in node.mempool})

    def vote(self, able: Sequence[Member], role: str) -> bool:
        """Q members vote that the node of one of `able` has the role; as a validator it replaces its member's."""
        if self.voting or not able or self._newest().height < self.watch.height:
            return False
        self.voting = True
        registry, consortium = self.registry, self.consortium
        member = self.random.choice(able)
        node = {
            "member": member.record.member,
            "role": role,
            "key": bytes(member.public),
            "certificate": member.record.certificate,
            "address": member.record.address,
        }
        present = {each.member: bytes(each.key) for each in registry.validators.validators}
        after = {name: key for name, key in present.items() if name != member.record.member}
        if role == "validator":
            after[member.record.member] = bytes(member.public)
        self.watch.knows_set(list(after.items()))
        members, needed = list(present), registry.validators.quorum
        self.random.shuffle(members)
        action: dict[str, Any] = {"type": "set-node", "node": node}
        if len(after) < min(LEAST_SAFE, len(present)):
            action["below_four"], needed = True, needed + 1
        numbers = [consortium.members.index(each) for each in members[:needed]]
        proposal = consortium.raw(consortium.member_body("propose", numbers[0], action=action))
        raws = [proposal]
        for number in numbers[1:]:
            fields = {"proposal": bytes(leaf_hash(proposal)), "approve": True}
            raws.append(consortium.raw(consortium.member_body("vote", number, **fields)))
        for number, raw in zip(numbers, raws, strict=True):
            self.watch.submitted(raw)
            self.says(number, raw, VOTE_TRIES)
        self.after(0.5, self._voted, member, role, self.watch.height, self.loop.now_s + VOTE_S)
        return True

    def _voted(self, member: Member, role: str, since: int, until_s: float) -> None:
        """The vote takes effect above the height `since`, and the node has its new role without a restart."""
        if member.height > since and member.is_validator == (role == "validator"):
            self.coverage["validator set changed"] += 1
            self.voting = False
        elif self.schedule.governance and self.loop.now_s > until_s:
            self.voting = False  # what was proposed has lapsed or expired
        else:
            self.after(0.5, self._voted, member, role, since, until_s)

    # ---- time ------------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """The true time, ms since 1970."""
        return self._began_ms + int(self.loop.now_s * 1000)

    @property
    def is_night(self) -> bool:
        """Whether only liars do anything."""
        return self.dusk_s <= self.loop.now_s < self.dawn_s

    @property
    def is_morning(self) -> bool:
        """Whether the night is over."""
        return self.loop.now_s >= self.dawn_s

    def after(self, delay_s: float, action: Callable[..., object], *arguments: Any) -> None:
        """Something that no process does."""
        self.loop.schedule(WORLD, self.loop.now_s + delay_s, action, *arguments)

    def run(self, duration_s: float, done: Callable[[], bool] | None = None) -> bool:
        """Let time pass, or until `done`, which is asked now and then. Whether it is done. Raises what failed."""
        end_s = self.loop.now_s + duration_s
        while self.loop.now_s < end_s:
            until_s = min(end_s, self.loop.now_s + ASK_S) if done else end_s
            self.loop.run(until_s, self._has_failed, MAX_STEPS - self.loop.steps)
            self.raise_failure()
            if done is not None and done():
                return True
        return False

    def _has_failed(self) -> bool:
        return self.failure is not None

    def end(self) -> None:
        """Let go of the nodes."""
        for member in self.members:
            member.life.alive = False
            member.node = member.view = None

    # ---- what is seen ----------------------------------------------------------------------------------------

    def note(self, what: str, number: int, detail: str = "") -> None:
        """A line of the transcript, if there is one."""
        if self.transcript is not None:
            self.transcript.append(f"{self.loop.now_s:10.3f}  node {number}  {what} {detail}")

    def fail(self, error: BaseException) -> None:
        """The run ends with this."""
        if self.failure is None:
            self.failure = error

    def raise_failure(self) -> None:
        """Raise what failed, if anything did."""
        if self.failure is not None:
            raise self.failure

    def defect(self, member: Member, error: BaseException) -> None:
        """A node gave up although its disk and memory are sound."""
        if member.is_honest:
            self.fail(error)

    def _on_error(self, life: Life, error: BaseException) -> None:
        if life.alive or life is WORLD:
            self.fail(error)

    # ---- clients ---------------------------------------------------------------------------------------------

    def entry(self, issuer: str = "m0", signer: SigningKey | None = None, size: int | None = None) -> bytes:
        """Another entry each time, signed by the researcher of the issuer or by `signer`."""
        self.entries += 1
        return self.consortium.raw(
            body(self.entries, issuer, self.schedule.entry_bytes if size is None else size), signer
        )

    def new_entry(self, issuer: str = "m0", signer: SigningKey | None = None) -> bytes:
        """An entry that nobody has seen, and that must be decided."""
        return self.promise(self.entry(issuer, signer))

    def promise(self, raw: bytes) -> bytes:
        """Somebody has made `raw`, and it must be decided."""
        self.watch.submitted(raw)
        self.made[leaf_hash(raw)] = raw
        return raw

    def says(self, number: int, raw: bytes, tries: int) -> None:
        """A proposal or vote of member `number` waits for its turn."""
        self._speakers.setdefault(number, Speaker(self)).say(raw, tries)

    def client(
        self,
        raw: bytes,
        doors: Callable[[], Sequence[Member]],
        tries: int = 1 << 30,
        heard: Callable[[bytes, str], None] | None = None,
    ) -> None:
        """A client that submits to one of `doors()`, and to another if it hears nothing, until it has a receipt.

        `tries`: it gives up after so many. `heard` gets the entry and each answer.
        """
        Client(self, raw, doors, tries, heard).try_once()


class Client:
    """One entry on its way to a receipt."""

    def __init__(
        self,
        world: World,
        raw: bytes,
        doors: Callable[[], Sequence[Member]],
        most: int,
        heard: Callable[[bytes, str], None] | None,
    ) -> None:
        self._world = world
        self._heard = heard
        self._most = most
        self._raw = raw
        self._doors = doors
        self._id = leaf_hash(raw)
        self._tries = 0

    def try_once(self) -> None:
        """Submit, and again later unless the answer was final."""
        world = self._world
        if self._id in world.watch.acknowledged:
            return
        self._tries += 1
        doors = self._doors()
        if doors:
            member = world.random.choice(doors)
            member.run(member.submit, self._raw, lambda answer, detail: self._told(member, answer, detail))
        if self._tries < self._most:
            world.after(RESUBMIT_S * min(self._tries, 4), self.try_once)

    def _told(self, member: Member, answer: str, detail: bytes) -> None:
        self._world.coverage[f"client: {answer}"] += 1
        if self._heard is not None:
            self._heard(self._raw, answer)
        if answer == "decided":
            self._world.watch.receipt(member, self._id, detail)


def body(serial: int, issuer: str = "m0", size: int = 0) -> dict[str, Any]:
    """A valid body of about `size` bytes; a small one if that is 0."""
    padding = [{"digest": bytes(32), "role": "padding", "name": "x" * PAD_BYTES} for _ in range(size // PADDING_BYTES)]
    more = {"subjects": padding} if padding else {}
    return {
        **more,
        "v": 1,
        "kind": "run",
        "issuer": issuer,
        "project": f"p{serial}",
        "disclosure": "public",
        "record": serial.to_bytes(32, "big"),
        "status": "completed",
    }


@cache
def _genesis(
    size: int, observers: int, parameters: tuple[tuple[str, int], ...], researchers: int, scheme: int
) -> Consortium:
    return Consortium(size, observers, researchers, name=f"simulated {size} {observers}", **dict(parameters))


def consortium(
    size: int, observers: int, parameters: tuple[tuple[str, int], ...] = (), researchers: int = 1
) -> Consortium:
    """One consortium for all seeds and a way of signing: its making costs more than a run."""
    return _genesis(size, observers, parameters, researchers, id(signing.sodium))  # type: ignore[attr-defined]
