"""How fast training is, and how far it comes.

    python benchmarks/training.py throughput [--cell lstm|gru|rnn|all] [--hidden 16] [--streams 32] [--samples 2048]
    python benchmarks/training.py nam --out DIR [--presets nano feather] [--minutes 3 8 15] [--clock cpu]
    python benchmarks/training.py choice --out DIR [--networks 1x8 1x16 nano feather] [--minutes 3] [--clock cpu]

`throughput`: recurrent layers against Keras's own. `nam`: WaveNets side by side with neural-amp-modeler's trainer.
`choice`: LSTMs and WaveNets, what they reach beside what they cost.
"""

import argparse
import importlib
import sys

BENCHMARKS = {"throughput": "training_throughput", "nam": "nam_comparison", "choice": "network_choice"}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=BENCHMARKS)
    # The others are not loaded: only one of them needs TensorFlow in this process.
    name = parser.parse_args(sys.argv[1:2]).benchmark
    module = importlib.import_module(BENCHMARKS[name])
    command = argparse.ArgumentParser(prog=f"{parser.prog} {name}", description=module.__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    module.add_options(command)
    module.run(command.parse_args(sys.argv[2:]))


if __name__ == "__main__":
    main()
