"""GitHub's job summary: appends markdown to the file named by GITHUB_STEP_SUMMARY.

Input: markdown. Output: empty, or the error if it could not be written; the run is over by then, so it does not raise.
"""

import os
from pathlib import Path


def append(text: str) -> list[str]:
    """Append `text` to the summary, if there is one. Returns: a sentence if that failed, else nothing."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return []
    try:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return [f"the job summary could not be written: {error}"]
    return []
