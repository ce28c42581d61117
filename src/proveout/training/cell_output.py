"""What one cell showed, kept within bounds: text as a terminal would leave it, displays up to a number and a size.

Input: the messages of a kernel, one by one. Output: the outputs of a notebook cell, with a note where something
was left out. Time is linear in what comes in and memory is bounded: a progress bar of a million steps is one line, and
a cell that prints for an hour fills neither the memory nor the notebook.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from nbformat.v4 import new_output

TEXT_CHARS = 200_000  # of one cell, to stdout and to stderr each; a page of it in colours takes nbconvert 2 s
DISPLAYS = 500  # tables, pictures and tracebacks shown by one cell
DISPLAY_CHARS = 20_000_000  # of one cell's displays together, a picture in base64
ERROR_CHARS = 100_000  # of a traceback, and of an error's own text

_PLACED = ("display_data", "execute_result", "error")  # each has a place of its own among the outputs
SHOWN = ("stream", *_PLACED)


class CellOutput:
    """The outputs of one cell while it runs. `outputs` is the list in the notebook; `settle` puts the text into it."""

    def __init__(self, outputs: list[Any]) -> None:
        self.outputs = outputs
        self.text: dict[str, StreamText] = {}
        self.displays = self.display_chars = self.left_out = 0
        self.notes: list[str] = []

    def write(self, name: str, text: str) -> None:
        """Take in text for `name`, stdout or stderr. It stands where the first text of that name stood."""
        if name not in self.text:
            self.text[name] = StreamText()
            self.outputs.append(new_output("stream", name=name))
        self.text[name].write(text)

    def admits(self, kind: str, content: Mapping[str, Any]) -> bool:
        """Whether there is room for this display; counted either way. The value of the last line always has a place."""
        if kind not in _PLACED and kind != "update_display_data":
            return True
        chars = _chars(content.get("data", content.get("traceback", "")))
        if self.display_chars + chars > DISPLAY_CHARS or (
            self.displays >= DISPLAYS and kind in ("display_data", "error")
        ):
            self.left_out += 1
            return False
        if kind in _PLACED:
            self.displays, self.display_chars = self.displays + 1, self.display_chars + chars
        return True

    def clear(self) -> None:
        self.outputs.clear()
        self.text.clear()
        self.displays = self.display_chars = self.left_out = 0

    def settle(self, *, hide: Callable[[str], str], longest_secret: int) -> None:
        """Put the text and the notes into the notebook's outputs."""
        for output in self.outputs:
            if output.output_type == "stream" and output.name in self.text:
                output.text = self.text[output.name].whole(hide, longest_secret)
        if self.left_out:
            bounds = f"of one cell, {DISPLAYS} and {DISPLAY_CHARS / 1e6:.0f} MB are kept"
            self.notes.append(f"{self.left_out:,} outputs left out: {bounds}")
        if self.notes:
            self.outputs.append(new_output("stream", name="stderr", text="".join(f"[{note}]\n" for note in self.notes)))


def _chars(shown: Any) -> int:
    return len(shown) if isinstance(shown, str) else len(json.dumps(shown))


class StreamText:
    """The text of one stream: each line as it was when it ended, the middle left out beyond TEXT_CHARS."""

    def __init__(self) -> None:
        self.head = ""
        self.pieces: list[str] = []
        self.chars = self.left_out = 0

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.chars += len(text)
        if self.chars > 2 * TEXT_CHARS:  # then as much has come in as is gone through: the time is linear
            self._shorten()

    def _shorten(self) -> None:
        text = overwritten("".join(self.pieces))
        half = TEXT_CHARS // 2
        if not self.head and len(text) > TEXT_CHARS:
            self.head, text = text[:half], text[half:]
        if self.head and len(text) > half:
            self.left_out += len(text) - half
            text = text[-half:]
        self.pieces, self.chars = [text], len(text)

    def whole(self, hide: Callable[[str], str], longest_secret: int) -> str:
        """What is kept, secrets hidden: one that came in pieces is whole here, unless the cut goes through it."""
        self._shorten()
        tail = hide(self.pieces[0])
        if not self.head:
            return tail
        head = hide(self.head)
        head, tail = head[: len(head) - longest_secret], tail[longest_secret:]
        return f"{head}\n[{self.left_out:,} characters left out]\n{tail}"


def overwritten(text: str) -> str:
    """`text` with each line as a terminal leaves it: what stood before a carriage return is gone.

    >>> overwritten("10 %\\r50 %\\r100 %\\nkept\\r\\nunder way\\r")
    '100 %\\nkept\\nunder way\\r'
    """
    if "\r" not in text:
        return text
    *ended, last = text.split("\n")
    unfinished = "\r" if last.endswith("\r") else ""  # whatever comes next overwrites this line
    return "\n".join([*map(_last_state, ended), _last_state(last) + unfinished])


def _last_state(line: str) -> str:
    written = line.rstrip("\r")
    return written[written.rfind("\r") + 1 :]


def shortened(text: str, chars: int = ERROR_CHARS) -> str:
    """`text`, its middle left out where it is longer than `chars`."""
    half = chars // 2
    return (
        text if len(text) <= chars else f"{text[:half]}\n[{len(text) - 2 * half:,} characters left out]\n{text[-half:]}"
    )


def plain(text: str) -> str:
    """`text` without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
