"""Networks by the names of benchmarks/instructions.json: ``1x16``, an LSTM of one layer, or a WaveNet's preset."""

import re
from typing import Any

from neuralpedal.train.wavenet_presets import PRESETS


def recipe_fields(name: str) -> dict[str, Any]:
    """What a recipe says to train it. Raises ValueError for a name of nothing."""
    if name in PRESETS:
        return {"family": "wavenet", "preset": name}
    sizes = re.fullmatch(r"([12])x([0-9]{1,4})", name)
    if not sizes:
        raise ValueError(f"{name!r} is no network: wanted LAYERSxUNITS or one of {', '.join(PRESETS)}")
    return {"family": "lstm", "num_layers": int(sizes[1]), "hidden_size": int(sizes[2])}
