"""``neuralpedal run``."""

import signal
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neuralpedal.cli.console import note, print_json, print_table, stderr
from neuralpedal.cli.signal_handlers import end_quietly, handled, held_back

if TYPE_CHECKING:
    from neuralpedal.cli.pedal_loading import PedalPlan
    from neuralpedal.cli.player_process import Turn
    from neuralpedal.device.audio_device import AudioDevice, AudioStream, AudioSystem, StreamFormat
    from neuralpedal.device.pedal import Pedal
    from neuralpedal.device.pedalboard import Pedalboard

_ENGINES = ("auto", "native", "litert")


@click.command("run")
@click.argument("models", metavar="MODEL...", type=click.Path(path_type=Path), nargs=-1)
@click.option("--config", type=click.Path(path_type=Path), help="Card, presets and controls (docs/pedal-file.md). "
              "MODELs and options go before what it says.")
@click.option("--list", "list_devices", is_flag=True, help="Show the sound cards and end.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print JSON.")
@click.option("--device", help="Index, name or part of the name of a sound card.  [default: the system's]")
@click.option("--input-channel", type=int, help="Where the guitar is plugged in: 1 or 2.  [default: 1]")
@click.option("--block", type=click.IntRange(16, 1024), help="Samples per block: less is less latency.  [default: 64]")
@click.option("--rate", type=int, help="Sample rate in Hz; a model plays at its own alone.  [default: the model's]")
@click.option("--input-gain", type=float, help="In front of the model, in dB.  [default: 0]")
@click.option("--output-gain", type=float, help="Behind it, in dB.  [default: 0]")
@click.option("--bypass/--no-bypass", default=None, help="Begin bypassed.  [default: as the first preset says]")
@click.option("--engine", type=click.Choice(_ENGINES), help="native: compiled for this machine; litert: interpreted; "
              "auto: native where a C compiler is.  [default: auto]")
@click.option("--late-blocks", type=click.IntRange(min=0), help="Take the engine out after so many late blocks in a "
              "row; 0: never.  [default: 10 ms of them, 3 at least]")
@click.option("--priority", type=click.IntRange(0, 95), help="Real-time priority of the audio thread; 0: none.  "
              "[default: 70]")
@click.option("--cpu", type=click.IntRange(min=0), help="The core where the audio thread stays.  [default: any]")
@click.option("--seconds", type=float, help="End after so many.  [default: at Ctrl-C or SIGTERM]")
@click.option("--socket", type=click.Path(path_type=Path), help="Where `neuralpedal ctl` finds this pedal.  [default: "
              "neuralpedal/ctl.sock in $XDG_RUNTIME_DIR]")
@click.option("--headless", is_flag=True, help="No live view, as where stderr is no terminal, and no keys.")
@click.option("--log", type=click.Path(path_type=Path), help="Append one JSON row a second to this file.")
def command(models: tuple[Path, ...], config: Path | None, list_devices: bool, as_json: bool, device: str | None,
            input_channel: int | None, block: int | None, rate: int | None, input_gain: float | None,
            output_gain: float | None, bypass: bool | None, engine: str | None, late_blocks: int | None,
            priority: int | None, cpu: int | None, seconds: float | None, socket: Path | None,
            headless: bool, log: Path | None) -> None:
    """Play the guitar through the first MODEL (a .tflite), from a sound card and back to it, until Ctrl-C.

    SIGUSR1 changes to the next model or preset, SIGUSR2 bypasses. An engine that cannot keep up is taken out, and the
    clean guitar heard, until it can. A card that goes (unplugged, its JACK server ended) is opened again as soon
    as it is back.

    \b
    Examples:
      neuralpedal run --list
      neuralpedal run sd1-pedal/sd1.w8.tflite --device hifiberry --block 64
      neuralpedal run sd1.w8.tflite fuzz.w8.tflite --headless --log pedal.jsonl
      neuralpedal run --config pedal.yaml
      neuralpedal ctl bypass toggle
    """
    if list_devices:
        _print_devices(as_json)
        return
    if seconds is not None and not seconds > 0.0:
        raise click.BadParameter(f"{seconds}: wanted more than 0", param_hint="--seconds")
    if not models and config is None:
        raise click.UsageError("no MODEL given; `neuralpedal run --list` shows the sound cards")
    # From here on: importing and opening models takes a second, and a script does not know how long.
    with handled({signal.SIGTERM: end_quietly}), held_back(signal.SIGUSR1, signal.SIGUSR2):
        from neuralpedal.cli.pedal_loading import Options, PedalPlan
        from neuralpedal.cli.player_keeper import PlayerKeeper
        from neuralpedal.device.controls.keyboard import given_back, stdin_descriptor

        plan = PedalPlan(Options(models, config, device, input_channel, block, rate, input_gain, output_gain, bypass,
                                 engine, late_blocks, priority, cpu))
        board = plan.board()
        with given_back(stdin_descriptor()):
            PlayerKeeper(lambda turn: _play(turn, plan, board, socket, headless, log), seconds).play()


def _play(turn: "Turn", plan: "PedalPlan", board: "Pedalboard", socket: Path | None, headless: bool,
          log: Path | None) -> None:
    """From a card that is opened to its end."""
    from neuralpedal.cli.live_controls import open_panel
    from neuralpedal.cli.live_log import LiveLog
    from neuralpedal.cli.live_realtime import LiveRealtime
    from neuralpedal.cli.live_session import LiveSession
    from neuralpedal.cli.live_view import LiveView
    from neuralpedal.device.audio_device import AudioSystem, StreamFormat

    if turn.memory:
        board.recall(turn.memory["board"])
    playing = board.pedal.engine
    form = StreamFormat(playing.sample_rate_hz, plan.audio.block, plan.audio.input_channel)
    with ExitStack() as stack:
        stack.callback(board.close)
        rows = stack.enter_context(LiveLog(log)) if log else None
        audio = stack.enter_context(AudioSystem())
        card = audio.choose_again(turn.memory["card"]) if turn.memory else _choose(audio, plan)
        stream = _open_stream(audio, card, form, board.pedal)
        title = (f"{board.preset.name}, {playing.description}; {card.name} ({card.host_api}), "
                 f"{form.sample_rate_hz} Hz, blocks of {form.block_size}, {stream.latency_ms:.1f} ms in the driver")
        note(f"playing {title}{f', opened again ({turn.number})' if turn.number else ''}; Ctrl-C ends it")
        session = LiveSession(board, stream, turn.seconds, rows, turn.number)
        realtime = LiveRealtime(plan.settings.realtime, stream)

        def sounding() -> None:
            turn.remember({"card": card.name, "board": board.memory()})
            realtime.tend()

        session.sounding = sounding
        session.panel = stack.enter_context(open_panel(board, plan.settings.controls, session.stop, socket, headless))
        if not headless and stderr.is_terminal:
            session.view = stack.enter_context(LiveView(title))
        session.play()
    note(session.summary())


def _choose(audio: "AudioSystem", plan: "PedalPlan") -> "AudioDevice":
    """The card that was asked for: by --device or ``device:``, else by the kind that ``card:`` names."""
    from neuralpedal.device.card_preset import card_presets

    if plan.audio.card and not plan.audio.device:
        return card_presets()[plan.audio.card].find(audio.devices())
    return audio.choose(plan.audio.device)


def _open_stream(audio: "AudioSystem", card: "AudioDevice", form: "StreamFormat", pedal: "Pedal") -> "AudioStream":
    from neuralpedal.contract.errors import AudioDeviceError

    try:
        return audio.open(card, form, pedal.process)
    except AudioDeviceError as error:
        if card.sample_rate_hz == form.sample_rate_hz:
            raise
        found, wanted = card.sample_rate_hz, form.sample_rate_hz
        raise AudioDeviceError(f"{error}. It runs at {found} Hz, the model at {wanted} Hz alone: set the card to that "
                               f"(JACK: start it with -r {wanted}), or train a model at {found} Hz") from error


def _print_devices(as_json: bool) -> None:
    from neuralpedal.device.audio_device import AudioSystem
    from neuralpedal.device.card_preset import card_presets, preset_of

    with AudioSystem() as audio:
        devices = audio.devices()
    kinds = {device.index: preset_of(device.name) for device in devices}
    if as_json:
        print_json([{**asdict(device), "card": kinds[device.index]} for device in devices])
        return
    rows = [[device.name, str(device.index), device.host_api, str(device.sample_rate_hz), str(device.input_channels),
             str(device.output_channels), f"{device.input_latency_ms:.1f}", f"{device.output_latency_ms:.1f}",
             "yes" if device.is_duplex else "no", kinds[device.index] or "–"] for device in devices]
    columns = ["name", "index", "system", "Hz", "inputs", "outputs", "ms in", "ms out", "for a pedal", "preset"]
    print_table("sound cards", columns, rows, text_columns=(0, 2, 9))
    if not devices:
        note("PortAudio sees none: plug one in (`arecord -l` shows what the kernel sees), or start a JACK server")
    for name in dict.fromkeys(kind for kind in kinds.values() if kind):
        preset = card_presets()[name]
        note(f"{name}: {preset.title} (not tried on hardware); {preset.note}")
        for line in preset.commands():
            note(f"  {line}")
