"""``neuralpedal profile``."""

from pathlib import Path

import click

from neuralpedal.cli.console import note, print_json, print_table, progress_bar
from neuralpedal.cli.tflite_player import CHOICES, ENGINE_HELP


@click.command("profile")
@click.argument("models", metavar="MODEL...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--engine", type=click.Choice(CHOICES), default="auto", show_default=True, help=ENGINE_HELP)
@click.option("--block", default=64, show_default=True, help="Samples per block; without --live.")
@click.option("--seconds", default=10.0, show_default=True, help="Audio to play; with --live at each block size.")
@click.option("--live", is_flag=True, help="Through a sound card, at every size of --blocks: which one is safe?")
@click.option("--blocks", default="16,32,64,128,256", show_default=True, help="With --live: block sizes.")
@click.option("--device", help="With --live: index, name or part of the name of a sound card.  [default: the system's]")
@click.option("--png", type=click.Path(path_type=Path), help="Write the histogram as a picture.")
@click.option("--json", "as_json", is_flag=True, help="Print flat JSON.")
def command(models: tuple[Path, ...], engine: str, block: int, seconds: float, live: bool, blocks: str,
            device: str | None, png: Path | None, as_json: bool) -> None:
    """Time MODEL (a .tflite) block by block: percentiles, budget used, histogram.

    The budget of a block is the time that it lasts as sound. Times are those of this machine while it does nothing
    else; a shared one shows its neighbours in p99 and max. With --live a sound card sets the pace, several MODELs may
    be given, and the smallest safe block size is recommended.

    \b
    Examples:
      neuralpedal profile sd1-pedal/sd1.w8.tflite
      neuralpedal profile sd1-pedal/sd1.w8.tflite --block 16 --json
      neuralpedal profile --live sd1.w8.tflite fuzz.w8.tflite --device hifiberry --png blocks.png
    """
    if not 0 < seconds <= 3600:
        raise click.BadParameter(f"{seconds}: wanted more than 0 and at most 3600", param_hint="--seconds")
    if live:
        _profile_live(models, engine, blocks, seconds, device, png, as_json)
        return
    if len(models) > 1:
        raise click.UsageError(f"{len(models)} MODELs: wanted one, or --live")
    model = models[0]
    from neuralpedal.cli.histogram import terminal_histogram, write_histogram_png
    from neuralpedal.cli.tflite_player import open_tflite
    from neuralpedal.device.profile import profile

    opened = open_tflite(model, engine, block)
    with progress_bar("playing") as (report, _):
        times = profile(opened, seconds, report)
    summary = times.summary()
    if png:
        write_histogram_png(times, f"{model.name}, {opened.description}, blocks of {block}", png)
    if as_json:
        print_json({**summary.as_dict(), "model": str(model), "engine": opened.description,
                    "png": str(png) if png else None})
        return
    rows = [[f"µs per block {name}", f"{value:.2f}", f"{value / times.deadline_us:.2%}"] for name, value in
            (("p50", summary.us_per_block_p50), ("p95", summary.us_per_block_p95),
             ("p99", summary.us_per_block_p99), ("max", summary.us_per_block_max))]
    print_table(f"{model.name}, {opened.description}: {summary.blocks} blocks of {block}, budget "
                f"{summary.deadline_us:.0f} µs", ["", "value", "of budget"], rows)
    click.echo(terminal_histogram(times))
    click.echo(f"late blocks: {summary.blocks_late}; real-time factor {summary.real_time_factor:.4f}")
    if png:
        note(f"wrote {png}")


def _profile_live(models: tuple[Path, ...], engine: str, blocks: str, seconds: float, device: str | None,
                  png: Path | None, as_json: bool) -> None:
    from neuralpedal.cli.live_profile import block_sizes, content, print_profiles, profile_live, write_png

    sizes = block_sizes(blocks)
    profiles = [profile_live(model, engine, sizes, seconds, device) for model in models]
    if png:
        write_png(profiles, png)
    print_json(content(profiles)) if as_json else print_profiles(profiles)
    if png:
        note(f"wrote {png}")
