"""The table that a project begins with: what is wrong with a file is said, with what to do."""

import re

import pandas as pd
import pytest
import web_server

from proveout.pilot import table_file
from proveout.pilot.table_file import TableRefused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it is empty"),
        ("a,b\n", "column names and no rows"),
        ("a,b,a\n1,2,3\n", "more than one column is called a"),
        ("a;b\n1;2\n", "parted by semicolons, and commas are expected. Write it as CSV, in Python: import pandas; "),
        ("a,batch\n1,2\n", "a column called batch, a name that proveout uses"),
        (b"a,b\n\xe4,1\n", "it is no UTF-8 text. Write it as CSV, in Python: import pandas; pandas.read_csv("),
        ("a,b\n1,2\n".encode("utf-16"), 'encoding="utf-16")'),
        (b"PK\x03\x04\xb5\xff", "pandas.read_excel("),
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


def test_a_table_behind_a_url_is_asked_for_once(tmp_path):
    """Whatever follows its name, and whatever it is: a published table may be large, and its server slow."""
    rows = pd.DataFrame({"x": [1, 2], "y": ["a", None]})
    rows.to_csv(tmp_path / "t.csv.gz", index=False)
    rows.to_parquet(tmp_path / "t.parquet")
    (tmp_path / "twice.csv").write_text("a,b,a\n1,2,3\n")

    with web_server.serving(tmp_path) as site:
        for name in ("t.csv.gz", "t.parquet"):
            found = table_file.read(f"{site.url}/{name}?token=1", folder=tmp_path)
            assert found.rows["x"].tolist() == [1, 2] and found.is_remote
        with pytest.raises(TableRefused, match="more than one column is called a"):
            table_file.read(f"{site.url}/twice.csv", folder=tmp_path)

    assert len(site.asked) == 3
    with pytest.raises(TableRefused, match=r"it cannot be read: Connection refused\. Check that the address"):
        table_file.read(f"{site.url}/t.csv.gz", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "reader"), [("t.tsv", r'read_csv("t.tsv", sep="\t")'), ("t.xlsx", 'read_excel("t.xlsx")')]
)
def test_what_is_no_csv_is_told_how_it_becomes_one(tmp_path, name, reader):
    """Most tables begin as a sheet."""
    (tmp_path / name).write_text("a\tb\n1\t2\n")

    with pytest.raises(TableRefused, match=re.escape(f'import pandas; pandas.{reader}.to_csv("t.csv", index=False)')):
        table_file.read(name, folder=tmp_path)


def test_what_semicolons_part_is_read_by_the_line_that_is_given(tmp_path):
    """As spreadsheets write it where a comma is the decimal point."""
    (tmp_path / "t.csv").write_text("a;b\n1,5;x\n")

    with pytest.raises(TableRefused) as refused:
        table_file.read("t.csv", folder=tmp_path)
    line = str(refused.value).partition("in Python: ")[2].partition(". Nothing")[0]
    exec(line.replace("t-new.csv", str(tmp_path / "t-new.csv")))

    assert table_file.read("t-new.csv", folder=tmp_path).rows["a"].tolist() == [1.5]


def test_a_column_that_is_not_there_names_those_like_it(tmp_path):
    """Or all, where none is like it."""
    (tmp_path / "t.csv").write_text("churn,calls\n1,2\n")
    table = table_file.read("t.csv", folder=tmp_path)

    with pytest.raises(TableRefused, match=r"it has no column Chrun, which --target names. Do you mean churn\?"):
        table_file.check_columns(table, "Chrun", what="--target")
    with pytest.raises(TableRefused, match="It has churn, calls"):
        table_file.check_columns(table, "zzz", what="--target")


def test_the_columns_are_told_by_the_head_of_the_file(tmp_path):
    """Of a large table nobody waits for the rows to be asked which column to predict."""
    pd.DataFrame({"hour": [1], "late": [True]}).to_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("hour,late\n")
    (tmp_path / "broken.parquet").write_text("no Parquet")

    assert table_file.column_names("t.parquet", folder=tmp_path) == ("hour", "late")
    assert table_file.column_names("t.csv", folder=tmp_path) == ("hour", "late")
    assert table_file.column_names("https://example.invalid/t.csv", folder=tmp_path) == ()
    for name in ("none.csv", "broken.parquet"):
        with pytest.raises(TableRefused):
            table_file.column_names(name, folder=tmp_path)
