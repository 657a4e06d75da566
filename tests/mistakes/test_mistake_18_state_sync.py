"""Mistake 18: opaque state sync (cometbft#449, #742, #2319): it hangs without a word, there is no way but the snapshot,
and a height must be trusted by hand. Here whoever delivers what is not true is named and parted with, another is asked,
blocks do where a snapshot does not, and the genesis file is all that a new node needs.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mistakes import nodes
from tests.mistakes.lies import LIES, Lie, a_quorum_of_forged_seals, deliver, dropped, nothing
from tests.mistakes.nodes import cluster, eventually, fresh
from tests.mistakes.planted import must_fail

from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_node.config.sections import NodeConfig

LENGTH = 6


def certificates_are_not_checked(patch: pytest.MonkeyPatch) -> None:
    """A block with any certificate is a decided block."""
    patch.setattr(QuorumCertificate, "verify", lambda self, *arguments: None)


def a_liar_is_asked_again_and_again(patch: pytest.MonkeyPatch) -> None:
    """Nobody is parted with, and the first that claims the most stays the first."""
    patch.setattr("tests.mistakes.nodes.View.drop", lambda self, peer, reason, ban_s=1.0: None)


@pytest.mark.parametrize("lie", LIES)
async def test_mistake_18_a_node_that_is_lied_to_names_the_liar_and_comes_level_from_others_blocks(
    lie: Lie, tmp_path: Path
) -> None:
    """A wiped node meets the liar first, which claims the most; then the honest ones, with the genesis file alone."""
    async with cluster(fresh(tmp_path), run=[0, 1, 2]) as made:
        for _ in range(LENGTH):
            await made.decided(await made.submit(0))
        height = made.nodes[0].store.state.height
        chain = [made.nodes[0].store.decision(each) for each in range(1, height + 1)]
        assert all(chain)
        await made.stop(2)
        made.directory(2).rename(made.path / "lost")
        liar = await made.puppet(3)
        deliver(made, liar, lie, chain, height + 100)
        for number in (0, 1):
            made.part(made.keys[number].public, liar.key.public)  # It is there for the newcomer only.
        honest = {made.keys[number].public: made.views.pop(made.keys[number].public) for number in (0, 1)}
        await made.start(2)
        await eventually(lambda: dropped(made, 2, liar))
        assert made.heights()[2] in range(0, height + 1)
        made.views.update(honest)
        for number in (0, 1):
            made.reconnect_later(made.keys[2].public, made.keys[number].public)
        await eventually(lambda: made.heights()[2] >= height)
        made.agree()
        assert set(dropped(made, 2, liar)) <= {"catch-up", "garbage", "protocol violation"}
        assert not made.view(0).dropped_peers or {peer for peer, _ in made.view(0).dropped_peers} == {liar.key.public}


def test_mistake_18_no_height_or_hash_is_trusted_by_hand_but_that_of_genesis() -> None:
    """Whoever sets up a node is asked for nothing that a peer would have to be believed for."""
    names = {
        f"{section}.{name}"
        for section, field in NodeConfig.model_fields.items()
        for name in getattr(field.annotation, "model_fields", {})
    }
    asked = {name for name in names if any(word in name for word in ("trust", "height", "hash", "checkpoint"))}
    assert asked == {"node.genesis_hash"}
    assert "node.genesis" in names


def test_mistake_18_planted_is_caught_by_each_test(tmp_path: Path) -> None:
    test = test_mistake_18_a_node_that_is_lied_to_names_the_liar_and_comes_level_from_others_blocks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "WAIT_S", 1.0)
        must_fail(certificates_are_not_checked, test, a_quorum_of_forged_seals, tmp_path)
        must_fail(a_liar_is_asked_again_and_again, test, nothing, tmp_path)


def test_mistake_18_planted_a_height_to_be_trusted_by_hand_would_be_seen() -> None:
    with pytest.MonkeyPatch.context() as patch:
        fields = {**NodeConfig.model_fields["node"].annotation.model_fields, "trust_height": None}  # type: ignore[union-attr]
        patch.setattr(NodeConfig.model_fields["node"].annotation, "model_fields", fields)
        with pytest.raises(AssertionError):
            test_mistake_18_no_height_or_hash_is_trusted_by_hand_but_that_of_genesis()
