"""``neuralpedal study``."""

from pathlib import Path
from typing import Any

import click

from neuralpedal.cli.console import figure, note, print_json, print_table, progress_bar, steps, warn
from neuralpedal.cli.interruption import interruptible
from neuralpedal.cli.quiet import quiet_tensorflow

INTERRUPTED = 130
_TABLE = ("structure", "frames", "epochs", "mae", "r2", "esr", "mr_stft", "hf_soft_error_dbfs", "aliasing_mean_db",
          "macs_per_sample", "litert_us_per_sample")


@click.command("study")
@click.argument("dry", type=click.Path(path_type=Path))
@click.argument("wet", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write, or to go on in.")
@click.option("--quick", is_flag=True, help="Eight minutes instead of 25: fewer networks, frames and epochs.")
@click.option("--plan", type=click.Path(path_type=Path), metavar="FILE.yaml",
              help="A table of networks of your own; see docs/study.md.")
@click.option("--json", "as_json", is_flag=True, help="Print the content of study.json.")
def command(dry: Path, wet: Path, out: Path, quick: bool, plan: Path | None, as_json: bool) -> int:
    """Run the study of 2022 again on DRY and WET: LSTMs that read frames, beside networks that stream.

    Five structures, up to 200 epochs and 500,000 frames, on the given pedal and on a virtual tube preamp playing the
    same guitar, judged by error, noise, aliasing and cost. Writes study.html (one page with audio and figures),
    study.json and study.md.

    Ctrl-C stops at any moment; the same command goes on. What is done is not done again.

    \b
    Examples:
      neuralpedal study dry.wav wet.wav --out study --quick
      neuralpedal study dry.wav wet.wav --out study-full
      neuralpedal study dry.wav wet.wav --out mine --plan mine.yaml --json
    """
    if quick and plan:
        raise click.UsageError("give --quick or --plan, not both")
    from neuralpedal.cli.pair_alignment import put_in_step
    from neuralpedal.cli.study.plan import read_plan
    from neuralpedal.contract.pair import read_pair

    chosen = read_plan(plan or ("quick" if quick else "full"))
    pair = read_pair(dry, wet)
    for warning in pair.warnings:
        warn(warning)
    quiet_tensorflow()
    try:
        from neuralpedal.cli.study.page import PAGE, write_pages
    except ImportError as error:
        raise click.ClickException(f"{error}; the study's page needs pip install 'neuralpedal[report]'") from error
    from neuralpedal.cli.study.study import prepare_study

    try:
        with steps("preparing the study") as told:
            aligned, _ = put_in_step(pair, align=True)
            study = prepare_study(aligned, chosen, out, told)
        results = _run_cells(study)
        with progress_bar("timing every structure") as (report, _bar):
            costs = study.costs(report)
        with steps("drawing the page"):
            content = study.finish(results, costs)
            write_pages(study, content)
    except KeyboardInterrupt:
        note("stopped; what is done is kept. Go on with the same command: neuralpedal study "
             f"{'--quick ' if quick else ''}{f'--plan {plan} ' if plan else ''}--out {out} {dry} {wet}")
        return INTERRUPTED
    print_json(content) if as_json else _print(content)
    note(f"look and listen: {out / PAGE}")
    return 0


def _run_cells(study: Any) -> list[dict[str, Any]]:
    """Every cell under two bars: the whole study by estimated time, and the cell at hand."""
    with steps("measuring this machine"):
        seconds = study.estimates()
    total = sum(seconds.values())
    if seconds:
        note(f"{len(seconds)} of {len(study.plan.cells)} networks to train: about {max(1, round(total / 60))} min "
             "on this machine as busy as it is now")
    results, done = [], 0.0
    with progress_bar("study") as (report, bar), interruptible() as interruption:
        task = bar.add_task("", total=1.0, visible=bool(seconds))
        for cell in study.plan.cells:
            share = seconds.get(cell.id, 0.0)

            def watch(fraction: float, what: str, name: str = cell.id, begun: float = done,
                      share: float = share) -> None:
                interruption.check()
                bar.update(task, completed=fraction, description=f"{name}  {what}")
                report((begun + fraction * share) / max(total, 1e-9))

            results.append(study.run(cell, watch))
            done += share
            if bar.disable and share:
                # No terminal, no bar: a line per network is what a log wants.
                note(f"{done / total:4.0%}  {cell.id}  ESR {results[-1]['judged'][-1]['esr']:.5f}")
        interruption.check()
    return results


def _print(content: dict[str, Any]) -> None:
    from neuralpedal.cli.study.rows import SHORT_COLUMNS, chosen

    for target in content["targets"]:
        rows = [[_shown(row, key) for key in _TABLE] for row in chosen(content["rows"], target=target)]
        headings = [SHORT_COLUMNS[key] for key in _TABLE]
        print_table(f"{target}: {content['targets'][target]['description']}", headings, rows)
    print_table("the findings of 2022", ["claim", "verdict"],
                [[f"{finding['number']}. {finding['claim']}", finding["verdict"]] for finding in content["findings"]])


def _shown(row: dict[str, Any], key: str) -> str:
    value = row[key]
    if key == "structure":
        return value + ("" if row["frames"] else " streaming")
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else figure(value)
