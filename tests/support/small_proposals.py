"""A proposal of a project, as small as can be."""

from proveout.pilot.project_proposal import Proposal
from proveout.pilot.table_profile import Column
from proveout.pilot.table_split import TableSplit
from proveout.pilot.table_target import Target
from proveout.records.answer import TaskName
from proveout.records.train_config import RandomSplit


def proposal(*, task: TaskName = "binary") -> Proposal:
    """Of a table with one column of numbers, `beak`, and the target `kind`."""
    split = RandomSplit()
    return Proposal(
        name="birds",
        table="birds.csv",
        source="data/birds.csv",
        rows=80,
        target=Target(column="kind", name="kind", task=task, why="as you say", rows=80, unknown=0),
        columns=(Column(name="beak", kind="number", use="feature", seen="1 to 5", low=1, high=5),),
        split=TableSplit(split=split, words=split.words),
    )
