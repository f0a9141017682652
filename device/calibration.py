"""Levels: how loud the guitar reaches a model that was trained at another level than that of this sound card.

A capture may say which level in volts its full scale was. Whoever measured the same of their sound card hears the pedal
as hard driven as it was, without turning a knob.
"""

from neuralpedal.contract.manifest import Manifest


def calibration_db(manifest: Manifest, card_level_dbu: float | None) -> float | None:
    """The gain in front of a model, or None where either side is not known.

    Args:
        card_level_dbu: dBu (RMS) of a sine whose peaks are full scale of the card's input.
    """
    if card_level_dbu is None or manifest.input_level_dbu is None:
        return None
    return card_level_dbu - manifest.input_level_dbu


def calibration_text(manifest: Manifest, card_level_dbu: float | None) -> str | None:
    """What a player says about it; None where there is nothing to say."""
    gain_db = calibration_db(manifest, card_level_dbu)
    if gain_db is not None:
        return (f"{manifest.name}: input calibrated by {gain_db:+.1f} dB (card {card_level_dbu:g} dBu, model "
                f"{manifest.input_level_dbu:g} dBu at full scale)")
    if manifest.input_level_dbu is not None:
        return (f"{manifest.name}: was made for {manifest.input_level_dbu:g} dBu at full scale; measure that of your "
                "card and write it to pedal.yaml (audio: input_level_dbu:) to hear it so")
    return None
