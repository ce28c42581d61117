"""A pilot in a kernel of its own: unedited, in a copy of its folder, and all of its models looked at."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from proveout.pilot.adopt import pilot_run

CELLS = [
    "%matplotlib inline\nimport numpy as np\nimport pandas as pd\n"
    "from sklearn.linear_model import LogisticRegression\n"
    "from sklearn.metrics import accuracy_score\nfrom sklearn.model_selection import train_test_split\n"
    "from sklearn.preprocessing import StandardScaler",
    "df = pd.read_csv('/home/ann/rows.csv')\ndf.to_csv('written.csv')",
    "print(undefined)",
    "X = StandardScaler().fit_transform(df[['a', 'b']])\n"
    "X_train, X_test, y_train, y_test = train_test_split(X, df['y'])",
    "models = {'plain': LogisticRegression(), 'strict': LogisticRegression(C=0.01)}\n"
    "for name, model in models.items():\n"
    "    model.fit(X_train, y_train)\n    print(name, accuracy_score(y_test, model.predict(X_test)))",
]


def test_a_pilot_is_run_in_a_copy_and_its_models_are_recovered(tmp_path: Path) -> None:
    """A foreign path is found beside the notebook, a raising cell that nothing needs is told, both models are found."""
    folder, into = tmp_path / "a pilot", tmp_path / "found"
    folder.mkdir()
    into.mkdir()
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)})
    frame.assign(y=(frame.a > 0).astype(int)).to_csv(folder / "rows.csv", index=False)
    cells = [
        {
            "cell_type": "code",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "id": f"c{place}",
        }
        for place, source in enumerate(CELLS)
    ]
    notebook = folder / "pilot.ipynb"
    notebook.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    before = sorted(file.name for file in folder.iterdir())

    found = pilot_run.run(notebook, into=into)

    assert [one.index for one in found.raised] == [2]
    assert "NameError" in found.raised[0].problem
    assert [(model.level, model.task, model.target) for model in found.recovered.models] == [("raw", "binary", "y")] * 2
    assert all(model.cells == (0, 1, 3, 4) and not model.raised_cells for model in found.recovered.models)
    assert [metric.name for model in found.recovered.models for metric in model.metrics] == ["accuracy_score"] * 2
    [asked, read] = found.recovered.redirected[0]
    assert (asked, Path(read).name) == ("/home/ann/rows.csv", "rows.csv")
    assert all((into / model.features).is_file() for model in found.recovered.models)
    assert sorted(file.name for file in folder.iterdir()) == before
