"""Training throughput: ours against a plain loop of Keras's own layer, in one interleaved run.

All do the same work: forward, loss, backward, clipping and Adam on the same batch, with a linear head and a skip
connection. Rows are medians over rounds in which every contender runs once; the ratio is that of each round to the
cell's own Keras layer. Times are this machine's while it does nothing else; compare the ratios.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

from neuralpedal.contract.spec import make_spec
from neuralpedal.train.native.kernel import KernelUnavailableError
from neuralpedal.train.networks.model_file import build_model

Step = Callable[[], object]

KERAS_LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}


def keras_step(cell: str, hidden: int, dry: tf.Tensor, wet: tf.Tensor) -> Step:
    """One update of a model made of Keras's own layers."""
    inputs = keras.Input((dry.shape[1], 1))
    signal = KERAS_LAYERS[cell](hidden, return_sequences=True)(inputs)
    model = keras.Model(inputs, keras.layers.Add()([keras.layers.Dense(1)(signal), inputs]))
    return _update(model, lambda: model(dry, training=True), wet)


def our_step(cell: str, hidden: int, dry: tf.Tensor, wet: tf.Tensor, native: bool) -> Step:
    """One update of our model, with TensorFlow's ops or the compiled kernel."""
    model = build_model(make_spec(family=cell, hidden_size=hidden), lanes=2)
    if native:
        model.use_native()
    states = model.zero_states(dry.shape[0])
    return _update(model, lambda: model.stream(dry, states)[0], wet)


def _update(model: keras.Model, forward: Callable[[], tf.Tensor], wet: tf.Tensor) -> Step:
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(forward() - wet))
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, model.trainable_variables), 1.0)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return lambda: step().numpy()


def contenders(cell: str, hidden: int, dry: tf.Tensor, wet: tf.Tensor) -> dict[str, Step]:
    """The steps of one cell by name, Keras's first."""
    steps = {f"keras.layers.{KERAS_LAYERS[cell].__name__}": keras_step(cell, hidden, dry, wet)}
    if cell == "lstm":
        steps["BlockLSTM"] = our_step(cell, hidden, dry, wet, native=False)
    try:
        steps[f"native {cell}"] = our_step(cell, hidden, dry, wet, native=True)
    except KernelUnavailableError as reason:
        print(f"no native {cell} kernel: {reason}")
    return steps


def measure(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Seconds of every step in every round, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    """What this benchmark is told."""
    parser.add_argument("--cell", choices=[*KERAS_LAYERS, "all"], default="lstm")
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--samples", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    dry = tf.constant(rng.normal(0, 0.2, (options.streams, options.samples, 1)).astype(np.float32))
    wet = tf.tanh(3.0 * dry)
    cells = list(KERAS_LAYERS) if options.cell == "all" else [options.cell]
    by_cell = {cell: contenders(cell, options.hidden, dry, wet) for cell in cells}
    seconds = measure({name: step for steps in by_cell.values() for name, step in steps.items()}, options.rounds)
    rows = {name: {
        "samples_per_s": options.streams * options.samples / statistics.median(seconds[name]),
        "ratio": statistics.median(k / t for k, t in zip(seconds[next(iter(steps))], seconds[name], strict=True)),
    } for steps in by_cell.values() for name in steps}
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"hidden {options.hidden}, {options.streams} streams × {options.samples} samples, {os.cpu_count()} cores")
    for name, row in rows.items():
        print(f"{name:24} {row['samples_per_s'] / 1e3:9.0f}k samples/s {row['ratio']:7.2f}×")
