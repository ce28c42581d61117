"""A filter behind a count of the rows that began anew leaves labels that look like raw rows, and are none."""

import pytest
from recorded_notebook import last_model, recorded
from small_pilots import FIT, IMPORTS, INPUTS, READ, SPLIT

COUNTED_ANEW = {
    "reset_index": "df = df[['age', 'income', 'left']].dropna().reset_index(drop=True)",
    "reset in place": "df = df[['age', 'income', 'left']].dropna()\ndf.reset_index(drop=True, inplace=True)",
    "an array between two tables": "df = df[['age', 'income', 'left']].dropna()\n"
    "df = pd.DataFrame(df.to_numpy() * 1.0, columns=['age', 'income', 'left'])",
    "twice": "df = df[['age', 'income', 'left']].dropna().reset_index(drop=True)\n"
    "df = df[df['income'] > 30_000].reset_index(drop=True)",
}


@pytest.mark.parametrize("counted", COUNTED_ANEW.values(), ids=COUNTED_ANEW)
@pytest.mark.parametrize("whole", [False, True], ids=["whole numbers", "a column that holes cannot become"])
def test_rows_that_were_counted_anew_are_known_again(counted: str, whole: bool) -> None:
    """Labels were taken for raw rows, and each row alone gave the inputs of another one."""
    counted += "\ndf['age'] = df['age'].astype(int)" if whole else ""
    with recorded([IMPORTS, READ, counted, "df = df[df['age'] < 70]", INPUTS, SPLIT, FIT]) as tape:
        one, found = last_model(tape)

    assert found.level == "raw", found.reason
    assert found.target == "left"
    assert found.raw is not None
    assert list(found.raw["income"].iloc[list(found.rows)]) == list(one.prediction.inputs["income"])
