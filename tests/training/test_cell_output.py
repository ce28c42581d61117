"""training/cell_output.py: what a cell shows, within bounds, with a note where something was left out."""

import pytest

from proveout.training import cell_output
from proveout.training.cell_output import CellOutput


@pytest.fixture
def small(monkeypatch):
    """Bounds that a test reaches."""
    monkeypatch.setattr(cell_output, "TEXT_CHARS", 1_000)
    monkeypatch.setattr(cell_output, "DISPLAYS", 3)
    monkeypatch.setattr(cell_output, "DISPLAY_CHARS", 200)


def written(*texts: str, hide=lambda text: text, longest_secret: int = 0) -> str:
    output = CellOutput([])
    for text in texts:
        output.write("stdout", text)
    output.settle(hide=hide, longest_secret=longest_secret)
    return output.outputs[0].text


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        (["a\n", "b\n"], "a\nb\n"),
        (["10 %\r", "50 %\r", "100 %\n", "done\n"], "100 %\ndone\n"),
        (["\r10 %", "\r50 %", "\r100 %"], "100 %"),
        (["a bar", "\r     \r", "after\n"], "after\n"),
        (["Windows\r\nlines\r\n"], "Windows\nlines\n"),
        (["under way\r"], "under way\r"),
    ],
)
def test_text_is_kept_as_a_terminal_leaves_it(texts, kept):
    """A progress bar of 20,000 steps is one line, in whatever pieces it came."""
    assert written(*texts) == kept
    assert written(*"".join(texts)) == kept


@pytest.mark.parametrize("piece", [1, 7, 600, 100_000])
def test_the_middle_of_a_long_text_is_left_out_and_said_to_be(small, piece):
    """In one line or in many, in one message or in a hundred thousand."""
    text = "".join(f"{i:06}" for i in range(20_000))
    kept = written(*(text[i : i + piece] for i in range(0, len(text), piece)))

    assert kept == f"{text[:500]}\n[119,000 characters left out]\n{text[-500:]}"


def test_a_progress_bar_longer_than_the_bound_leaves_nothing_out(small):
    """It is one line at any moment."""
    assert written(*(f"\r{i:5} {'#' * 60}" for i in range(2_000))) == f" 1999 {'#' * 60}"


def test_reading_a_long_line_does_a_fixed_amount_of_work_for_each_character(monkeypatch):
    """nbclient looked for a carriage return from each character of a line on: 600 kB took 158 s, 1 MB seven minutes."""
    gone_through = 0
    real = cell_output.overwritten

    def counted(text: str) -> str:
        nonlocal gone_through
        gone_through += len(text)
        return real(text)

    monkeypatch.setattr(cell_output, "overwritten", counted)
    written("x" * 10_000_000)
    written(*["x" * 1_000] * 10_000)

    assert gone_through <= 2 * 20_000_000


def test_a_secret_that_the_cut_goes_through_leaves_nothing_of_itself(small):
    """Half a password is half of it known."""
    for length in range(480, 520):
        kept = written(
            "x" * length + "hunter2-canary" + "y" * 5_000,
            hide=lambda text: text.replace("hunter2-canary", "[secret]"),
            longest_secret=len("hunter2-canary"),
        )
        assert "hun" not in kept
        assert "nary" not in kept


def shown(kind: str, text: str) -> tuple[str, dict]:
    return kind, {"traceback": [text]} if kind == "error" else {"data": {"text/plain": text}}


def test_displays_are_kept_up_to_a_number_and_a_size_and_the_rest_is_counted(small):
    """A loop that shows 20,000 tables fills neither the memory nor the notebook; the last line's value is kept."""
    output = CellOutput([])
    admitted = [output.admits(*shown("display_data", "ten chars.")) for _ in range(5)]

    assert admitted == [True, True, True, False, False]
    assert not output.admits(*shown("error", "a traceback"))
    assert output.admits(*shown("execute_result", "the value"))
    assert not output.admits(*shown("execute_result", "x" * 200))
    assert output.admits("clear_output", {"wait": True})
    output.settle(hide=lambda text: text, longest_secret=0)
    assert output.outputs[-1].text == "[4 outputs left out: of one cell, 3 and 0 MB are kept]\n"


def test_what_is_cleared_counts_no_more(small):
    """A picture drawn anew a thousand times is one picture."""
    output = CellOutput([])
    for _ in range(1_000):
        output.clear()
        assert output.admits(*shown("display_data", "x" * 150))
        output.write("stdout", "y")
    output.settle(hide=lambda text: text, longest_secret=0)

    assert [one.text for one in output.outputs] == ["y"]
