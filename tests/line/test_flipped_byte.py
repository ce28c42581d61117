"""One flipped byte in any file of a real, approved, released bundle: `proveout verify` and the server refuse."""

import pytest
from typer.testing import CliRunner

from proveout.cli import main
from proveout.errors import ProveoutError
from proveout.server.worker.release_source import Released


@pytest.fixture
def released(trained):
    """The folder of the trained bundle, released as champion."""
    trained.release()
    return trained.settings(), trained.store().folder("bundles", trained.newest("bundle").subject)


def test_every_file_of_the_released_bundle_is_guarded(released, monkeypatch):
    """Model, features, thresholds, confidence, metrics, the manifest itself: none may be served changed."""
    settings, folder = released
    monkeypatch.setenv("PROVEOUT_STATE", str(settings.state))
    run = CliRunner()
    assert run.invoke(main, ["verify", folder.name]).exit_code == 0
    Released().check(settings)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) >= 14
    for file in files:
        whole = file.read_bytes()
        place = len(whole) // 2
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            refused = run.invoke(main, ["verify", folder.name])
            assert refused.exit_code == 1, file
            with pytest.raises(ProveoutError) as error:
                Released().check(settings)
            if file.name != "manifest.json":
                assert str(file.relative_to(folder)) in str(error.value)
        finally:
            file.write_bytes(whole)
    assert run.invoke(main, ["verify", folder.name]).exit_code == 0
