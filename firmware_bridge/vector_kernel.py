"""How a network is played by vectors: the switches of the kernels for machines that have some."""

from dataclasses import dataclass

LANES = (4, 8, 16)


@dataclass(frozen=True)
class VectorKernel:
    """The switches of runtime/pedal_vector.c; frame networks and WaveNets have the first three and ``sums``.

    Attributes:
        lanes: floats per vector, of ``LANES``. int16_weights: matrices and states of 16 bits.
        together: groups of units at once; vectors of time. late: groups whose states are added in a second pass.
        registers: states are spread out of registers. written_out: loops over groups are.
        scheduled: instructions are put in order before registers are given out (gcc's -fschedule-insns): shorter waits,
            more registers, so for one group of units only.
        in_order: expressions stay where they are written (gcc's -fno-tree-ter): shorter waits with int16 weights.
        sums: vectors of sums that a WaveNet's layer forms at once: as many as there are registers for.
        precise: activations as exact as sums of float32.
    """

    lanes: int
    int16_weights: bool = False
    together: int = 1
    late: int = 0
    registers: bool = False
    written_out: bool = True
    scheduled: bool = False
    in_order: bool = False
    sums: int = 16
    precise: bool = False

    @property
    def label(self) -> str:
        """For tables."""
        parts = [f"{self.lanes} lanes", f"{'int16' if self.int16_weights else 'float'} weights",
                 f"{self.together} together"]
        parts += [f"{self.late} late"] * bool(self.late)
        parts += ["registers"] * self.registers + ["scheduled"] * self.scheduled
        parts += ["in order"] * self.in_order + ["precise"] * self.precise
        return ", ".join(parts)
