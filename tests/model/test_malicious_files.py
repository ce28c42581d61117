"""Files that would run code, or do harm, when they are opened: on every way in they are refused, and nothing runs.

The ways in are packing (what a notebook made), the server's opening of a bundle (what lies in the store), and the
monitor's and the gate's opening of the champion (what the ledger names).
"""

import io
import json
import os
import stat
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import malice
import numpy as np
import pytest
import skops.io
from patience import wait_until
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from tiny_project import Project

from proveout.data.store import Store
from proveout.errors import BundleError, NotApproved, ProveoutError, Tampered
from proveout.evaluation.context import EvaluationContext
from proveout.fastpath import parity, tolerance
from proveout.model import bundle as bundles
from proveout.model import manifest, model_io, packing, safe_zip
from proveout.model.released_bundle import open_released
from proveout.monitoring import monitor
from proveout.records.bundle import Bundle
from proveout.server.worker.release_source import Released

pytestmark = pytest.mark.usefixtures("no_signing_key")

_RNG = np.random.default_rng(0)
ROWS = _RNG.normal(size=(80, 2))
LATE = ROWS[:, 0] + ROWS[:, 1] > 0
MODEL = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LATE)
NODES = {**malice.CODE, **malice.STRANGE}


@pytest.fixture
def canary(tmp_path: Path):
    """What every payload would touch. It is not there in the end."""
    path = tmp_path / "canary"
    yield path
    time.sleep(0.02)  # a process that was started may take a moment
    assert not path.exists()


@pytest.fixture
def project(tmp_path: Path, order: Any) -> Project:
    root = tmp_path / "project"
    root.mkdir(exist_ok=True)
    return Project(root, order)


# --- model files that carry code ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", malice.CODE)
def test_the_payloads_are_real(tmp_path, way):
    """A payload that could not sing proves nothing: with all it names trusted, each one does."""
    canary = tmp_path / "sang"
    packed = malice.crafted(malice.CODE[way](malice.touched(canary)), MODEL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            skops.io.loads(packed, trusted=skops.io.get_untrusted_types(data=packed))
        except Exception as error:  # many fail, once the harm is done
            print(error)

    wait_until(canary.exists, "the song of the payload")


@pytest.mark.parametrize("protocol", [2, 1, 0])
@pytest.mark.parametrize("way", NODES)
def test_a_model_file_with_something_strange_in_it_is_refused(way, protocol, canary):
    """Also in the older forms of the file, which skops goes on reading."""
    with pytest.raises(BundleError):
        model_io.loads(malice.crafted(NODES[way](malice.touched(canary)), MODEL, protocol=protocol), name="model")


@pytest.mark.parametrize("protocol", [-1, 3, True, "2", None])
def test_a_form_of_the_file_that_there_is_not_is_refused(protocol):
    """The number decides by which rules the file is read."""
    with pytest.raises(BundleError):
        model_io.loads(malice.crafted(malice.text(None), MODEL, protocol=protocol), name="model")


def test_looking_at_a_model_file_imports_nothing(tmp_path, monkeypatch, canary):
    """Importing a module runs it: the names in a file are compared before anything of that name is looked for."""
    (tmp_path / "dropped_module.py").write_text(f"open({str(canary)!r}, 'w').close()\nclass Model: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    for loader in ("ObjectNode", "TypeNode", "FunctionNode", "LossNode", "ListNode"):
        node = {**malice.several(kind="Model", module="dropped_module"), "__loader__": loader}
        node["__reduce__"] = {"args": malice.several()}
        if loader in {"ObjectNode", "LossNode"}:
            node["content"] = malice.table({})
        with pytest.raises(BundleError, match="dropped_module"):
            model_io.loads(malice.crafted(node, MODEL), name="model")
    assert "dropped_module" not in sys.modules


def test_pickles_within_a_model_file_are_refused(canary):
    """NumPy's own file of an array may hold one, and skops hands such files on."""
    command = malice.touched(canary)
    as_array = malice.named("ndarray", "numpy", "NdArrayNode", type="numpy", file="9.npy")
    as_matrix = malice.named("csr_matrix", "scipy.sparse._csr", "SparseMatrixNode", type="scipy", file="9.npz")
    inner = malice.zipped({"data.npy": malice.pickled_array(command), "format.npy": malice.pickled(command)})
    for node, extra in (
        (as_array, {"9.npy": malice.pickled_array(command)}),
        (as_array, {"9.npy": malice.pickled(command)}),
        (as_matrix, {"9.npz": inner}),
        (as_matrix, {"9.npz": malice.pickled(command)}),
        (malice.text(None), {"9.pkl": malice.pickled(command)}),
        (malice.text(None), {"model.joblib": malice.pickled(command)}),
    ):
        with pytest.raises(BundleError):
            model_io.loads(malice.crafted(node, MODEL, extra=extra), name="model")


# --- zip files ----------------------------------------------------------------------------------------------------


def genuine() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(MODEL))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_entry(name: str, *, mode: int = 0) -> bytes:
    packed = io.BytesIO(malice.zipped(genuine()))
    with zipfile.ZipFile(packed, "a") as archive:
        entry = zipfile.ZipInfo("x")
        entry.filename, entry.external_attr = name, mode << 16
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two entries of one name
            archive.writestr(entry, "elsewhere")
    return packed.getvalue()


def encrypted() -> bytes:
    packed = bytearray(malice.zipped(genuine()))
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def wrong_crc() -> bytes:
    packed = bytearray(malice.zipped(genuine(), compression=zipfile.ZIP_STORED))
    packed[packed.index(b"\x93NUMPY") + 130] ^= 1
    return bytes(packed)


def two_names() -> bytes:
    """The directory calls it one thing, the entry itself another: readers differ in which one they believe."""
    packed = malice.zipped({**genuine(), "7777.npy": b"x"})
    place = packed.index(b"7777.npy")
    return packed[:place] + b"6666.npy" + packed[place + 8 :]


def vast_directory() -> bytes:
    packed = bytearray(malice.zipped(genuine()))
    packed[-10:-6] = struct.pack("<L", 2**31)
    return bytes(packed)


STRANGE_ZIPS = {
    "entry above its folder": lambda: with_entry("../../evil.npy"),
    "absolute entry": lambda: with_entry("/tmp/evil.npy"),
    "entry with a drive": lambda: with_entry("C:evil.npy"),
    "entry with backslashes": lambda: with_entry("..\\evil.npy"),
    "entry in a folder": lambda: with_entry("a/evil.npy"),
    "folder": lambda: with_entry("a/"),
    "hidden entry": lambda: with_entry(".npy"),
    "entry whose name goes on after a NUL": lambda: with_entry("1.npy\0.pkl"),
    "entry with a name that looks like another": lambda: with_entry("schemа.json"),
    "link": lambda: with_entry("9.npy", mode=stat.S_IFLNK | 0o777),
    "device": lambda: with_entry("9.npy", mode=stat.S_IFCHR | 0o666),
    "pipe": lambda: with_entry("9.npy", mode=stat.S_IFIFO | 0o666),
    "two schemas": lambda: with_entry("schema.json"),
    "two arrays of one name": lambda: with_entry(next(name for name in genuine() if name.endswith(".npy"))),
    "encrypted": encrypted,
    "packed with bzip2": lambda: malice.zipped(genuine(), compression=zipfile.ZIP_BZIP2),
    "packed with lzma": lambda: malice.zipped(genuine(), compression=zipfile.ZIP_LZMA),
    "wrong checksum": wrong_crc,
    "cut off": lambda: malice.zipped(genuine())[:-100],
    "cut off in the middle": lambda: malice.zipped(genuine())[:200],
    "empty": lambda: b"",
    "zip without an entry": lambda: malice.zipped({}),
    "without a schema": lambda: malice.zipped({"1.npy": b""}),
    "schema of no object": lambda: malice.zipped({"schema.json": b"[]"}),
    "schema that is no JSON": lambda: malice.zipped({"schema.json": b"\xff{"}),
    "schema nested deep": lambda: malice.zipped({"schema.json": b"[" * 200_000 + b"]" * 200_000}),
    "schema with a vast number": lambda: malice.zipped({"schema.json": b'{"protocol": ' + b"9" * 10_000 + b"}"}),
    "something before the zip": lambda: malice.pickled(["false"]) + malice.zipped(genuine()),
    "something after the zip": lambda: malice.zipped(genuine()) + b"\0" * 30,
    "vast directory": vast_directory,
    "two names for one entry": two_names,
    "pickle": lambda: malice.pickled(["false"]),
}


def test_the_zip_that_the_strange_ones_are_made_of_opens():
    """Otherwise they would be refused for another reason."""
    opened = model_io.loads(malice.zipped(genuine()), name="model")

    assert np.allclose(opened.predict_proba(ROWS), MODEL.predict_proba(ROWS), rtol=tolerance.SUMMED, atol=0)


@pytest.mark.parametrize("kind", STRANGE_ZIPS)
def test_a_zip_file_that_no_dump_makes_is_refused(kind, tmp_path):
    """When it is opened, and when it is packed; and nothing is written anywhere."""
    file = tmp_path / "model.skops"
    file.write_bytes(STRANGE_ZIPS[kind]())
    for opening in (model_io.load, model_io.canonical_bytes):
        with pytest.raises(BundleError, match=r"model\.skops"):
            opening(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.skops"]


GIGABYTE = 2**30
BOMBS = {
    "array": lambda: with_bomb(malice.bomb(GIGABYTE + 2**26)),
    "array that says it is small": lambda: with_bomb(malice.lying(malice.bomb(GIGABYTE + 2**26), says=1_000)),
    "schema": lambda: renamed(malice.bomb(2**29), b"1.npy", b"s.bin"),
    "many arrays": lambda: many(malice.bomb(2**27), 9),
    "matrix in a matrix file": lambda: malice.zipped({"schema.json": b"{}", "1.npz": malice.bomb(GIGABYTE + 2**26)}),
    "matrix that says it is small": lambda: malice.zipped(
        {"schema.json": b"{}", "1.npz": malice.lying(malice.bomb(GIGABYTE + 2**26), says=1_000)}
    ),
    "names of names": lambda: malice.zipped({"schema.json": names_of_names(60)}),
}
# One process imports all there is; each file is opened in a child of its own, whose memory no other has used.
MEASURE = """
import os, resource, sys, time
from pathlib import Path
import skops.io, sklearn.pipeline
from proveout.errors import BundleError
from proveout.model import model_io

for file in sys.argv[1:]:
    if os.fork() == 0:
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        try:
            model_io.load(Path(file))
        except BundleError as error:
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            print(Path(file).name, used, time.process_time() - began, error, sep="\\t", flush=True)
        os._exit(0)
    os.wait()
"""


def with_bomb(packed: bytes) -> bytes:
    file = io.BytesIO(packed)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("schema.json", "{}")
    return file.getvalue()


def renamed(packed: bytes, old: bytes, new: bytes) -> bytes:
    return with_bomb(packed.replace(old, new))


def many(packed: bytes, times: int) -> bytes:
    """One compressed entry, listed again and again under other names: a file may overlap itself."""
    directory = packed.index(b"PK\x01\x02")
    end = packed.index(b"PK\x05\x06")
    bodies, listing, made = [], [], 0
    for number in range(times):
        name = str(number + 2).encode() + b".npy"
        bodies.append(packed[:directory].replace(b"1.npy", name))
        row = bytearray(packed[directory:end].replace(b"1.npy", name))
        row[42:46] = struct.pack("<L", made)
        listing.append(bytes(row))
        made += len(bodies[-1])
    rows = b"".join(listing)
    tail = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, times, times, len(rows), made, 0)
    return with_bomb(b"".join(bodies) + rows + tail)


def names_of_names(deep: int) -> bytes:
    """Sixty lists, each naming the one within it twice."""
    node = malice.text(1)
    for number in range(1, deep + 1):
        node = {**malice.several(node, {"__id__": number - 1}, kind="list", loader="ListNode"), "__id__": number}
    return json.dumps({**node, "protocol": 2}).encode()


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, tuple[float, float, str]]:
    """Of each bomb: the kilobytes and seconds that it cost to refuse it, and what was said."""
    folder = tmp_path_factory.mktemp("bombs")
    files = {str(place): kind for place, kind in enumerate(BOMBS)}
    for place, kind in files.items():
        (folder / place).write_bytes(BOMBS[kind]())
        assert (folder / place).stat().st_size < 2**24
    command = [sys.executable, "-c", MEASURE, *(str(folder / place) for place in files)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    lines = [line.split("\t") for line in ran.stdout.splitlines()]
    return {files[place]: (float(kilobytes), float(seconds), said) for place, kilobytes, seconds, said in lines}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(kind, measured):
    """A few megabytes that inflate to a gigabyte, or a page that takes years to read: in little memory and time."""
    kilobytes, seconds, said = measured[kind]

    print(f"{kind}: {kilobytes / 1024:.1f} MB, {seconds:.2f} s, {said}")
    assert kilobytes < 200 * 1024
    assert seconds < 60


def test_a_file_larger_than_any_model_is_not_read(tmp_path):
    """Sparse, it costs whoever put it there nothing."""
    file = tmp_path / "model.skops"
    with file.open("wb") as sparse:
        sparse.truncate(safe_zip.MOST_BYTES + 1)
    with pytest.raises(BundleError, match="more than any model"):
        model_io.load(file)


# --- trees that lead nowhere --------------------------------------------------------------------------------------


def test_trees_as_they_are_grown_are_sound():
    """Categories, missing values, forests in pipelines: what scikit-learn grows, it may walk."""
    rows = np.column_stack([_RNG.normal(size=(300, 3)), _RNG.integers(0, 5, 300)])
    rows[::7, 0] = np.nan
    late = rows[:, 1] + rows[:, 3] > 2
    for model in (
        RandomForestClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5),
        make_pipeline(StandardScaler(), DecisionTreeClassifier(max_leaf_nodes=8, random_state=0)),
    ):
        model.fit(rows, late)
        opened = model_io.loads(skops.io.dumps(model), name="model")
        assert np.allclose(opened.predict_proba(rows), model.predict_proba(rows), rtol=tolerance.SUMMED, atol=0)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("left_child", 10**9, "leads outside"),
        ("left_child", 0, "or back"),
        ("right_child", -1, "or back"),
        ("right_child", 10**15, "leads outside"),
        ("feature", 10**6, "a feature that no row has"),
        ("feature", -5, "a feature that no row has"),
    ],
)
@pytest.mark.parametrize("kind", [DecisionTreeClassifier, RandomForestClassifier])
def test_a_tree_that_leads_out_of_itself_is_refused(kind, field, value, why):
    """scikit-learn would read foreign memory, die, or walk for ever; skops looks at types alone."""
    model = kind(random_state=0, max_depth=3).fit(ROWS, LATE)
    tree = (model if kind is DecisionTreeClassifier else model.estimators_[-1]).tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    nodes[field][0] = value
    tree.__setstate__({**state, "nodes": nodes})

    with pytest.raises(BundleError, match=f"one of its trees is none: .*{why}"):
        model_io.loads(skops.io.dumps(model), name="model")


@pytest.mark.parametrize(
    ("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", 1_000), ("is_categorical", 1)]
)
def test_a_boosted_tree_that_leads_out_of_itself_is_refused(field, value):
    """The same for the other kind of tree, which the direct path walks, too."""
    model = HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(ROWS, LATE)
    model._predictors[1][0].nodes[field][0] = value

    with pytest.raises(BundleError, match="one of its trees is none"):
        model_io.loads(skops.io.dumps(model), name="model")


def test_a_forest_counts_the_features_and_not_its_trees():
    """A forest calls its trees without checking the row, so the numbers in a tree cannot be trusted."""
    wide = DecisionTreeClassifier(random_state=0).fit(np.column_stack([np.zeros((80, 50)), ROWS]), LATE)
    model = RandomForestClassifier(2, random_state=0).fit(ROWS, LATE)
    model.estimators_[0] = wide

    with pytest.raises(BundleError, match="it looks at 52 features, and a row has 2"):
        model_io.loads(skops.io.dumps(model), name="model")


# --- on the way into the store ------------------------------------------------------------------------------------


def payloads(command: list[str]) -> dict[str, bytes]:
    """One file of each kind that would do the most harm."""
    strange = {
        kind: STRANGE_ZIPS[kind]() for kind in ("entry above its folder", "link", "two schemas", "wrong checksum")
    }
    return {
        "pickle": malice.pickled(command),
        "pickle beside the model": malice.zipped({**genuine(), "9.pkl": malice.pickled(command)}),
        "bomb": BOMBS["array that says it is small"](),
        **{
            way: malice.crafted(NODES[way](command), MODEL)
            for way in ("constructor", "function", "loss that is a function")
        },
        **strange,
    }


def test_nothing_of_the_kind_is_packed(project, tmp_path, canary):
    """What a notebook made is a stranger's file until it was looked at."""
    for kind, content in payloads(malice.touched(canary)).items():
        asked = project.order()
        asked.model_file.write_bytes(content)
        with pytest.raises(BundleError, match=r"model\.skops"):
            packing.pack(asked, Store(project.settings.store))
        assert not (Path(project.settings.store) / "bundles").exists(), kind


# --- on the way out of the store ----------------------------------------------------------------------------------


@pytest.fixture
def released(project: Project) -> Bundle:
    packed = project.pack()
    project.judge(packed)
    project.release(packed)
    return packed


def open_champion(project: Project) -> None:
    """A worker opens every bundle in the desired state, whoever wrote it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("proveout.model.bundle.OpenBundle._found", lambda self: parity.Found(why="off"))
        desired = Released().news(project.settings, seq=0)
        assert desired is not None
        Released().open(project.settings, desired.champion)


SINGING = "open({!r}, 'w').close()\ndef features(rows):\n    return rows[['hour']].assign(double=rows['hour'] * 2.0)\n"


def test_the_features_are_code_and_would_sing(project, canary, tmp_path):
    """So that the next test can fail: opened without a question, they run."""
    song = tmp_path / "sung"
    forged = project.forge(project.pack(), {"code/features.py": SINGING.format(str(song)).encode()})
    bundles.open_bundle(project.folder(forged))

    assert song.exists()


def test_a_bundle_that_nobody_approved_is_refused_before_it_is_opened(project, released, canary):
    """Its manifest fits its files, its name fits its manifest, and the ledger calls it champion: anybody can do that
    who may write there. No one signed it."""
    content = {kind: {"model.skops": packed} for kind, packed in payloads(malice.touched(canary)).items()}
    content["features"] = {"code/features.py": SINGING.format(str(canary)).encode()}
    (genuine_leave,) = project.entries("approval")
    for kind, changed in content.items():
        forged = project.forge(released, changed)
        project.by_hand(forged)
        project.append("bundle", forged.digest, forged)
        project.append("approval", forged.digest, json.loads(genuine_leave.body))  # of another bundle
        release = Released().news(project.settings, seq=0).champion
        for opening in (
            lambda r=release: Released().open(project.settings, r),
            lambda: Released().check(project.settings),
            lambda: monitor.champion(project.settings),
            lambda f=forged: open_released(project.settings, f.digest),
            lambda: EvaluationContext(project.settings, project.folder(released)).champion,
        ):
            with pytest.raises(NotApproved):
                opening()
            assert not canary.exists(), kind


def test_a_model_with_code_is_refused_even_where_it_was_signed(project, released, canary):
    """Who signs may be deceived: that a file holds nothing that runs is looked at each time it is opened."""
    for kind, content in payloads(malice.touched(canary)).items():
        forged = project.forge(released, {"model.skops": content})
        project.judge(forged)
        project.release(forged)
        with pytest.raises(BundleError, match=r"model\.skops") as refused:
            open_champion(project)
        assert not isinstance(refused.value, Tampered), kind


@pytest.mark.parametrize("file", ["code/features.py", "config.json", "requirements.lock", "direct.json"])
def test_a_file_that_was_changed_after_packing_is_named(project, tmp_path, file):
    """Not only the model: what runs beside it, and what it was judged by."""
    lock = tmp_path / "requirements.lock"
    lock.write_text("skops==0.16.0 --hash=sha256:00\n")
    packed = project.pack(lock=lock)
    project.judge(packed)
    project.release(packed)
    changed = project.folder(packed) / file
    changed.chmod(0o644)
    changed.write_bytes(changed.read_bytes() + b"\n")

    with pytest.raises(Tampered, match=file):
        open_champion(project)
    with pytest.raises(Tampered, match=file):
        open_released(project.settings, packed.digest)


def test_a_bundle_that_is_swapped_while_it_is_opened_is_refused(project, released, canary, monkeypatch):
    """A file may be replaced between its check and its use, so the checked content is used."""
    forged = project.forge(released, {"code/features.py": SINGING.format(str(canary)).encode()})
    release = Released().news(project.settings, seq=0).champion
    folder, compare = project.folder(released), manifest.compare_files
    looks = []

    def swapping(looked_at: Path, listed: Any) -> None:
        compare(looked_at, listed)
        looks.append(looked_at)
        if len(looks) == swap_after:
            for file in ("code/features.py", *(["manifest.json"] if whole else [])):
                (folder / file).write_bytes((project.folder(forged) / file).read_bytes())

    kept = {file: (folder / file).read_bytes() for file in ("code/features.py", "manifest.json")}
    for module in (manifest, bundles):
        monkeypatch.setattr(module, "compare_files", swapping)
    for swap_after, whole in ((1, True), (1, False), (2, True), (2, False)):  # noqa: B007  # `swapping` reads them
        looks.clear()
        with pytest.raises(Tampered):
            Released().open(project.settings, release)
        assert len(looks) >= swap_after
        for file, content in kept.items():
            (folder / file).write_bytes(content)
    monkeypatch.undo()
    Released().open(project.settings, release)


@pytest.mark.parametrize("kind", ["pipe", "link", "folder that is a link", "vast manifest", "manifest that is a link"])
def test_a_bundle_of_other_than_files_is_refused_at_once(project, released, tmp_path, kind):
    """A pipe in a file's place would be waited for for ever; a link points elsewhere tomorrow."""
    folder = project.folder(released)
    if kind == "pipe":
        (folder / "model.skops").unlink()
        os.mkfifo(folder / "model.skops")
    elif kind == "link":
        (folder / "model.skops").rename(tmp_path / "model.skops")
        (folder / "model.skops").symlink_to(tmp_path / "model.skops")
    elif kind == "folder that is a link":
        (folder / "code").rename(tmp_path / "code")
        (folder / "code").symlink_to(tmp_path / "code")
    elif kind == "vast manifest":
        with (folder / "manifest.json").open("ab") as sparse:
            sparse.truncate(2**40)
    else:
        (folder / "manifest.json").rename(tmp_path / "manifest.json")
        (folder / "manifest.json").symlink_to(tmp_path / "manifest.json")

    with pytest.raises(Tampered):
        open_champion(project)


def test_a_digest_that_is_a_path_leads_nowhere(project, released):
    """Whoever writes the release chooses its digest: it must not choose a folder."""
    release = Released().news(project.settings, seq=0).champion
    for digest in ("../bundles/" + released.digest, str(project.folder(released)), "..", ""):
        with pytest.raises(ProveoutError):
            Released().open(project.settings, type(release)(**{**vars(release), "bundle": digest}))
