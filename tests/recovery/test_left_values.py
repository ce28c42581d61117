"""What a loop or a generator learns of the rows is learned as what a call learns: one row alone leaves it otherwise."""

from pathlib import Path

import pandas as pd
import pytest
from handed_over import answers, handed_over
from recorded_notebook import last_model, recorded
from small_pilots import FIT, IMPORTS, READ, SPLIT

WORDS = "df = df.fillna(0)\ndf['said'] = df['city'] + ' is ' + df['plan']"
COLUMNS = "for word in usual:\n    df['has_' + word] = df['said'].str.contains(word).astype(int)"
INPUTS = "X = df[[c for c in df if c.startswith('has_')] + ['age']]\ny = df['left']"
LEARNED = {
    "a count by a generator": "from collections import Counter\n"
    "counts = Counter(word for text in df['said'] for word in text.split())\n"
    "usual = [word for word, _ in counts.most_common(3)]",
    "a count by a loop": "counts = {}\nfor text in df['said'].values:\n    for word in text.split():\n"
    "        counts[word] = counts.get(word, 0) + 1\n"
    "usual = sorted(counts, key=lambda word: -counts[word])[:3]",
    "one that few rows are too few for": "seen = set()\nfor text in df['said']:\n    seen.update(text.split())\n"
    "usual = [sorted(seen)[place] for place in (0, 3, 5)]",
    "a mean by hand": "total = 0\nfor value in df['income']:\n    total += value\nmean = total / len(df)\n"
    "df['has_more'] = df['income'] / mean\nusual = ['Rome', 'pro']",
}


@pytest.mark.parametrize("learned", LEARNED.values(), ids=LEARNED)
def test_what_a_loop_has_learned_is_kept(learned: str, raw: pd.DataFrame, tmp_path: Path) -> None:
    """One row alone has other words, and columns of other names."""
    found, _ = handed_over([READ, WORDS, learned, COLUMNS, INPUTS, SPLIT, FIT], tmp_path / "model")

    assert found.level == "raw", found.reason
    one = raw.iloc[[found.rows[3]]]
    assert answers(tmp_path / "model", one) == found.answers[3]


def test_what_holds_a_value_for_each_row_is_not_kept() -> None:
    """A list of the rows themselves is no number that was learned: the model of it is asked about nobody."""
    kept = "seen = []\nfor income, left in zip(df['income'], df['left']):\n    seen.append(income if left else -income)"
    given = "X = pd.DataFrame({'age': df['age'].fillna(0), 'seen': seen})\ny = df['left']"
    with recorded([IMPORTS, READ, kept, given, SPLIT, FIT]) as tape:
        _, found = last_model(tape)

    assert found.level == "leak"
