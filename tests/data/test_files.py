"""data/files.py: a path, a glob or a URL instead of a function, each file one batch."""

import fsspec
import pandas as pd
import pytest
import web_server

from proveout.data import files
from proveout.errors import ConfigError, NotFound

ROWS = pd.DataFrame({"id": [1, 2], "city": ["Bergen", None]})


@pytest.fixture
def root(tmp_path):
    """A folder with a space in its name, as people have them."""
    folder = tmp_path / "my project [2]"
    (folder / "data").mkdir(parents=True)
    ROWS.to_csv(folder / "data" / "north.csv", index=False)
    ROWS.to_csv(folder / "data" / "south.csv.gz", index=False)
    ROWS.to_parquet(folder / "data" / "west.parquet", index=False)
    return folder


def test_one_file_is_one_batch_called_like_it(root):
    """One CSV is all that many projects have."""
    found = files.find("data/north.csv", root)

    assert found == {"north": str(root / "data" / "north.csv")}
    pd.testing.assert_frame_equal(files.read(found["north"]), ROWS)


def test_a_glob_takes_every_file_in_the_order_of_their_names(root):
    """Zipped or not, CSV or Parquet: the name of a batch has no ending."""
    found = files.find("data/*", root)

    assert list(found) == ["north", "south", "west"]
    for address in found.values():
        pd.testing.assert_frame_equal(files.read(address), ROWS)
    assert list(files.find(str(root.parent / "my project [[]2]" / "data" / "*.csv*"), root)) == ["north", "south"]


def test_a_url_is_read_as_it_is(root):
    """A table that somebody publishes."""
    with web_server.serving(root / "data") as site:
        for name in ("north.csv", "south.csv.gz", "west.parquet"):
            source = f"{site.url}/{name}?version=2"

            found = files.find(source, root)

            assert found == {name.partition(".")[0]: source}
            [address] = found.values()
            pd.testing.assert_frame_equal(files.read(address), ROWS)
    assert len(site.asked) == 3, "each is asked for once"


def test_a_url_that_does_not_answer_says_so(root):
    """What is wrong is the address or the network, and no file of this machine."""
    with (
        web_server.serving(root / "data") as site,
        pytest.raises(files.Unreachable, match="answers 404 File not found"),
    ):
        files.read(f"{site.url}/east.csv")

    with pytest.raises(files.Unreachable, match="cannot be read: Connection refused"):
        files.read(f"{site.url}/north.csv")


def test_a_glob_in_a_url_is_listed(root):
    """As `s3://bucket/*.csv` is; here in a file system of fsspec that needs no server."""
    with fsspec.open_files(["memory://tables/a.csv", "memory://tables/b.csv"], "w") as opened:
        for file in opened:
            file.write("id,city\n1,Bergen\n2,\n")

    found = files.find("memory://tables/*.csv", root)

    assert list(found) == ["a", "b"]
    pd.testing.assert_frame_equal(files.read(found["b"]), ROWS)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("data", r"data is a folder\. Name the files in it: data/\*\.csv"),
        ("data/*.txt", r"notes\.txt: not a CSV or Parquet file by its name"),
        ("data/nor*", r"more than one file called north"),
        ("nowhere://tables/*.csv", r"nothing here can list files at nowhere://tables/\*\.csv"),
    ],
)
def test_a_source_that_cannot_be_read_says_why(root, source, problem):
    """Before anything is read."""
    (root / "data" / "notes.txt").write_text("")
    ROWS.to_parquet(root / "data" / "north.parquet", index=False)

    with pytest.raises(ConfigError, match=problem):
        files.find(source, root)


@pytest.mark.parametrize("source", ["data/east.csv", "data/east*.csv", "memory://nothing/*.csv"])
def test_a_file_that_is_not_there_is_named(root, source):
    """A glob that finds nothing is a typing error."""
    with pytest.raises(NotFound, match=r"east|nothing"):
        files.find(source, root)
