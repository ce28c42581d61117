"""evaluation/progress.py: long work says how far it is."""

from proveout.evaluation import progress


def test_long_work_says_how_far_it_is(monkeypatch, capsys):
    """Two minutes of silence look like a hang."""
    clock = iter(range(0, 100, 3))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))

    assert list(progress.reported("windows fitted", ["a", "b"])) == ["a", "b"]
    assert "1 of 2 windows fitted" in capsys.readouterr().err
