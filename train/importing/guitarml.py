"""GuitarML's JSON (Proteus, NeuralPi), as Automated-GuitarAmpModelling writes it: a PyTorch state dict.

PyTorch's rows are by gate: i, f, g, o as our columns, but r, z, n where a GRU of ours has z, r, candidate. Its two
biases of an LSTM only ever act together.

Source: github.com/Alec-Wright/Automated-GuitarAmpModelling (CoreAudioML/networks.py).
"""

import numpy as np

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.spec import FAMILIES
from neuralpedal.contract.weights import RecurrentWeights
from neuralpedal.train.importing.capture import CELLS, Capture, ImportOptions, checked_weights, float32
from neuralpedal.train.importing.folding import MOST_KNOBS, Matrix, choose_knobs, fold_knobs
from neuralpedal.train.importing.json_node import JsonNode, count_numbers
from neuralpedal.train.importing.sample_rate import choose_rate, find

KIND = "guitarml"


def is_guitarml(root: JsonNode) -> bool:
    """Whether this is what that trainer writes."""
    return "model_data" in root and "state_dict" in root


def read_guitarml(root: JsonNode, options: ImportOptions) -> Capture:
    """An LSTM or GRU of one or two layers.

    Raises:
        ModelFileError: another network, shapes that do not fit, a size that no network of ours has.
        SpecError: knobs without a setting.
    """
    model, state = root["model_data"], root["state_dict"]
    cell = model["unit_type"].text().lower()
    if cell not in CELLS:
        raise ModelFileError(f"{root.path}: a network of {model['unit_type'].text()[:40]} units "
                             f"({count_numbers(state.value)} weights); LSTM and GRU can be imported")
    h, count = model["hidden_size"].integer(1, 1024), model["num_layers"].integer(1, 2)
    size, skip = model["input_size"].integer(1, 1 + MOST_KNOBS), bool(model["skip"].integer(0, 1))
    if "output_size" in model:
        model["output_size"].integer(1, 1)
    layers = [_layer(state, cell, index, size if index == 0 else h, h) for index in range(count)]
    if f"rec.weight_ih_l{count}" in state:
        raise ModelFileError(f"{root.path}: its state_dict holds more layers than the {count} that its model_data says")
    settings = choose_knobs(root.path, size - 1, options.knobs) if size > 1 else {}
    if settings:
        layers[0] = fold_knobs(layers[0], settings)
    has_bias = "lin.bias" in state or model.value.get("bias_fl") is not False
    head = float32(state["lin.weight"].array(1, h).T), float32(state["lin.bias"].array(1) if has_bias else np.zeros(1))
    rate, remarks = choose_rate(options, find(root, "model_data.samplerate", "model_data.sample_rate", "samplerate",
                                              "sample_rate", "metadata.samplerate"))
    weights = checked_weights(root.path, tuple(layers), head, family=cell, skip=skip, sample_rate_hz=rate)
    metadata = {key: value for key, value in root.value.items() if key != "state_dict"}
    return Capture(root.path, KIND, f"{cell.upper()} {count}×{h}", weights, metadata, knobs=settings, remarks=remarks)


def _layer(state: JsonNode, cell: str, index: int, size: int, h: int) -> RecurrentWeights:
    rows = len(FAMILIES[cell].gates) * h
    kernel, recurrent = (state[f"rec.weight_{part}_l{index}"].array(rows, columns).T
                         for part, columns in (("ih", size), ("hh", h)))
    biases = [state[f"rec.bias_{part}_l{index}"].array(rows) for part in ("ih", "hh")]
    if cell == "lstm":
        return RecurrentWeights(float32(kernel), float32(recurrent), float32(biases[0] + biases[1]))
    return RecurrentWeights(float32(_update_first(kernel)), float32(_update_first(recurrent)),
                            float32(_update_first(np.stack(biases))))


def _update_first(columns: Matrix) -> Matrix:
    """Gates r, z, n in columns as z, r, n."""
    reset, update, candidate = np.split(columns, 3, axis=1)
    return np.concatenate([update, reset, candidate], axis=1)
