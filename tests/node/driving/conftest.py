"""Machines, and a disk that can be full."""

from tests.node.driving.machine import disk, machine

__all__ = ["disk", "machine"]
