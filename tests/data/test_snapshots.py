"""data/: the store, the guard, profiles and snapshots."""

import socket
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from proveout.data import features, guard, profiles, snapshots, sources
from proveout.data.store import Store
from proveout.errors import ConfigError, DataChanged, DataRefused, NotFound, UsageError
from proveout.records.json_form import canonical
from proveout.settings import load, load_object


class Reading(pa.DataFrameModel):
    place: str = pa.Field(isin=["a", "b"])
    hour: int = pa.Field(ge=0, le=23)
    value: float = pa.Field(nullable=True, le=100)

    @pa.dataframe_check(name="a_is_never_above_50")
    def a_is_never_above_50(cls, rows: pd.DataFrame):
        return (rows["place"] != "a") | ~(rows["value"] > 50)

    class Config:
        coerce = True
        strict = True
        unique = ["place", "hour"]


def readings(rows: int = 10) -> pd.DataFrame:
    return pd.DataFrame({"place": "b", "hour": np.arange(rows), "value": 1.0})


@pytest.mark.parametrize(
    ("column", "value", "check"),
    [
        ("place", "c", "place isin"),
        ("hour", 24, "hour less_than_or_equal_to(23)"),
        ("value", 101.0, "value less_than_or_equal_to(100)"),
        ("hour", 3, "multiple_fields_uniqueness"),
    ],
)
def test_a_bad_row_goes_to_quarantine_with_the_name_of_the_check(column, value, check):
    """A row the schema refuses must neither be lost nor passed on."""
    rows = readings()
    rows.loc[4, column] = value

    guarded = guard.check(rows, Reading, name="b")

    assert any(reason.startswith(check) for reason in [r.check for r in guarded.refusals])
    assert len(guarded.accepted) + len(guarded.refused) == 10
    assert 4 not in guarded.accepted["hour"].to_list() or column == "hour"
    assert guarded.refused[guard.REASON].str.contains(check, regex=False).all()


def test_a_row_that_breaks_a_cross_column_rule_is_counted_once():
    """pandera reports such a row once per column of the frame."""
    rows = readings()
    rows.loc[2, ["place", "value"]] = ["a", 60.0]

    guarded = guard.check(rows, Reading, name="b")

    assert [(r.check, r.rows) for r in guarded.refusals] == [("a_is_never_above_50", 1)]


def test_a_missing_column_refuses_the_whole_batch():
    """No row can be blamed for it, so quarantining rows would pass an incomplete table on."""
    with pytest.raises(DataRefused, match="hour"):
        guard.check(readings().drop(columns="hour"), Reading, name="b")


def test_an_unknown_column_refuses_the_whole_batch():
    """A source that grew a column may have changed the meaning of the others."""
    with pytest.raises(DataRefused, match="extra"):
        guard.check(readings().assign(extra=1), Reading, name="b")


def test_a_batch_without_rows_is_refused():
    """It would become an empty snapshot, and look like success."""
    with pytest.raises(DataRefused, match="no rows"):
        guard.check(readings(0), Reading, name="b")


def test_a_batch_of_bad_rows_only_keeps_them_all():
    """The worst delivery is the one whose rows people want to look at."""
    guarded = guard.check(readings().assign(value=999.0), Reading, name="b")

    assert (len(guarded.accepted), len(guarded.refused), guarded.refused_share) == (0, 10, 1.0)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    """A crash in the middle of writing must not leave a half-written snapshot that a later run finds."""
    store = Store(str(tmp_path))

    def fails(folder):
        (folder / "rows.parquet").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.put("snapshots", "a" * 64, fails)

    assert list((tmp_path / "snapshots").iterdir()) == []
    with pytest.raises(NotFound):
        store.folder("snapshots", "a" * 64)


def test_two_writers_of_the_same_content_end_with_one_folder(tmp_path):
    """Two flows may ingest the same month at once."""
    store, start = Store(str(tmp_path)), threading.Barrier(8)

    def put():
        start.wait()
        store.put("batches", "b" * 64, lambda folder: (folder / "x").write_text("same") and None)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [path.name for path in (tmp_path / "batches").iterdir()] == ["b" * 64]
    assert (store.folder("batches", "b" * 64) / "x").read_text() == "same"


def test_a_digest_prefix_must_be_long_and_mean_one_folder(tmp_path):
    """`proveout verify a` must not pick some bundle."""
    store = Store(str(tmp_path))
    for digest in ("abcdef11", "abcdef22"):
        store.put("bundles", digest, lambda folder: None)

    assert store.find("bundles", "abcdef1") == "abcdef11"
    for bad in ("abcd", "../../etc", "abcdef"):
        with pytest.raises(UsageError):
            store.find("bundles", bad)
    with pytest.raises(NotFound):
        store.find("bundles", "123456")


def test_a_shared_store_without_a_mirror_is_a_clear_error():
    """s3:// needs a local folder to open things from."""
    with pytest.raises(ConfigError, match="s3://b/p"):
        Store("s3://b/p")


@pytest.mark.parametrize("address", ["gs://models/team", "file:///var/store", "S3://models"])
def test_an_address_that_is_neither_a_folder_nor_s3_is_refused(address, tmp_path, monkeypatch):
    """`gs://models` became a folder `gs:` in the working directory."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="neither a folder nor s3://"):
        Store(address).put("bundles", "a" * 64, lambda empty: None)

    assert list(tmp_path.iterdir()) == []


def test_a_shared_store_hands_a_bundle_to_another_machine(tmp_path, monkeypatch):
    """PROVEOUT_STORE_URL=s3://... moves snapshots and bundles without a change in code: against a real S3 API."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        import boto3

        boto3.client("s3").create_bucket(Bucket="models")
        here, there = Store("s3://models/team", tmp_path / "here"), Store("s3://models/team", tmp_path / "there")

        def fill(folder):
            (folder / "code").mkdir()
            (folder / "code" / "features.py").write_text("x = 1")
            (folder / "manifest.json").write_text("{}")

        here.put("bundles", "c" * 64, fill)

        assert there.find("bundles", "cccccc") == "c" * 64
        folder = there.folder("bundles", "c" * 64)
        assert (folder / "code" / "features.py").read_text() == "x = 1"
        with pytest.raises(NotFound):
            there.folder("bundles", "d" * 64)
    finally:
        server.stop()


def test_a_profile_counts_nulls_ranges_and_distinct_values():
    """The numbers that data checks compare: wrong ones would wave a broken batch through."""
    frame = pd.DataFrame(
        {
            "number": [1.0, 2.0, None, 4.0],
            "text": ["a", None, "b", "b"],
            "flag": [True, False, True, True],
            "at": pd.to_datetime(["2013-01-01", "2013-01-01", None, "2013-01-01"], utc=True),
        }
    )

    found = {column.name: column for column in profiles.numbers(profiles.profile(frame))}

    assert (found["number"].nulls, found["number"].minimum, found["number"].maximum) == (1, 1.0, 4.0)
    assert (found["text"].nulls, round(found["text"].distinct), found["text"].minimum) == (1, 2, None)
    assert found["text"].null_share == 0.25
    assert found["flag"].mean == 0.75
    assert found["at"].minimum == pd.Timestamp("2013-01-01").timestamp()
    assert found["at"].nulls == 1


def test_profiling_opens_no_connection():
    """whylogs calls home when it is imported, unless it is told not to before."""
    code = """
import socket
calls = []
socket.socket.connect = lambda self, address: calls.append(address)
socket.getaddrinfo = lambda *a, **k: calls.append(a) or []
import pandas as pd
from proveout.data import profiles
profiles.numbers(profiles.profile(pd.DataFrame({"x": [1.0]})))
import time; time.sleep(1)  # the call is made in a thread
print(calls)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip().splitlines()[-1] == "[]"
    assert socket.socket.connect is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.iloc[::-1],
        lambda f: f.assign(value=f["value"] + 1e-9),
        lambda f: f.rename(columns={"value": "other"}),
        lambda f: f.assign(value=f["value"].mask(f["hour"] == 3)),
        lambda f: f.assign(place=f["place"].mask(f["hour"] == 3, "a")),
        lambda f: f.assign(hour=f["hour"].astype("int32")),
    ],
    ids=["order", "value", "name", "null", "text", "type"],
)
def test_the_content_digest_sees_every_change(change):
    """Two different tables under one name would make a run unreproducible."""
    frame = readings()

    assert snapshots.content_digest(change(frame)) != snapshots.content_digest(frame)
    assert snapshots.content_digest(frame.copy()) == snapshots.content_digest(frame)


def test_text_cannot_slide_from_one_row_to_the_next_under_the_same_digest():
    """('ab', 'c') and ('a', 'bc') are different columns."""
    one, other = pd.DataFrame({"t": ["ab", "c"]}), pd.DataFrame({"t": ["a", "bc"]})

    assert snapshots.content_digest(one) != snapshots.content_digest(other)


def stored(store, name="2013-01", rows=10, bad=0):
    frame = readings(rows)
    frame.loc[: bad - 1, "value"] = 999.0
    return snapshots.store_batch(store, name, guard.check(frame, Reading, name=name), {})


def test_the_same_batches_give_the_same_snapshot_whichever_way_they_came(tmp_path):
    """All at once and one by one are the same data and must have the same name."""
    store = Store(str(tmp_path))
    january, february = stored(store), stored(store, "2013-02", rows=12)

    at_once = snapshots.extend(store, None, [february, january])
    one_by_one = snapshots.extend(store, snapshots.extend(store, None, [january]), [february])

    assert at_once.digest == one_by_one.digest
    assert [batch.name for batch in at_once.batches] == ["2013-01", "2013-02"]
    assert len(snapshots.read(store, at_once.digest)) == 22
    assert snapshots.describe(store, at_once.digest) == at_once


def test_a_corrected_batch_takes_the_old_ones_place(tmp_path):
    """A month delivered again must not stand in the data twice."""
    store = Store(str(tmp_path))
    old = snapshots.extend(store, None, [stored(store)])

    new = snapshots.extend(store, old, [stored(store, rows=11)])

    assert new.digest != old.digest
    assert new.rows == 11


def test_quarantine_is_part_of_what_names_a_batch(tmp_path):
    """The same good rows with other bad rows are another delivery: its bad rows must be kept too."""
    store = Store(str(tmp_path))
    clean = stored(store, rows=8)
    dirty = snapshots.store_batch(
        store, "2013-01", guard.check(pd.concat([readings(8), readings(1).assign(hour=99)]), Reading, name="x"), {}
    )

    assert clean.content == dirty.content
    assert clean.digest != dirty.digest
    quarantined = pd.read_parquet(store.folder("batches", dirty.digest) / "quarantine" / "batch.parquet")
    assert quarantined[guard.REASON].to_list() == ["hour less_than_or_equal_to(23)"]


def test_changed_rows_are_not_read(tmp_path):
    """A parquet file edited after ingestion is not what the snapshot's name says."""
    store = Store(str(tmp_path))
    batch = stored(store)
    snapshot = snapshots.extend(store, None, [batch])
    file = store.folder("batches", batch.digest) / "rows.parquet"
    pd.read_parquet(file).assign(value=2.0).to_parquet(file)

    with pytest.raises(DataRefused, match="changed after ingestion"):
        snapshots.read(store, snapshot.digest)


def edited_together(store, snapshot, batch, *, level):
    """Other rows in the store, and every digest up to this level made to fit."""
    folder = store.folder("batches", batch.digest)
    rows = pd.read_parquet(folder / "rows.parquet").assign(value=2.0)
    rows.to_parquet(folder / "rows.parquet")
    lied = replace(batch, content=snapshots.content_digest(rows))
    if level != "content":
        lied = replace(lied, digest=snapshots.batch_digest(lied))
        folder.rename(folder.with_name(lied.digest))
    made = replace(snapshot, batches=(lied,))
    if level == "snapshot":
        made = replace(made, digest=snapshots.snapshot_digest(made.batches))
    (store.folder("snapshots", snapshot.digest) / "snapshot.json").write_bytes(canonical(made))


@pytest.mark.parametrize(("level", "what"), [("content", "batch 2013-01"), ("batch", "snapshot"), ("snapshot", "snap")])
def test_rows_and_their_manifest_edited_together_are_not_read(tmp_path, level, what):
    """Each digest is over the one below it, so the name that a bundle knows is over the rows."""
    store = Store(str(tmp_path))
    batch = stored(store)
    snapshot = snapshots.extend(store, None, [batch])
    edited_together(store, snapshot, batch, level=level)

    with pytest.raises(
        DataChanged, match=f"^The {what}.* was changed after ingestion: .*snapshot.json is not what digest"
    ):
        snapshots.read(store, snapshot.digest)


def test_the_number_of_refused_rows_is_part_of_the_digest(tmp_path):
    """A check asks how many there were: a list that says fewer is another list."""
    store = Store(str(tmp_path))
    batch = stored(store)
    snapshot = snapshots.extend(store, None, [batch])
    file = store.folder("snapshots", snapshot.digest) / "snapshot.json"
    file.write_bytes(canonical(replace(snapshot, batches=(replace(batch, refused=7),))))

    with pytest.raises(DataChanged, match="The batch 2013-01 was changed after ingestion"):
        snapshots.describe(store, snapshot.digest)


def test_a_batch_that_is_not_there_is_named(tmp_path):
    """The error tells which months there are and how to add one."""
    store = Store(str(tmp_path))
    snapshot = snapshots.extend(store, None, [stored(store)])

    with pytest.raises(NotFound, match="2013-01"):
        snapshots.read(store, snapshot.digest, batches=["2013-07"])


@pytest.mark.parametrize("month", ["2013-13", "2013-5", "2013", "May", ""])
def test_what_is_no_month_is_refused(month):
    """A typo must not become an empty ingest."""
    with pytest.raises(NotFound, match="2013-01 to 2013-12"):
        sources.read_table(load(), "weather", month)


def test_the_real_flights_pass_the_guard_and_the_broken_wind_sensor_does_not():
    """The 1,048 mph of 12 February 2013 would reach a model; diverted flights have no honest delay."""
    settings = load()

    guarded, tables = snapshots.guarded_batch(settings, "2013-02")

    assert [(r.check, r.rows) for r in guarded.refusals] == [("arrival_and_delay_together", 49)]
    assert tables["weather"].refused["wind_speed"].to_list() == [1048.36058]
    assert guarded.accepted["wind_speed"].max() < 150
    assert guarded.accepted["plane_year"].isna().mean() > 0.1  # planes missing from the registry stay in, as nulls


def test_a_batch_with_too_many_bad_rows_is_refused_and_its_bad_rows_are_kept(tmp_path, monkeypatch):
    """A unit change at the source makes most rows impossible: the batch must stop, not shrink."""
    settings = load().model_copy(update={"state": tmp_path})
    source = load_object(settings.source, settings.root)
    monkeypatch.setattr(
        sys.modules[source.__module__],
        "read_batch",
        lambda month, tables: source(month, tables).assign(distance=lambda f: f["distance"] * 5_280),
    )

    with pytest.raises(DataRefused, match="distance less_than_or_equal_to") as refused:
        snapshots.take_batch(settings, Store(str(tmp_path / "store")), "2013-01")

    kept = pd.read_parquet(refused.value.quarantine)
    assert len(kept) > 20_000
    assert guard.REASON in kept
    assert not (tmp_path / "store").exists()


def test_a_month_without_flights_and_a_failing_source_are_told_apart(monkeypatch):
    """One is asked for wrongly, the other should be retried."""
    settings = load()
    with pytest.raises(NotFound, match="2013-01 to 2013-12"):
        sources.read(settings, "2014-01", {})
    source = load_object(settings.source, settings.root)
    monkeypatch.setattr(sys.modules[source.__module__], "read_batch", lambda *_: 1 / 0)
    with pytest.raises(sources.SourceFailed, match="ZeroDivisionError"):
        sources.read(settings, "2013-01", {})


def test_features_see_the_request_and_nothing_that_came_later():
    """A feature that reads an outcome is leakage: the column is not there to be read."""
    rows = pd.DataFrame({"hour": [1, 2], "arr_delay": [0.0, 90.0]})
    seen = []

    features.compute(lambda asked: seen.append(list(asked)) or asked, rows, ("hour",), name="features")

    assert seen == [["hour"]]
    with pytest.raises(KeyError):
        features.compute(lambda asked: asked[["arr_delay"]], rows, ("hour",), name="features")


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda rows: rows.head(1), "gave 1 rows for 2 rows"),
        (lambda rows: rows.iloc[::-1], "one for each|one row"),
        (lambda rows: rows["hour"], "gave Series"),
    ],
    ids=["fewer", "another order", "no table"],
)
def test_features_of_another_shape_are_refused(function, problem):
    """Rows that slid by one would be trained and served with each other's labels, in silence."""
    with pytest.raises(ConfigError, match=problem):
        features.compute(function, pd.DataFrame({"hour": [1, 2]}), ("hour",), name="features")


def test_labels_of_another_length_are_refused(monkeypatch):
    """As above, for what the model is to learn."""
    settings = load()
    label = load_object(settings.target, settings.root)
    monkeypatch.setattr(sys.modules[label.__module__], "late", lambda rows: label(rows).head(1))

    with pytest.raises(ConfigError, match="gave 1 labels for 2 rows"):
        features.labels(settings, pd.DataFrame({"arr_delay": [1.0, None]}))
