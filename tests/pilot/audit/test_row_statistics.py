"""Which calls learn something from many rows at once."""

import ast

import pytest

from proveout.pilot.audit.row_statistics import is_statistic, keeps_rows, selects_features


def asked(source: str, *, name: str = "", grouped: bool = False) -> bool:
    """Whether a call is a statistic."""
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    return is_statistic(name or ast.unparse(call.func), call, grouped=grouped)


@pytest.mark.parametrize("source", ["df.a.mean()", "df['a'].quantile(0.9)", "df.mode()", "df.pivot_table(index='a')"])
def test_a_summary_of_rows_is_a_statistic(source: str) -> None:
    """Its answer depends on which rows are there."""
    assert asked(source)


def test_functions_are_known_by_their_library() -> None:
    """`np.percentile` summarises; a function of that name of somebody else may not."""
    assert asked("np.percentile(x, 5)", name="numpy.percentile")
    assert not asked("percentile(x, 5)")


@pytest.mark.parametrize(
    "source",
    [
        "df.mean(axis=1)",
        "df.a.rolling(5).mean()",
        "df.resample('D').mean()",
        "df.head()",
        "df.sum()",
        "df.date.max()",
        "mean(x)",
    ],
)
def test_what_is_of_one_row_or_only_counts_is_none(source: str) -> None:
    """Row-wise numbers learn nothing from other rows."""
    assert not asked(source)


def test_sums_by_group_are_statistics() -> None:
    """Counted by shop and mapped back, they are a feature made of all rows."""
    assert asked("g.sum()", grouped=True)
    assert not asked("g.cumcount()", grouped=True)


def test_answers_for_each_row_keep_the_rows() -> None:
    """`transform` gives one value for each row, `mean` one for all."""
    assert keeps_rows("().transform")
    assert not keeps_rows("df.mean")
    assert selects_features("sklearn.feature_selection.chi2")
