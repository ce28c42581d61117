"""The fast walk goes where Python's own goes."""

import ast

from proveout.pilot.audit import syntax


def test_the_walk_meets_the_nodes_of_python_s_own_in_its_order() -> None:
    """Rules take the first node that fits."""
    tree = ast.parse("def f(x):\n    return [y for y in g(x) if y > 3]\nz = f(1) + df['a'].mean()")

    assert list(syntax.walk(tree)) == list(ast.walk(tree))
    assert list(syntax.walk(tree)) == list(ast.walk(tree))  # from what was kept


def test_a_chain_starts_at_its_variable() -> None:
    """`db['rows'].find().limit(3)` asks what `db` is; a literal's method asks nothing."""
    assert syntax.root_of(ast.parse("db['rows'].find().limit(3)", mode="eval").body) == "db"
    assert syntax.root_of(ast.parse("'a'.join(b)", mode="eval").body) == ""
