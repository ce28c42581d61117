"""Names mean what was imported under them; a cell binds its top level only."""

import ast

import pytest

from proveout.pilot.audit.names import dotted, imported, read


def test_an_import_gives_the_dotted_name_behind_it() -> None:
    """A rule about pandas.read_csv must find it under every spelling."""
    found = imported(
        ast.parse("import pandas as p\nimport os.path\nfrom sklearn.svm import SVC as Machine\nfrom . import mine")
    )

    assert found == {"p": "pandas", "os": "os", "Machine": "sklearn.svm.SVC"}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("p.read_csv", "pandas.read_csv"),
        ("np.random.seed", "numpy.random.seed"),  # what everybody calls it, without its import
        ("df.head", "df.head"),
        ("f(x).dropna", "().dropna"),
        ("3", ""),
    ],
)
def test_a_name_is_resolved_by_its_import(source: str, name: str) -> None:
    """Methods of something nameless keep their own name, so that rules about methods find them."""
    assert dotted(ast.parse(source, mode="eval").body, {"p": "pandas"}) == name


def bound(source: str) -> list[tuple[str, str]]:
    """Names that a cell binds, and how."""
    return [(binding.name, binding.how) for binding in read(ast.parse(source))[0]]


def used(source: str) -> list[str]:
    """Names that a cell reads at once."""
    return [use.name for use in read(ast.parse(source))[1] if not use.deferred]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = b = 1", [("a", "assign"), ("b", "assign")]),
        ("a, (b, *c) = x", [("a", "assign"), ("b", "assign"), ("c", "assign")]),
        ("a: int = 1", [("a", "assign")]),
        ("a: int", []),
        ("a += 1", [("a", "augment")]),
        ("for a, b in x: c = 1", [("a", "for"), ("b", "for"), ("c", "assign")]),
        ("with open(x) as f: pass", [("f", "with")]),
        ("import a.b, c as d", [("a", "import"), ("d", "import")]),
        ("def f(x):\n    y = 1", [("f", "def")]),
        ("class A:\n    b = 1", [("A", "class")]),
        ("[a for a in x]", []),
        ("if (n := f()): pass", [("n", "assign")]),
        ("try:\n    pass\nexcept E as e:\n    pass", [("e", "except")]),
        ("del a", [("a", "delete")]),
        ("df['a'] = 1\ndf.b = 2", []),
        ("match x:\n    case [a, b]: pass", [("a", "assign"), ("b", "assign")]),
    ],
)
def test_a_cell_binds_what_stays_when_it_has_run(source: str, expected: list[tuple[str, str]]) -> None:
    """A name that stays inside a function or a comprehension is not there for the next cell."""
    assert bound(source) == expected


def test_a_binding_knows_whether_it_comes_from_itself() -> None:
    """`df = df.dropna()` goes on with a value; `df = read()` is another one."""
    bindings, _ = read(ast.parse("df = df.dropna()\ndf = load()"))

    assert [binding.reads_itself for binding in bindings] == [True, False]


def test_what_a_function_reads_is_read_when_it_is_called() -> None:
    """A function may stand above the names it needs."""
    assert used("def f(a, b=c):\n    return a + later") == ["c"]
    assert [use.name for use in read(ast.parse("def f(a):\n    return a + later"))[1]] == ["later"]


def test_the_names_of_a_comprehension_are_its_own() -> None:
    """`i` of a comprehension is no undefined name; what it goes over is read."""
    assert used("[i * k for i in rows if i > low]") == ["rows", "low", "k"]


def test_a_global_of_a_function_is_no_local_of_it() -> None:
    """A function that declares it reads the notebook's name."""
    assert [use.name for use in read(ast.parse("def f():\n    global n\n    return n"))[1]] == ["n"]
