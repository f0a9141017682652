"""Which recipe learns most: variants of one recipe, each for the same samples and seeds, on the SD-1 recordings.

Equal epochs, not equal minutes: the table must not depend on what else the machine was doing. What a variant costs
stands beside it as the share of the first one's time, which does.

    python benchmarks/recipes.py                     all variants, 30 epochs of LSTM 1×16, one seed: about an hour
    python benchmarks/recipes.py --only rate-4e-3,rate-12e-3 --seeds 0,1
"""

import argparse
import time
from typing import Any

from neuralpedal.cli.quiet import quiet_tensorflow
from sd1 import DATA

quiet_tensorflow()

from neuralpedal.contract.metrics import all_metrics  # noqa: E402
from neuralpedal.contract.pair import RecordingPair, read_pair  # noqa: E402
from neuralpedal.contract.spectral_metrics import mr_stft  # noqa: E402
from neuralpedal.train.dataset import split_pair  # noqa: E402
from neuralpedal.train.recipe import read_recipe  # noqa: E402
from neuralpedal.train.trainer import Trainer  # noqa: E402

VARIANTS: dict[str, dict[str, Any]] = {
    "as-shipped": {},
    "rate-4e-3": {"learning_rate": 4e-3},
    "rate-8e-3": {"learning_rate": 8e-3},
    "rate-16e-3": {"learning_rate": 16e-3},
    "rate-32e-3": {"learning_rate": 32e-3},
    "chunks-of-2048": {"chunk_samples": 2048, "chunks_per_segment": 4},
    "chunks-of-1024": {"chunk_samples": 1024, "chunks_per_segment": 8},
    "chunks-of-256": {"chunk_samples": 256, "chunks_per_segment": 32},
    "16-streams": {"streams": 16},
    "64-streams": {"streams": 64},
    "with-plain-esr": {"esr_weight": 1.0},
    "without-pre-emphasis": {"esr_weight": 1.0, "emphasized_esr_weight": 0.0},
    "with-mr-stft": {"mr_stft_weight": 0.02},
    "long-warm-up": {"warm_up_samples": 4096},
    "free-weights": {"int8_weights_from": 1.0},
}
"""Fields that differ from the shipped recipe."""


def train(variant: dict[str, Any], network: dict[str, Any], epochs: int, seed: int, pair: RecordingPair,
          test: RecordingPair) -> dict[str, float]:
    """Train one variant; its figures on the test take, and how long it took."""
    recipe = read_recipe(None, epochs=epochs, seed=seed, **network, **variant)
    trainer = Trainer(recipe, recipe.network(pair.sample_rate_hz), split_pair(pair, recipe.validation_share), "sd1")
    begun = time.monotonic()
    trainer.run(lambda progress: None, lambda state: None)
    seconds = time.monotonic() - begun
    wet = trainer.best_model().process(test.dry.samples)
    figures = all_metrics(test.wet.samples, wet)
    return {"validation": trainer.state.best_esr, "esr": figures["esr"], "emphasized": figures["esr_pre_emphasis"],
            "mr_stft": sum(mr_stft(test.wet.samples, wet)), "seconds": seconds}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--seeds", default="0", help="comma-separated")
    parser.add_argument("--only", default=",".join(VARIANTS), help=f"of {', '.join(VARIANTS)}")
    options = parser.parse_args()
    pair, test = (read_pair(*(DATA / "sd1" / f"{track}_{part}.flac" for track in ("dry", "wet")))
                  for part in ("train", "test"))
    network = {"hidden_size": options.hidden, "num_layers": options.layers}
    print(f"lstm {options.layers}×{options.hidden}, {options.epochs} epochs each, judged on the test take")
    print(f"{'variant':22} {'seed':>4} {'ESR':>9} {'pre-emph.':>9} {'MR-STFT':>8} {'valid.':>9} {'time':>6}")
    first = None
    for name in options.only.split(","):
        for seed in map(int, options.seeds.split(",")):
            row = train(VARIANTS[name], network, options.epochs, seed, pair, test)
            first = first or row["seconds"]
            print(f"{name:22} {seed:4d} {row['esr']:9.5f} {row['emphasized']:9.5f} {row['mr_stft']:8.3f} "
                  f"{row['validation']:9.5f} {row['seconds'] / first:5.2f}×", flush=True)


if __name__ == "__main__":
    main()
