"""One of our trainings by a chosen clock: what `neuralpedal train` does, for benchmarks/training.py.

    python benchmarks/our_trainer.py DRY WET --out RUN --network feather --minutes 3 --clock cpu --cores 2

Goes on where an interrupted run stopped. The last line of stdout is what the run cost since then, as
JSON.
"""

import argparse
import json
import sys
import time

from training_clock import add_training_options, cpu_seconds, keep_to_cores, make_clock


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_training_options(parser)
    parser.add_argument("--network", required=True, help="of network_names.py")
    options = parser.parse_args()
    # Before TensorFlow counts the cores.
    keep_to_cores(options.cores)
    from neuralpedal.cli.quiet import quiet_tensorflow

    quiet_tensorflow()
    from network_names import recipe_fields
    from neuralpedal.cli.train_command import train_with_bar
    from neuralpedal.contract.run_folder import RunFolder
    from neuralpedal.train.recipe import read_recipe
    from neuralpedal.train.session import prepare_session

    recipe = read_recipe(None, **recipe_fields(options.network), minutes=options.minutes, seed=options.seed)
    resume = RunFolder(options.out).checkpoint.exists()
    session = prepare_session(options.dry, options.wet, options.out, recipe, resume=resume, overwrite=not resume,
                              clock=make_clock(options.clock, options.cores))
    begun, used = time.monotonic(), cpu_seconds()
    try:
        result = train_with_bar(session)
    except KeyboardInterrupt:
        sys.exit(130)
    print(json.dumps({"wall_s": time.monotonic() - begun, "cpu_s": cpu_seconds() - used,
                      "epochs": result["epochs"], "esr_validation": result["esr_validation"]}))


if __name__ == "__main__":
    main()
