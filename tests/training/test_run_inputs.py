"""training/run_inputs.py: a run ends with the files it began with, or not at all."""

from dataclasses import replace

import pytest
from run_project import FILES

from proveout import settings as project_settings
from proveout.errors import InputsChanged
from proveout.training import run_inputs

READ_AGAIN = sorted(set(FILES) - {"data.py", "idle.py", "pyproject.toml"})


@pytest.mark.parametrize("name", READ_AGAIN)
def test_a_file_edited_while_a_run_goes_on_stops_it(root, began, name):
    """Learned from the old features and packed with the new ones, a bundle was approved."""
    settings = project_settings.load(root)
    run_inputs.check(settings, began)

    (root / name).write_text(FILES[name] + ("[extra]" if name.endswith(".toml") else "\n"))

    with pytest.raises(InputsChanged) as refused:
        run_inputs.check(settings, began)
    assert refused.value.names == (name,)
    assert f"{name} changed since it began" in str(refused.value)
    assert "Start a new run: python flows/train.py run" in str(refused.value)


def test_another_bound_does_not_stop_it(root, began):
    """Only the gate reads the bounds, and the verdict lists them: no model depends on them."""
    bound = FILES["flows/train.toml"].replace("auc_at_least = 0.7", "auc_at_least = 0.6  # for now")
    (root / "flows" / "train.toml").write_text(bound)

    run_inputs.check(project_settings.load(root), began)


def test_a_file_that_is_gone_stops_it_and_one_that_nothing_reads_does_not(root, began):
    """A checkout of another branch takes files away; notes and other flows may change at any time."""
    (root / "idle.py").write_text("EDITED = 1")
    (root / "data.py").write_text("EDITED = 1")  # the snapshot is there already
    run_inputs.check(project_settings.load(root), began)

    (root / "serve" / "actions.py").unlink()

    with pytest.raises(InputsChanged, match=r"serve/actions\.py changed"):
        run_inputs.check(project_settings.load(root), began)


def test_a_setting_that_names_other_code_stops_it(root, began):
    """Also where a variable names it, and no file was edited."""
    settings = project_settings.load(root).model_copy(update={"target": "label.py:later"})

    with pytest.raises(InputsChanged) as refused:
        run_inputs.check(settings, began)

    assert set(refused.value.names) == {"target in [tool.proveout]"}


def test_another_version_of_a_library_stops_a_run_that_is_resumed(root, began):
    """Between a run and its `resume` lies a night, or an upgrade."""
    older = {**began.digests, "the installed scikit-learn": "0" * 64}

    with pytest.raises(InputsChanged, match="the installed scikit-learn changed"):
        run_inputs.check(project_settings.load(root), replace(began, digests=older))
