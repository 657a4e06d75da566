"""The state that blocks change: genesis, registry, governance and the chain's tip."""
