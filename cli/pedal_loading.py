"""Makes the pedalboard that ``run`` plays: of models, of a ``pedal.yaml`` or of both; options go before the file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from neuralpedal.cli.console import note, warn
from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.errors import PedalError, SpecError
from neuralpedal.contract.spec import explain_validation
from neuralpedal.device.calibration import calibration_db, calibration_text
from neuralpedal.device.controls.control_table import all_limits, check_table
from neuralpedal.device.engine import Engine
from neuralpedal.device.last_state import LastState
from neuralpedal.device.pedal_file import AudioSettings, PedalFile, PedalSettingsFile, PresetSettings
from neuralpedal.device.pedalboard import Pedalboard
from neuralpedal.device.preset_writer import save_presets
from neuralpedal.device.sound.cabinet import read_impulse_response
from neuralpedal.device.voice import Voice


@dataclass(frozen=True)
class Options:
    """What was said on the command line; None where nothing was.

    Attributes:
        models: instead of the file's presets, each a preset of its own.
        config: the file.
    """

    models: Sequence[Path] = ()
    config: Path | None = None
    device: str | None = None
    input_channel: int | None = None
    block: int | None = None
    rate: int | None = None
    input_gain_db: float | None = None
    output_gain_db: float | None = None
    bypassed: bool | None = None
    engine: str | None = None
    late_blocks: int | None = None
    priority: int | None = None
    cpu: int | None = None


class PedalPlan:
    """File and options together.

    Attributes:
        file: the read ``pedal.yaml``, if any. settings: what counts.

    Raises:
        SpecError: the file is wrong, an option is out of range, or there is nothing to play.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self.file = PedalFile(options.config) if options.config else None
        said = self.file.settings if self.file else PedalSettingsFile()
        audio = _with(said.audio, device=options.device, input_channel=options.input_channel, block=options.block)
        realtime = _with(said.realtime, priority=options.priority, cpu=options.cpu)
        self.settings = _with(said, audio=audio, realtime=realtime, engine=options.engine,
                              late_blocks=options.late_blocks, presets=self._presets(said))
        if not self.settings.presets:
            where = f"{options.config}: no presets, and " if options.config else ""
            raise SpecError(f"{where}no MODEL given; `neuralpedal run --list` shows the sound cards")
        if self.file:
            document = self.file.document
            check_table(said.controls, all_limits(), [preset.name for preset in self.settings.presets],
                        lambda place, message: document.error(("controls", *place), message))

    @property
    def audio(self) -> AudioSettings:
        """Of the sound card."""
        return self.settings.audio

    def board(self) -> Pedalboard:
        """Open all models. Raises as :func:`open_tflite`, with the line of the file where the model stands in it."""
        voices = [self._voice(place, preset) for place, preset in enumerate(self.settings.presets)]
        board = Pedalboard(voices, self._options.bypassed, self.settings.late_blocks)
        if self.file and self._is_from_file:
            self._keep(board, self.file)
        return board

    def _keep(self, board: Pedalboard, file: PedalFile) -> None:
        """Presets go back into the file, the last state beside it; what the command line says goes before that."""
        board.save = lambda before, now: note(f"saved {save_presets(file, before, now).path}")
        board.last_state = LastState(file.state_path, warn)
        state = board.last_state.read()
        if state:
            if self._options.bypassed is not None:
                state["bypassed"] = self._options.bypassed
            board.restore(state)

    def _presets(self, said: PedalSettingsFile) -> list[PresetSettings]:
        presets = said.presets
        if self._options.models:
            presets = [PresetSettings(name=name, model=str(model))
                       for name, model in zip(_names(self._options.models), self._options.models, strict=True)]
        return [_with(preset, input_gain_db=self._options.input_gain_db, output_gain_db=self._options.output_gain_db)
                for preset in presets]

    def _voice(self, place: int, preset: PresetSettings) -> Voice:
        with self._naming_line("presets", place, "model"):
            engine = self._engine(preset)
        response = None
        if preset.cabinet and self.file:
            with self._naming_line("presets", place, "cabinet", "file"):
                response = read_impulse_response(self.file.resolve(preset.cabinet.file), engine.sample_rate_hz)
        said = calibration_text(engine.manifest, self.audio.input_level_dbu)
        if said:
            note(said)
        return Voice(engine, preset, response, calibration_db(engine.manifest, self.audio.input_level_dbu) or 0.0)

    @contextmanager
    def _naming_line(self, *location: str | int) -> Iterator[None]:
        """What goes wrong is said with the line of the setting that led to it."""
        try:
            yield
        except PedalError as error:
            if not self._is_from_file:
                raise
            assert self.file
            raise self.file.document.error(location, str(error)) from error

    @property
    def _is_from_file(self) -> bool:
        return self.file is not None and not self._options.models

    def _engine(self, preset: PresetSettings) -> Engine:
        path = self.file.resolve(preset.model) if self.file and self._is_from_file else Path(preset.model)
        opened = open_tflite(path, self.settings.engine, self.audio.block)
        rate = self._options.rate
        if rate not in (None, opened.sample_rate_hz):
            raise SpecError(f"--rate {rate}: {path} was trained at {opened.sample_rate_hz} Hz and plays rightly at no "
                            f"other rate; leave --rate out, or train a model at {rate} Hz")
        return opened


_Settings = TypeVar("_Settings", bound=BaseModel)


def _with(settings: _Settings, **values: Any) -> _Settings:
    """A copy in which all that is not None is put in, and checked. Raises SpecError."""
    said = {name: value for name, value in values.items() if value is not None}
    kept = {name: getattr(settings, name) for name in settings.model_fields_set}
    try:
        return type(settings)(**{**kept, **said})
    except ValidationError as error:
        raise SpecError(explain_validation(error, "command line")) from error


def _names(models: Sequence[Path]) -> list[str]:
    """The files' names without their ends, with a number where two are alike."""
    stems = [model.name.removesuffix(".tflite") or "model" for model in models]
    return [stem if stems.count(stem) == 1 else f"{stem} ({stems[: place + 1].count(stem)})"
            for place, stem in enumerate(stems)]
