"""From the engine to the model: random runs of real engines, written down as Quint scenarios.

Each step of a scenario must be possible in the model, from what was signed there until then, and must lead to what
the engine came to: round, phase, lock with its prepares, everything ever signed, everything kept, the decision.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.spec.liar import Chance
from tests.spec.replay import Event, Stage
from tests.spec.words import Value, Words

from notarium_consensus.messages import Message

HEAD = """// Written by tests/spec/engine_runs.py from runs of the real engine.
module {name} {{
  import basics.* from "./basics"
  import justification.* from "./justification"
  import member.* from "./member"
  import qbft.* from "./qbft"
  import scenarios.* from "./scenarios"

"""


class Vocabulary:
    """Values in Quint's syntax; what comes more than once has a name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.definitions: list[str] = []

    def block(self, value: Value) -> str:
        """A block."""
        text = f"{{ by: {value['by']}, name: {value['name']}, ok: {str(value['ok']).lower()} }}"
        return self._named("block", "Block", text)

    def claim(self, value: Value) -> str:
        """What a round change claims."""
        return f"{{ round: {value['round']}, block: {self.block(value['block'])} }}"

    def vote(self, value: Value) -> str:
        """A PREPARE or a COMMIT."""
        text = f"{{ signer: {value['signer']}, round: {value['round']}, block: {self.block(value['block'])} }}"
        return self._named("vote", "Vote", text)

    def votes(self, values: list[Value]) -> str:
        """A set of them."""
        return f"Set({', '.join(map(self.vote, values))})"

    def _core(self, value: Value) -> str:
        tag, claim = value["claim"]
        said = "None" if tag == "None" else f"Some({self.claim(claim)})"
        return f"signer: {value['signer']}, round: {value['round']}, claim: {said}"

    def core(self, value: Value) -> str:
        """The signed core of a ROUND-CHANGE."""
        return self._named("core", "SignedChange", f"{{ {self._core(value)} }}")

    def change(self, value: Value) -> str:
        """A ROUND-CHANGE."""
        proof = f"prepares: {self.votes(value['prepares'])}, whole: {str(value['whole']).lower()}"
        return self._named("change", "Change", f"{{ {self._core(value)}, {proof} }}")

    def offer(self, value: Value) -> str:
        """A PROPOSAL."""
        changes = ", ".join(map(self.core, value["changes"]))
        return self._named(
            "offer",
            "Offer",
            f"{{ signer: {value['signer']}, round: {value['round']}, block: {self.block(value['block'])}, "
            f"changes: Set({changes}), prepares: {self.votes(value['prepares'])} }}",
        )

    def message(self, value: tuple[str, Value]) -> str:
        """Any message."""
        tag, content = value
        kinds = {"Proposal": self.offer, "RoundChange": self.change, "Prepare": self.vote, "Commit": self.vote}
        return self._named("message", "Message", f"{tag}({kinds[tag](content)})")

    def seen(self, text: str) -> str:
        """A member's state. (Small definitions: the time of type inference grows with the square of one's length.)"""
        return self._named("seen", "Seen", text)

    def lock(self, value: tuple[str, Any]) -> str:
        """What a member is locked on, or None."""
        tag, lock = value
        if tag == "None":
            return "None"
        block, prepares = self.block(lock["block"]), self.votes(lock["prepares"])
        return f"Some({{ round: {lock['round']}, block: {block}, prepares: {prepares} }})"

    def certificate(self, value: Value) -> str:
        """A certificate."""
        block, seals = self.block(value["block"]), self.votes(value["seals"])
        return f"{{ round: {value['round']}, block: {block}, seals: {seals} }}"

    def _named(self, kind: str, type_: str, text: str) -> str:
        if text not in self._names:
            self._names[text] = f"{kind}{len(self._names)}"
            self.definitions.append(f"  pure val {self._names[text]}: {type_} = {text}")
        return self._names[text]


class EngineRun:
    """One random run of engines, and the scenario that says what they did."""

    def __init__(self, seed: int, max_steps: int, vocabulary: Vocabulary) -> None:
        random = Random(seed)
        self.name = f"engine{seed:x}Test"
        self.steps = 0
        self._max_steps = max_steps
        self._say = vocabulary
        self._stage = Stage(random.randrange(4))
        self._chance = Chance(self._stage, random.getrandbits(48))

    def scenario(self) -> str:
        """Play, and write it down."""
        lines = [f"  run {self.name} = start({self._stage.liar}, AS_BUILT)"]
        lines += [self._expected(member) for member in self._stage.hosts]
        while self.steps < self._max_steps and (event := self._chance.event()) is not None:
            self.steps += 1
            member = self._stage.apply(event)
            lines += [f"    .then({self._action(event)})", self._expected(member)]
        return "\n".join([*lines, "    .expect(safety)"])

    def _action(self, event: Event) -> str:
        tag, content = event
        if tag == "Receive":
            messages = ", ".join(map(self._say.message, content["messages"]))
            return f"{content['to']}.hearReal([{messages}], {str(content['timely']).lower()})"
        if tag == "Learn":
            return f"{content['to']}.showReal({self._say.certificate(content['certificate'])})"
        return f"{content}.{ {'Timeout': 'expire', 'Restart': 'crash', 'Wipe': 'lose'}[tag] }()"

    def _expected(self, member: int) -> str:
        """All that the engine's state says, as what the model's must be."""
        say, words, host = self._say, self._stage.words, self._stage.hosts[member]
        kept = {field: self._kept(field, messages, words) for field, messages in self._stage.kept(member).items()}
        sent = ", ".join(say.message(words.message_value(message)) for message in host.sent)
        decisions = [say.certificate(words.certificate_value(decision)) for decision in host.decisions]
        seen = say.seen(
            f'{{ round: {host.instance.round}, phase: "{host.phase.value}", '
            f"lock: {say.lock(words.lock_value(host.instance.prepared))}, record: Set({sent}), "
            f"offers: Set({kept['offers']}), changes: Set({kept['changes']}), "
            f"prepares: Set({kept['prepares']}), commits: Set({kept['commits']}) }}"
        )
        return f"    .expect({member}.isIn({seen}, Set({', '.join(decisions)})))"

    def _kept(self, field: str, messages: list[Message], words: Words) -> str:
        kinds = {"offers": self._say.offer, "changes": self._say.change}
        show = kinds.get(field, self._say.vote)
        return ", ".join(show(words.message_value(message)[1]) for message in messages)


def write_module(name: str, runs: int, seed: int, max_steps: int) -> tuple[str, dict[str, int]]:
    """A module of scenarios as text; the name of each, with its steps."""
    vocabulary = Vocabulary()
    scenarios, steps = [], {}
    for number in range(runs):
        run = EngineRun(seed + number, max_steps, vocabulary)
        scenarios.append(run.scenario())
        steps[run.name] = run.steps
    return HEAD.format(name=name) + "\n".join([*vocabulary.definitions, "", *scenarios, "}", ""]), steps
