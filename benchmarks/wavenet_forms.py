"""What a WaveNet's memory costs in LiteRT: variables of the file, or states that go in and out and the player copies.

Run ``python benchmarks/wavenet_forms.py`` (``--presets nano,standard``): microseconds per block of 64, the median of a
few seconds, of one network in three forms. All of them are played with XNNPACK, on random weights, which cost the same.

* ``variables``: what ``convert`` writes (contract/wavenet_plan.py).
* ``one per array``: the pasts of an array in one tensor, in and out; two operators cut and join it.
* ``one per layer``: every past is a tensor of its own, in and out.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from neuralpedal.contract.graph_plan import GraphPlan, Step
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.wavenet_plan import pasts, wavenet_plans
from neuralpedal.contract.wavenet_weights import WaveNetWeights, random_wavenet
from neuralpedal.convert import wavenet_graph
from neuralpedal.convert.float_matrices import add_float_matrix
from neuralpedal.convert.planned_graph import write_plan
from neuralpedal.convert.tflite_writer import TfliteWriter
from neuralpedal.train.wavenet_presets import PRESETS, preset_spec

BLOCK = 64
_OF_VARIABLES = {"CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}


def without_variables(plan: GraphPlan, weights: WaveNetWeights) -> GraphPlan:
    """The main graph with every past as an input and an output."""
    names = [past.name for past in pasts(weights.spec)]
    plan.steps = [step for step in plan.steps if step.operator not in _OF_VARIABLES]
    for name in names:
        del plan.shapes[f"{name}/handle"]
    plan.inputs += tuple(f"{name}/before" for name in names)
    plan.outputs += tuple(f"{name}/after" for name in names)
    return plan


def joined(plan: GraphPlan, weights: WaveNetWeights) -> GraphPlan:
    """As :func:`without_variables`, with one tensor per width instead of one per layer."""
    plan = without_variables(plan, weights)
    plan.inputs, plan.outputs = plan.inputs[:1], plan.outputs[:1]
    first: list[Step] = []
    for channels in dict.fromkeys(past.channels for past in pasts(weights.spec)):
        group = [past for past in pasts(weights.spec) if past.channels == channels]
        shape = (1, 1, sum(past.span for past in group), channels)
        before, after = (plan.tensor(f"state{channels}/{when}", shape) for when in ("before", "after"))
        sizes = plan.constant(f"state{channels}/sizes", [past.span for past in group])
        first.append(Step("SPLIT_V", (before, sizes, plan.constant("time", 2)),
                          tuple(f"{past.name}/before" for past in group), {"num_splits": len(group)}))
        plan.step("CONCATENATION", tuple(f"{past.name}/after" for past in group), after, axis=2,
                  fused_activation_function=0)
        plan.inputs, plan.outputs = (*plan.inputs, before), (*plan.outputs, after)
    plan.steps = first + plan.steps
    return plan


def file_of(plan: GraphPlan, weights: WaveNetWeights) -> bytes:
    """A file of one graph, without a manifest."""
    writer = TfliteWriter("benchmark")
    return writer.finish(*write_plan(writer, plan, dict(wavenet_graph.arrays_by_name(weights)), add_float_matrix), {})


def player_of(path: Path) -> Callable[[], None]:
    """Plays one block of noise, and copies the states that came out to where they go in."""
    interpreter = Interpreter(model_path=str(path), num_threads=1,
                              experimental_op_resolver_type=OpResolverType.BUILTIN)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [1, BLOCK, 1], strict=True)
    interpreter.allocate_tensors()
    into, out = ([interpreter.tensor(detail["index"]) for detail in details]
                 for details in (interpreter.get_input_details(), interpreter.get_output_details()))
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (1, BLOCK, 1)).astype(np.float32)

    def play() -> None:
        into[0]()[...] = noise
        interpreter.invoke()
        for before, after in zip(into[1:], out[1:], strict=True):
            before()[...] = after()

    return play


def microseconds(play: Callable[[], None], seconds: float) -> float:
    """The median block."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        play()
        times.append(time.perf_counter() - begun)
    return 1e6 * float(np.median(times))


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--presets", default=",".join(PRESETS))
    options.add_argument("--seconds", type=float, default=2.0)
    chosen = options.parse_args()
    print(f"us per block of {BLOCK}   variables   one per array   one per layer")
    for preset in chosen.presets.split(","):
        weights = random_wavenet(preset_spec(preset, 48_000), 0)
        manifest = Manifest(name="benchmark", scheme="float32", network=weights.spec)
        files = [wavenet_graph.build_wavenet_float32(weights, manifest)]
        files += [file_of(form(wavenet_plans(weights.spec)[0], weights), weights)
                  for form in (joined, without_variables)]
        with tempfile.TemporaryDirectory() as folder:
            found = []
            for index, data in enumerate(files):
                path = Path(folder) / f"{index}.tflite"
                path.write_bytes(data)
                found.append(microseconds(player_of(path), chosen.seconds))
        print(f"{preset:16} {found[0]:13.1f} {found[1]:15.1f} {found[2]:15.1f}", flush=True)


if __name__ == "__main__":
    main()
