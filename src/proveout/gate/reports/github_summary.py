"""The job summary of GitHub: markdown is appended to the file that GITHUB_STEP_SUMMARY names.

Input: markdown. Output: nothing, or the error that kept it from being written. The run that it describes is over by
then.
"""

import os
from pathlib import Path


def append(text: str) -> list[str]:
    """Add `text` to the page, where there is one. Returns: a sentence where that failed, else nothing."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return []
    try:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return [f"the job summary could not be written: {error}"]
    return []
