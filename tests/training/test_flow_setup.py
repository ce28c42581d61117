"""training/flow_setup.py: a run knows the file of its configuration."""

import os
import sys

from proveout.training import flow_setup


def test_the_file_of_the_configuration_is_the_one_that_was_named(root, monkeypatch):
    """With `--config config other.toml`, that file is compared later. A step gets its name from the run."""
    (root / "flows" / "train.py").write_text("")
    other = root / "flows" / "other.toml"
    monkeypatch.setenv("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(root))  # what `prepare` sets would stay set
    monkeypatch.setenv("METAFLOW_USER", "ada")
    monkeypatch.setattr(sys, "argv", ["flows/train.py", "--config", "config", str(other), "run"])
    flow_setup.prepare(root / "flows" / "train.py")
    assert os.environ[flow_setup.CONFIG_FILE] == str(other)

    monkeypatch.setattr(sys, "argv", ["flows/train.py", "--config-value", "config", "kv.config", "step", "fit"])
    flow_setup.prepare(root / "flows" / "train.py")
    assert os.environ[flow_setup.CONFIG_FILE] == str(other)

    monkeypatch.setattr(sys, "argv", ["flows/train.py", "run"])
    flow_setup.prepare(root / "flows" / "train.py")
    assert os.environ[flow_setup.CONFIG_FILE] == str(root / "flows" / "train.toml")
