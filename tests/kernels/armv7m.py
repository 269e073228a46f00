"""Calls functions of firmware_templates on the emulated Cortex-M3 and M4, with their bracket."""

from __future__ import annotations

from dataclasses import dataclass

from harness.virtual.armv7m_core import CORTEX_M3, CORTEX_M4F, Core

from . import armv6m
from .test_armv6m import Network


@dataclass(frozen=True)
class Span:
    """What a call took: both ends of the bracket in cycles, and instructions."""

    cycles_lo: int
    cycles_hi: int
    instructions: int

    @property
    def middle(self) -> float:
        return (self.cycles_lo + self.cycles_hi) / 2


class M4Program(armv6m.Program):
    """Sources linked for a Cortex-M4F."""

    cpu = "cortex-m4"
    kernels = ("armv7em", "armv7m")
    config = CORTEX_M4F

    def new_core(self) -> Core:
        return Core(self.config)

    def span(self, name: str, *arguments: int) -> Span:
        """A call, as `call` does it."""
        core = self.core
        before = core.cycles, core.cycles_hi, core.instructions
        self.call(name, *arguments)
        after = core.cycles, core.cycles_hi, core.instructions
        return Span(*(now - then for now, then in zip(after, before, strict=True)))


class M3Program(M4Program):
    """Sources linked for a Cortex-M3."""

    cpu = "cortex-m3"
    kernels = ("armv7m",)
    config = CORTEX_M3


class M4Network(Network):
    core, hal, program_type = "cortex-m4f", "nrf52840", M4Program


class M3Network(Network):
    core, hal, program_type = "cortex-m3", "sam3x", M3Program


NETWORKS = {"cortex-m3": M3Network, "cortex-m4f": M4Network}
CORES = tuple(NETWORKS)
