"""What the doctor says of the files of a project, each against the fault that it is for."""

import pytest

from proveout.doctor import project_code
from proveout.doctor.finding import look

LOOKS = {
    "files": project_code.files,
    "code": project_code.code,
    "schema": project_code.schema,
    "train.toml": project_code.configuration,
    "source": project_code.source,
    "notebook": project_code.notebook,
    "imports": project_code.imports,
}
TOML = '[split]\nkind = "random"\n[evaluation]\nauc_at_least = 0.7\n'


def found(settings, name):
    with project_code.import_paths(settings):
        return look(name, lambda: LOOKS[name](settings))


def test_a_project_in_order_is_well(project):
    """Each line says what was looked at."""
    settings = project()

    said = {name: found(settings, name) for name in LOOKS}

    assert {name: one.state for name, one in said.items()} == dict.fromkeys(LOOKS, "ok"), said
    assert said["source"].said == "2 batches; 2 has 3 rows"
    assert said["schema"].said == "a request has 2 fields: id, x"
    assert said["train.toml"].said == 'split by "time", 0 parameters, 1 bounds'
    assert said["imports"].said.endswith("pandas")


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("files", {"label.py": None}, "target names label.py"),
        ("files", {"flows/train.toml": None}, "train_config names flows/train.toml"),
        ("code", {"features.py": "import no_such_module\n"}, "features.py:features: ModuleNotFoundError"),
        ("code", {"serve/fallback.py": ""}, "serve/fallback.py has no `rules`"),
        ("schema", {"schemas.py": "class Request: pass\nclass Batch: pass\n"}, "schemas.py:Request"),
        ("train.toml", {"flows/train.toml": "[split]\nkind = random\n"}, "train.toml: is not TOML"),
        ("train.toml", {"flows/train.toml": TOML.replace("random", "dice")}, '[split] kind is "dice"'),
        ("train.toml", {"flows/train.toml": TOML.replace("0.7", "inf")}, "auc_at_least"),
        ("source", {"data.py": "def source(name, tables):\n    return 1 / 0\n"}, "ZeroDivisionError"),
        ("source", {"data.py": "def source(name, tables):\n    raise KeyError(name)\n"}, "There is no batch 2"),
        ("source", {"data.py": "def source(name, tables):\n    return []\n"}, "it returned list, not a DataFrame"),
        (
            "source",
            {"data.py": "import pandas as pd\ndef source(name, tables):\n    return pd.DataFrame({'id': [1]})\n"},
            "Batch 2 is refused",
        ),
        ("notebook", {"flows/train.toml": f"{TOML}[parameters]\nspeed = 3\n"}, "parameter `speed` is unknown"),
    ],
)
def test_a_fault_is_named(project, name, changed, said):
    """With the file, or the key, that has to be corrected."""
    one = found(project(changed), name)

    assert one.state == "fault"
    assert said in one.said


def test_a_source_of_files_without_a_file_is_a_fault(project):
    """The path is wrong, or the disk that it is on is not mounted."""
    settings = project().model_copy(update={"source": "data/*.csv"})

    one = found(settings, "source")

    assert one.state == "fault"
    assert one.said.startswith("There is no file data/*.csv")


def test_a_source_without_rows_is_a_fault(project):
    """Its files are there, and empty."""
    empty = "import pandas as pd\ndef source(name, tables):\n    return pd.DataFrame({'id': [], 'x': [], 'y': []})\n"

    assert found(project({"data.py": empty}), "source").state == "fault"


def test_a_notebook_without_a_parameters_cell_is_a_fault(project):
    """The tag was lost when cells were copied."""
    settings = project()
    file = settings.root / settings.notebook
    file.write_text(file.read_text().replace('"parameters"', '"other"'))

    one = found(settings, "notebook")

    assert (one.state, one.remedy) == ("fault", "Tag the cell that sets them")


def test_a_notebook_that_is_none_is_a_fault(project):
    """Half of it was written when the disk was full."""
    settings = project()
    (settings.root / settings.notebook).write_text('{"cells": [')

    assert {found(settings, name).state for name in ("notebook", "imports")} == {"fault"}


def test_a_package_that_the_notebook_needs_is_named_with_its_line(project):
    """The import would raise after everything before it has run. An import that no cell uses is a note."""
    missing = found(project(cell="import pandas\nimport torch\ntorch.ones(3)"), "imports")
    idle = found(project(cell="import torch"), "imports")

    assert (missing.state, missing.remedy) == ("fault", "python -m pip install torch")
    assert missing.said == "not installed: cell 1, line 2 needs torch"
    assert idle.state == "note"


def test_a_variable_that_judges_is_a_fault():
    """The gate refuses to work while it is set."""
    one = project_code.environment(["checks", "approval_days"])

    assert (one.state, one.remedy) == ("fault", "unset PROVEOUT_CHECKS PROVEOUT_APPROVAL_DAYS")
    assert project_code.environment([]).state == "ok"
