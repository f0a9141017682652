"""Lets ``convert`` fine-tune with the training's own code: the only place where the two stages meet."""

from collections.abc import Callable

from neuralpedal.cli.console import note
from neuralpedal.cli.interruption import interruptible
from neuralpedal.contract.arithmetic import Arithmetic
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert.source import Signal
from neuralpedal.train.finetuning import Budget, finetune


class FineTuner:
    """A :class:`neuralpedal.convert.tuning.Tuner`; Ctrl-C ends one scheme's tuning early and keeps its best.

    Args:
        minutes: for each scheme. teacher: of convert's TEACHERS. told: is given a line about every batch.
    """

    def __init__(self, minutes: float, teacher: str, told: Callable[[str], None]) -> None:
        self.minutes, self.teacher, self._told = minutes, teacher, told

    def tune(self, scheme: str, weights: NetworkWeights, arithmetic: Arithmetic, dry: Signal,
             target: Signal) -> NetworkWeights:
        """See the protocol."""
        with interruptible() as interruption:
            def watch(fraction: float, best: float) -> None:
                interruption.check()
                self._told(f"{scheme}: fine-tuning, {fraction:.0%} of {self.minutes:g} min, ESR {best:.2g}")

            tuned, history = finetune(weights, arithmetic, dry, target, Budget(minutes=self.minutes), watch=watch)
        if history.interrupted:
            note(f"{scheme}: fine-tuning stopped; the best network so far is taken")
        return tuned
