"""What a notebook installs is known, and its run installs nothing."""

import pytest
from small_notebooks import write_notebook

from proveout.pilot.adopt import install_lines
from proveout.pilot.audit import notebook_text
from proveout.pilot.audit.analysis import Analysis


@pytest.mark.parametrize(
    ("source", "requirements"),
    [
        ("!pip install -q shap", ("shap",)),
        ("%pip install 'pandas==1.3.5' Scikit_Learn>=1", ("pandas==1.3.5", "scikit-learn>=1")),
        ("!{sys.executable} -m pip install --upgrade seaborn", ("seaborn",)),
        ("!conda install -y -c conda-forge lightgbm", ("lightgbm",)),
        ("!pip install -r requirements.txt xgboost[plotting]", ("xgboost",)),
        ("!pip install git+https://example.org/x.git ./local", ()),
        ("pip install optuna", ("optuna",)),
        ("%%bash\npip install wordcloud\nls", ("wordcloud",)),
        ("!apt-get install -y graphviz", ()),
        ("!pip uninstall -y numpy", ()),
    ],
)
def test_what_a_line_installs(tmp_path, source, requirements):
    """Versions that a cell names are as good as a file of requirements."""
    analysis = Analysis(notebook_text.read(write_notebook(tmp_path / "a.ipynb", [source])))

    [line] = install_lines.install_lines(analysis)

    assert line.requirements == requirements


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("import x\n!pip install x\ny = 1", "import x\npass\ny = 1"),
        ("if True:\n    !pip install x\ny = 1", "if True:\n    pass\ny = 1"),
        ("!pip install a \\\n  b\ny = 1", "pass\n\ny = 1"),
        ("%%bash\npip install x\nls", "%%bash\ntrue\nls"),
        ("%pip install x", "pass"),
        ("  !pip install x\n  y = 1", "  pass\n  y = 1"),
        ("!ls\ny = 1", "!ls\ny = 1"),
        ("text = '''\n!pip install x\n'''", "text = '''\n!pip install x\n'''"),
    ],
)
def test_a_cell_without_its_install_lines_keeps_all_others_in_their_place(source, left):
    """proveout runs in the same environment, and a cell that installs another pandas would break it."""
    assert install_lines.without(source) == left
