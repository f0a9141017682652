"""How fast training is, and how far it comes.

    python benchmarks/training.py throughput [--cell lstm|gru|rnn|all] [--hidden 16] [--streams 32] [--samples 2048]
    python benchmarks/training.py nam --out DIR [--presets nano feather] [--minutes 3 8 15] [--clock cpu]

`throughput`: recurrent layers against Keras's own. `nam`: WaveNets side by side with neural-amp-modeler's trainer.
"""

import argparse
import importlib

BENCHMARKS = {"throughput": "training_throughput", "nam": "nam_comparison"}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, module_name in BENCHMARKS.items():
        module = importlib.import_module(module_name)
        command = commands.add_parser(name, description=module.__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_options(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
