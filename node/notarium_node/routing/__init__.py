"""From a peer's message or the engine's report to the part of the node that deals with it."""
