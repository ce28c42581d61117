"""`proveout doctor`: the page, the record, the exit code."""

import json

from command_line import said


def test_the_page_has_a_line_for_each_thing_and_what_to_do(tmp_path, monkeypatch):
    """Answer first; the fault with its remedy below it."""
    monkeypatch.chdir(tmp_path)

    page = said(1, "doctor").splitlines()

    assert page[0] == "1 broken   no project   2 ok, 0 notes, 1 broken"
    assert page[1].startswith("  ok      python       3.")
    assert any(line.startswith("  fault   project      ") for line in page)
    assert page[-2].strip().startswith("do: Go to the project, set PROVEOUT_ROOT")
    assert page[-1].startswith("next: proveout doctor")


def test_the_record_is_the_same_as_json(tmp_path, monkeypatch):
    """For a monitor that asks whether a machine is fit."""
    monkeypatch.chdir(tmp_path)

    record = json.loads(said(1, "doctor", "--json"))

    assert (record["well"], record["model"]) == (False, None)
    assert [finding["state"] for finding in record["findings"]] == ["ok", "ok", "fault"]
    assert set(record["findings"][0]) == {"name", "state", "said", "remedy"}
