"""How long soxr's streams hold audio back when they are fed blocks of 64: what resampling around a model would add.

    python benchmarks/resampling_delay.py

The longest that output lags behind input while it streams, which a player must bridge. A count of samples, no timing.
"""

import numpy as np
import soxr

BLOCK, BLOCKS = 64, 3000


def lag_ms(from_hz: int, to_hz: int, quality: str) -> float:
    """Milliseconds."""
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=quality)
    silence, came, worst_s = np.zeros(BLOCK, np.float32), 0, 0.0
    for index in range(BLOCKS):
        came += len(stream.resample_chunk(silence))
        worst_s = max(worst_s, (index + 1) * BLOCK / from_hz - came / to_hz)
    return 1e3 * worst_s


def main() -> None:
    """See the module."""
    print(f"{'quality':9}{'card Hz':>9}{'model Hz':>10}{'in ms':>8}{'out ms':>8}{'both ms':>9}")
    for quality in ("QQ", "LQ", "MQ", "HQ", "VHQ"):
        for card_hz, model_hz in ((44_100, 48_000), (96_000, 48_000), (48_000, 44_100)):
            there, back = lag_ms(card_hz, model_hz, quality), lag_ms(model_hz, card_hz, quality)
            print(f"{quality:9}{card_hz:9}{model_hz:10}{there:8.2f}{back:8.2f}{there + back:9.2f}")


if __name__ == "__main__":
    main()
