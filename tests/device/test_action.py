"""Actions: one line of words and one value, there and back; what is wrong is named."""

import pytest

from neuralpedal.contract.errors import SpecError
from neuralpedal.device.action import FORMS, Action, parse_action

pytestmark = pytest.mark.device


@pytest.mark.parametrize(("text", "action"), [
    ("bypass toggle", Action("bypass", "toggle")),
    ("  mute   on ", Action("mute", "on")),
    ("preset next", Action("preset", "next")),
    ("preset 12", Action("preset", "12")),
    ("preset Big Muff, 1975", Action("preset", "Big Muff, 1975")),
    ("set output_gain_db -6", Action("set", "output_gain_db", -6.0)),
    ("set gate on", Action("set", "gate", 1.0)),
    ("turn  input_gain_db  +1.5", Action("turn", "input_gain_db", 1.5)),
    ("save", Action("save")),
])
def test_a_line_is_an_action_and_an_action_is_a_line(text, action):
    assert parse_action(text) == action
    assert parse_action(str(action)) == action


@pytest.mark.parametrize(("text", "words"), [
    ("", ("no action given", *FORMS.values())),
    ("explode now", ("'explode'", *FORMS.values())),
    ("bypass", ("'bypass'", "bypass on|off|toggle")),
    ("mute perhaps", ("mute perhaps", "mute on|off|toggle")),
    ("preset", ("preset NAME|NUMBER|next|previous",)),
    ("preset a\x07b", ("preset NAME|NUMBER|next|previous",)),
    ("save all", ("`save`",)),
    ("set output_gain_db", ("set PARAMETER VALUE",)),
    ("set output_gain_db loud", ("'loud' is no number", "set PARAMETER VALUE")),
    ("set output_gain_db nan", ("'nan' is no number",)),
    ("turn output_gain_db on", ("'on' is no number", "turn PARAMETER DELTA")),
    ("turn a b c", ("turn PARAMETER DELTA",)),
    ("preset " + "x" * 300, ("307 characters", "200")),
])
def test_what_is_no_action_is_named_with_what_is_possible(text, words):
    with pytest.raises(SpecError) as caught:
        parse_action(text)
    assert all(word in str(caught.value) for word in words), caught.value
