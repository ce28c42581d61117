"""The table that a project begins with: what is wrong with a file is said, with what to do."""

import re

import pandas as pd
import pytest

from proveout.pilot import table_file
from proveout.pilot.table_file import TableRefused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it is empty"),
        ("a,b\n", "column names and no rows"),
        ("a,b,a\n1,2,3\n", "more than one column is called a"),
        ("a;b\n1;2\n", "parted by semicolons, and commas are expected"),
        ("a,batch\n1,2\n", "a column called batch, which proveout gives each row"),
        (b"a,b\n\xe4,1\n", "it is no UTF-8 text"),
        ('a,b\n1,2,3\n"', "it cannot be read: ParserError"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_what_to_do(tmp_path, content, said):
    """pandas would read some of these without a word, and give another table than the file has."""
    (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(TableRefused, match=f"t.csv: .*{re.escape(said)}.*Nothing was written"):
        table_file.read("t.csv", folder=tmp_path)


def test_a_file_that_is_not_there_is_looked_for_beside(tmp_path):
    """A slip of the fingers is seen at once."""
    (tmp_path / "customers.csv").write_text("a\n1\n")

    with pytest.raises(TableRefused, match=r"custmers.csv: there is no such file. There: customers.csv"):
        table_file.read("custmers.csv", folder=tmp_path)


def test_files_of_one_table_have_the_same_columns(tmp_path):
    """A glob that takes in a stranger would make nulls of half a column."""
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,z\n1,2\n")

    with pytest.raises(TableRefused, match="different columns: y, z of b and a"):
        table_file.read("*.csv", folder=tmp_path)


def test_each_row_knows_its_file(tmp_path):
    """CSV, compressed or not, and Parquet."""
    rows = pd.DataFrame({"x": [1, 2], "y": ["a", None]})
    rows.to_csv(tmp_path / "2013.csv.gz", index=False)
    rows.to_csv(tmp_path / "2014.csv", index=False)
    rows.to_parquet(tmp_path / "one.parquet")

    both = table_file.read("201*", folder=tmp_path)
    one = table_file.read(str(tmp_path / "one.parquet"), folder=tmp_path)

    assert both.rows["batch"].tolist() == ["2013", "2013", "2014", "2014"]
    assert one.rows["x"].tolist() == [1, 2] and not one.is_remote


def test_a_column_that_is_not_there_names_those_like_it(tmp_path):
    """Or all, where none is like it."""
    (tmp_path / "t.csv").write_text("churn,calls\n1,2\n")
    table = table_file.read("t.csv", folder=tmp_path)

    with pytest.raises(TableRefused, match=r"it has no column Chrun, which --target names. Do you mean churn\?"):
        table_file.check_columns(table, "Chrun", what="--target")
    with pytest.raises(TableRefused, match="It has churn, calls"):
        table_file.check_columns(table, "zzz", what="--target")
