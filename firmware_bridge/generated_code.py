"""What the generator writes for one model: constants for pedal_model.h, tables for pedal_model.c."""

from dataclasses import dataclass

HIDDEN_MULTIPLE = 4
"""Hidden states are padded with zeros to a multiple of this, so that the kernels read four at once."""

STACK_BYTES = 512
"""What most kernels promise. Their frames hold registers and a few sums, whatever the network's size."""


@dataclass(frozen=True)
class GeneratedCode:
    """One model in C.

    Attributes:
        arithmetic: FLOAT, W8A16…, the end of the macro that chooses the kernel.
        defines: lines of the header. tables: definitions of the source.
        tables_header: the runtime's header that declares the tables.
        runtime_files: names of the runtime's files that the model needs.
        state_bytes: sizeof(pedal_state). table_bytes: of the constants.
        initial_state: definition of the state that the model begins in; empty for zero state.
        stack_bytes: more than pedal_process needs on any target.
    """

    arithmetic: str
    defines: tuple[str, ...]
    tables: tuple[str, ...]
    tables_header: str
    runtime_files: tuple[str, ...]
    state_bytes: int
    table_bytes: int
    initial_state: str = ""
    stack_bytes: int = STACK_BYTES

    @property
    def constant_bytes(self) -> int:
        """Of everything that lies in flash besides instructions."""
        return self.table_bytes + (self.state_bytes if self.initial_state else 0)


def padded(hidden_size: int) -> int:
    """Units of a hidden state as it is stored."""
    return -(-hidden_size // HIDDEN_MULTIPLE) * HIDDEN_MULTIPLE
