"""The output of one notebook cell, within limits: text as a terminal shows it, displays up to a number and a size.

Input: the messages of a kernel, one by one. Output: the outputs of a notebook cell, with a note if something was left
out. Time is linear in the input and memory is bounded: a progress bar of a million steps becomes one line, and a cell
that prints for an hour fills neither memory nor notebook.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from nbformat.v4 import new_output

TEXT_CHARS = 200_000  # per cell, for stdout and stderr each; nbconvert takes 2 s for this much coloured text
DISPLAYS = 500  # tables, pictures and tracebacks of one cell
DISPLAY_CHARS = 20_000_000  # of all displays of one cell, with pictures in base64
ERROR_CHARS = 100_000  # of a traceback, and of an error's own text

_PLACED = ("display_data", "execute_result", "error")  # each has its own place among the outputs
SHOWN = ("stream", *_PLACED)


class CellOutput:
    """The outputs of one running cell. `outputs` is the list in the notebook; `settle` adds the text to it."""

    def __init__(self, outputs: list[Any]) -> None:
        self.outputs = outputs
        self.text: dict[str, StreamText] = {}
        self.displays = self.display_chars = self.left_out = 0
        self.notes: list[str] = []

    def write(self, name: str, text: str) -> None:
        """Add text to `name`, stdout or stderr. It appears at the position of the first text of that name."""
        if name not in self.text:
            self.text[name] = StreamText()
            self.outputs.append(new_output("stream", name=name))
        self.text[name].write(text)

    def admits(self, kind: str, content: Mapping[str, Any]) -> bool:
        """Whether there is room for this display; counted anyway. The value of the last line is always kept."""
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
    """The text of one stream: the final state of each line, without the middle beyond TEXT_CHARS."""

    def __init__(self) -> None:
        self.head = ""
        self.pieces: list[str] = []
        self.chars = self.left_out = 0

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.chars += len(text)
        if self.chars > 2 * TEXT_CHARS:  # so that total time is linear in the input
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
        """The kept text with secrets hidden, also secrets that arrived in pieces, unless the cut splits one."""
        self._shorten()
        tail = hide(self.pieces[0])
        if not self.head:
            return tail
        head = hide(self.head)
        head, tail = head[: len(head) - longest_secret], tail[longest_secret:]
        return f"{head}\n[{self.left_out:,} characters left out]\n{tail}"


def overwritten(text: str) -> str:
    """`text` with each line as a terminal shows it: text before a carriage return is overwritten.

    >>> overwritten("10 %\\r50 %\\r100 %\\nkept\\r\\nunder way\\r")
    '100 %\\nkept\\nunder way\\r'
    """
    if "\r" not in text:
        return text
    *ended, last = text.split("\n")
    unfinished = "\r" if last.endswith("\r") else ""  # the next text overwrites this line
    return "\n".join([*map(_last_state, ended), _last_state(last) + unfinished])


def _last_state(line: str) -> str:
    written = line.rstrip("\r")
    return written[written.rfind("\r") + 1 :]


def shortened(text: str, chars: int = ERROR_CHARS) -> str:
    """`text`, without its middle if it is longer than `chars`."""
    half = chars // 2
    return (
        text if len(text) <= chars else f"{text[:half]}\n[{len(text) - 2 * half:,} characters left out]\n{text[-half:]}"
    )


def plain(text: str) -> str:
    """`text` without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
