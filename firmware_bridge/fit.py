"""Whether a pedal fits a board: flash, RAM, and the estimated share of a sample period.

The share is an estimate: instructions that an emulator counted, times assumed cycles per instruction (cores.yaml). It
knows no caches, no wait states and no bus; docs/firmware.md says how to measure cycles on the board.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from neuralpedal.contract.errors import SpecError
from neuralpedal.firmware_bridge.board_catalog import Board, boards, cores, find_board
from neuralpedal.firmware_bridge.cost_model import Cost, NetworkSize, RecurrentSize, cost_model

USABLE_SHARE = 0.8
"""Of a sample period, for the pedal: the rest is for audio transfers, knobs and what the estimate does not know."""

_FLOAT = "float32"
_LARGEST_SIZE = 512


@dataclass(frozen=True)
class MeasuredPedal:
    """What is known of a pedal: its network, and what it costs on the target that it was verified for.

    Attributes:
        arithmetic: see cost_model.arithmetic_of. size: see cost_model.size_of.
        target: None with ``cost`` None: nothing was measured, and all is estimated from the network's size.
    """

    arithmetic: str
    size: NetworkSize
    sample_rate_hz: int
    target: str | None = None
    cost: Cost | None = None


@dataclass(frozen=True)
class Fit:
    """A pedal on a board.

    Attributes:
        fits: whether flash, RAM and time suffice. reason: what does not, or how much is left, in one line.
        counted: whether the instructions were counted for this board's core (else scaled from another's).
        estimated_cycles_per_sample, estimated_share: of a sample period; estimates, see above.
        largest_hidden_size: with as many layers and the same scheme; 0 when none fits, None for a WaveNet.
    """

    board: str
    title: str
    fits: bool
    reason: str
    counted: bool
    estimated_cycles_per_sample: float
    estimated_share: float
    flash_bytes: int
    free_flash_bytes: int
    ram_bytes: int
    free_ram_bytes: int
    largest_hidden_size: int | None


def fit_all(pedal: MeasuredPedal) -> list[Fit]:
    """One row per board with a core that such networks have fitted costs on. Raises SpecError when there is none."""
    found, missing = [], None
    for name in boards():
        try:
            found.append(fit_board(pedal, name))
        except SpecError as error:
            missing = error
    if missing and not found:
        raise missing
    return found


def fit_board(pedal: MeasuredPedal, name: str) -> Fit:
    """Raises SpecError for an unknown board, or a network without fitted costs."""
    board = find_board(name)
    estimate = _Estimate(pedal, board)
    cost = estimate.cost(pedal.size)
    wrong = list(estimate.obstacles(cost))
    share = estimate.share(cost)
    left = f"about {share:.0%} of a sample period ({USABLE_SHARE:.0%} usable)"
    return Fit(
        board=name, title=board.title, fits=not wrong, reason="; ".join(wrong) or left, counted=estimate.counted,
        estimated_cycles_per_sample=estimate.cycles(cost), estimated_share=share, flash_bytes=round(cost.flash_bytes),
        free_flash_bytes=board.flash_bytes - board.reserved_flash_bytes, ram_bytes=round(estimate.ram_bytes(cost)),
        free_ram_bytes=board.ram_bytes - board.reserved_ram_bytes, largest_hidden_size=estimate.largest_hidden_size())


class _Estimate:
    """Costs of a pedal's relatives on one board."""

    def __init__(self, pedal: MeasuredPedal, board: Board) -> None:
        self._pedal, self._board, self._core = pedal, board, cores()[board.core]
        is_float = pedal.arithmetic == _FLOAT
        self._cycles, target = self._core.cycles(is_float), self._core.counting_target(is_float)
        self.counted = target == pedal.target == board.core
        self._corrections = (1.0, 1.0, 1.0)
        # What was counted for this core needs no fitted costs, and a WaveNet is asked for no other size.
        self._own = pedal.cost if pedal.target == target and not isinstance(pedal.size, RecurrentSize) else None
        if self._own:
            return
        self._model = cost_model(target, pedal.arithmetic, pedal.size)
        if pedal.cost is not None and pedal.target is not None:
            fitted = cost_model(pedal.target, pedal.arithmetic, pedal.size).cost(pedal.size)
            self._corrections = (pedal.cost.instructions_per_sample / fitted.instructions_per_sample,
                                 pedal.cost.flash_bytes / fitted.flash_bytes, pedal.cost.ram_bytes / fitted.ram_bytes)

    def cost(self, size: NetworkSize) -> Cost:
        if self._own:
            return self._own
        fitted = self._model.cost(size)
        time, flash, ram = self._corrections
        return Cost(fitted.instructions_per_sample * time, fitted.flash_bytes * flash, fitted.ram_bytes * ram)

    def cycles(self, cost: Cost) -> float:
        return cost.instructions_per_sample * self._cycles

    def share(self, cost: Cost) -> float:
        return self.cycles(cost) * self._pedal.sample_rate_hz / self._board.clock_hz

    def ram_bytes(self, cost: Cost) -> float:
        return cost.ram_bytes + (cost.flash_bytes if self._board.runs_from_ram else 0.0)

    def obstacles(self, cost: Cost) -> Iterator[str]:
        board, ram_bytes, share = self._board, self.ram_bytes(cost), self.share(cost)
        if share > USABLE_SHARE:
            yield (f"too slow: about {self.cycles(cost):,.0f} cycles per sample, {share:.0%} of a sample period "
                   f"({USABLE_SHARE:.0%} usable)")
        for what, needed, size, reserved in (
                ("flash", cost.flash_bytes, board.flash_bytes, board.reserved_flash_bytes),
                ("RAM", ram_bytes, board.ram_bytes, board.reserved_ram_bytes)):
            if needed > size - reserved:
                yield f"too large: {needed:,.0f} bytes of {what}, {size - reserved:,} free"

    def largest_hidden_size(self) -> int | None:
        size = self._pedal.size
        if not isinstance(size, RecurrentSize):
            return None
        fitting = [hidden for hidden in range(1, _LARGEST_SIZE + 1)
                   if not any(self.obstacles(self.cost(replace(size, hidden_size=hidden))))]
        return max(fitting, default=0)
