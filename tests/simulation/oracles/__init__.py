"""Independent checkers: they judge a run from the bytes that honest nodes write and send.

They import nothing of the product, so that a mistake in it is not made twice.
"""

from tests.simulation.oracles.formats import faulty, quorum
from tests.simulation.oracles.oracles import Oracles, sodium_verify
from tests.simulation.oracles.violation import SafetyViolation

__all__ = ["Oracles", "SafetyViolation", "faulty", "quorum", "sodium_verify"]
