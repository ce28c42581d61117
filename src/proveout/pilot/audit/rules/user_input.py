"""PA109 user-input."""

import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule

_BLOCKS = re.compile(
    r"^(?:input|raw_input|getpass|getpass\.getpass|ipywidgets\.\w+|IPython\.html\.widgets\.\w+|google\.colab\.files\.upload|"
    r"google\.colab\.auth\.authenticate_user|google\.colab\.drive\.mount|files\.upload|auth\.authenticate_user|dbutils\.widgets\.\w+|"
    r"tkinter\.filedialog\.\w+|easygui\.\w+|interact|huggingface_hub\.notebook_login|notebook_login|wandb\.login|ee\.Authenticate|"
    r"click\.prompt|pixiedust\.\w+)$"
)
_QUIET = {
    "ipywidgets.Layout",
    "dbutils.widgets.get",
    "dbutils.widgets.remove",
    "dbutils.widgets.removeAll",
    "google.colab.drive.mount",
    "wandb.login",
}


def find(analysis: Analysis) -> Iterator[Hit]:
    """Calls that wait for a person."""
    for call in analysis.calls:
        if _BLOCKS.match(call.name) and call.name not in _QUIET:
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.name} waits for a person")


RULE = Rule(
    code="PA109",
    kind="user-input",
    severity="high",
    title="Waits for a person",
    why="A scheduled run has nobody to answer: it stops with StdinNotImplementedError or hangs.",
    fix="Make the answer a parameter of the run, or read it from the environment.",
    adopt="leaves",
    adopt_note="Leaves the cell out where the model does not need it; else refuses with the cell.",
    find=find,
    positive=(
        Example(cells=("from getpass import getpass\np = getpass('key: ')\nn = int(input())",), found=((0, 2), (0, 3))),
        Example(cells=("import ipywidgets as widgets\ns = widgets.IntSlider()",), found=((0, 2),)),
        Example(cells=("from google.colab import files\nup = files.upload()",), found=((0, 2),)),
    ),
    negative=(Example(cells=("from keras.layers import Input\nx = Input(shape=(3,))\nd.input(3)",)),),
)
