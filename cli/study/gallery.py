"""Which networks are looked at and listened to: all would be too many."""

from neuralpedal.cli.study.findings import epochs_of
from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ, TUBE
from neuralpedal.cli.study.rows import Row, chosen, epoch_series
from neuralpedal.cli.study.study import Study
from neuralpedal.cli.study.targets import play_tube
from neuralpedal.contract.probes import AliasingProbe, probe_aliasing
from neuralpedal.train.networks import load_model

_FRAME_NETWORKS = 3
_PROBE_HZ, _PROBE_DBFS = 1250, -10


def shown_rows(rows: list[Row], target: str) -> list[Row]:
    """The first, a middle and the last network of the longest training by frames, and the best that streams."""
    series = longest_series(rows, target)
    if len(series) > _FRAME_NETWORKS:
        series = [series[0], series[len(series) // 2], series[-1]]
    streaming = chosen(rows, target=target, kind="lstm")
    return [*series, *sorted(streaming, key=lambda row: row["esr"])[:1]]


def heard_rows(rows: list[Row], target: str) -> list[Row]:
    """Every training's last network, and all networks of the longest training."""
    longest = longest_series(rows, target)
    return [row for row in chosen(rows, target=target) if row["is_last"] or row in longest]


def label_of(row: Row) -> str:
    """Short, for the head of a panel."""
    return f"{row['structure']}{'' if row['frames'] else ' streaming'}, {epochs_of(row)}"


def longest_series(rows: list[Row], target: str) -> list[Row]:
    """The networks of the training by frames that went on for most epochs."""
    frames = chosen(rows, target=target, kind="frame_lstm")
    singles = [[row] for row in frames]
    return max([*epoch_series(rows, target), *singles], key=lambda one: (one[-1]["epochs"], len(one)), default=[])


def alias_probes(study: Study, rows: list[Row], target: str) -> dict[str, AliasingProbe]:
    """A sine through each network, by label; through the target too where it is a circuit that can be played."""
    players = {"target": play_tube} if target == TUBE else {}
    for row in rows:
        cell = next(cell for cell in study.plan.cells if cell.id == row["id"])
        model = load_model(study.folder(cell).model(row["planned_epochs"]))
        players[label_of(row)] = lambda samples, model=model: model.process(samples.astype("float32"))  # type: ignore[misc]
    probes = {label: probe_aliasing(play, SAMPLE_RATE_HZ, _PROBE_HZ, _PROBE_DBFS) for label, play in players.items()}
    return {label: probe for label, probe in probes.items() if probe is not None}
