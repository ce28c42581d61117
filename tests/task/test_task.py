"""Choosing a task, and what all of them have in common."""

import pytest

from proveout.records.answer import Answer, TaskFacts
from proveout.records.json_form import from_json, to_json
from proveout.task import task as tasks

FACTS = [
    TaskFacts(task="binary", threshold=0.3),
    TaskFacts(task="multiclass", classes=("a", "b")),
    TaskFacts(task="multiclass", classes=(1, 2, 3)),
    TaskFacts(task="multiclass", classes=(False, True)),
    TaskFacts(task="regression", half_width=2.5, coverage=0.9),
    TaskFacts(task="regression"),
]


@pytest.mark.parametrize("facts", FACTS, ids=str)
def test_a_task_is_what_its_bundle_says_and_says_the_same(facts):
    """Facts travel from the manifest through the worker's greeting to the gateway: 1 stays 1, and true stays true."""
    read = from_json(TaskFacts, to_json(facts))

    assert tasks.of(read).facts == facts
    assert [type(one) for one in read.classes] == [type(one) for one in facts.classes]


@pytest.mark.parametrize("facts", FACTS, ids=str)
def test_an_answer_survives_the_journal(facts):
    """Each kind of value comes back as the kind it was."""
    task = tasks.of(facts)
    answer = task.answer([1.0, *[0.0] * (task.width - 1)], confidence=0.75)

    found = from_json(Answer, to_json(answer))

    assert found == answer
    assert type(found.value) is type(answer.value)
    assert task.is_valid(list(task.scores(found)))


@pytest.mark.parametrize("facts", FACTS, ids=str)
def test_nobody_could_answer_is_an_answer_too(facts):
    """Clients find the same members in it, all null."""
    task = tasks.of(facts)
    told = task.members(Answer(), target="y")

    assert set(told) == {"y", *task.members_of} == set(task.schema(target="y")["properties"])
    assert set(told.values()) == {None}
    assert task.read_members(told, target="y") == Answer()
    assert task.scores(Answer()) is None
    assert [output.of(Answer()) for output in task.outputs] == [None] * len(task.outputs)


@pytest.mark.parametrize("name", ["binary", "multiclass", "regression"])
def test_the_default_loss_and_metric_are_there(name):
    """What is used where nobody names one."""
    task = tasks.named(name)

    assert task.name == name
    assert task.metric(task.default_metric).better in {"higher", "lower"}
