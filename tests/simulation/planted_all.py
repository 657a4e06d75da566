"""All known mistakes that are planted."""

from __future__ import annotations

from tests.simulation.planted import PLANTED as PLAIN
from tests.simulation.planted import Planted
from tests.simulation.planted_hardened import HARDENED
from tests.simulation.planted_idle import IDLE
from tests.simulation.planted_memory import MEMORY
from tests.simulation.planted_quotas import QUOTAS
from tests.simulation.planted_subtle import SUBTLE

PLANTED: tuple[Planted, ...] = (*PLAIN, *SUBTLE, *HARDENED, *MEMORY, *IDLE, *QUOTAS)
