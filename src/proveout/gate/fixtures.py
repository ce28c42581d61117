"""The fixtures a check may ask for by name.

candidate   the bundle that is judged, opened           champion   the one that answers now, or None
holdout     rows held out, outcome known                training   rows trained on, outcome known
snapshot    the data's batches and refusals             profiles   the profile numbers of each batch
criteria    the bounds of [evaluation] in train.toml    project    the settings in [tool.proveout]
evidence    states a number, and asserts its bounds     edge_case  one case of the YAML file: the check runs for each
edge_cases  all of them                                 edge_answers  what the candidate says of all of them
generated   properties of all requests, each tested on generated requests
retraining  the candidate's training once more, which began before the first check

The example of each is the body of a check that asks for the fixtures it names; tests/repository/test_docs.py runs them.
"""

from typing import TYPE_CHECKING

import pytest

from proveout.errors import ProveoutError
from proveout.gate.evidence import EvidenceRecorder
from proveout.gate.session import GateSession
from proveout.records.snapshot import Snapshot
from proveout.settings import Settings, load_object

if TYPE_CHECKING:
    # For the reader: the first check that runs imports them, not every pytest run of the project.
    from proveout.edge_cases import Answers, Case
    from proveout.evaluation.context import Criteria, EvaluationContext, LabelledRows, Profiles
    from proveout.evaluation.reproducibility import Retraining
    from proveout.fuzz.properties import Generated
    from proveout.model.bundle import OpenBundle


@pytest.fixture(scope="session")
def gate_context(pytestconfig: pytest.Config) -> "EvaluationContext":
    """Everything the run judges with; the other fixtures are parts of it."""
    return GateSession.of(pytestconfig).context()


@pytest.fixture(scope="session")
def project(pytestconfig: pytest.Config) -> Settings:
    """The settings of the project, as `[tool.proveout]` and the environment say them.

    evidence(leakage.time_travel(candidate, training, holdout, project=project, later=["dep_delay", "air_time"]))
    """
    return GateSession.of(pytestconfig).settings


@pytest.fixture(scope="session")
def candidate(gate_context: "EvaluationContext") -> "OpenBundle":
    """The bundle that is judged, verified and opened: `candidate.predict(records)`.

    evidence("mean probability", candidate.predict(holdout.records).mean(), at_least=0.05, at_most=0.30)
    """
    return gate_context.candidate


@pytest.fixture(scope="session")
def champion(gate_context: "EvaluationContext") -> "OpenBundle | None":
    """The bundle that answers now, opened; None when nothing was ever released.

    evidence(dependency_diff.changed(candidate, champion), at_most=5)
    """
    return gate_context.champion


@pytest.fixture(scope="session")
def holdout(gate_context: "EvaluationContext") -> "LabelledRows":
    """The rows of the batch held out whose outcome is known: `.raw`, `.records`, `.labels`.

    evidence(metrics.auc(holdout.labels, candidate.predict(holdout.records)), at_least=0.70)
    """
    return gate_context.holdout


@pytest.fixture(scope="session")
def training(gate_context: "EvaluationContext") -> "LabelledRows":
    """The rows trained on whose outcome is known: `.raw`, `.records`, `.labels`.

    evidence("late share", training.labels.mean(), at_least=0.03, at_most=0.40, rows=training.rows)
    """
    return gate_context.training


@pytest.fixture(scope="session")
def snapshot(gate_context: "EvaluationContext") -> Snapshot:
    """The batches of the data the candidate was made from, with what the guard refused.

    evidence("rows refused", sum(batch.refused for batch in snapshot.batches), at_most=500)
    """
    return gate_context.snapshot


@pytest.fixture(scope="session")
def profiles(gate_context: "EvaluationContext") -> "Profiles":
    """The profile numbers of the batch held out (`.holdout`) and of each batch trained on (`.training`).

    evidence("share without a tail number", profiles.holdout["tailnum"].null_share, at_most=0.05)
    """
    return gate_context.profiles


@pytest.fixture(scope="session")
def criteria(gate_context: "EvaluationContext") -> "Criteria":
    """The bounds in `[evaluation]` of the project's train.toml, by name.

    evidence(metrics.auc(holdout.labels, scores), at_least=criteria["auc_at_least"])
    """
    return gate_context.criteria


@pytest.fixture(scope="session")
def retraining(pytestconfig: pytest.Config) -> "Retraining":
    """The candidate's training once more, in a process beside the checks: it began before the first of them.

    evidence(reproducibility.again(candidate, holdout, retraining))
    """
    return GateSession.of(pytestconfig).retraining()


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> EvidenceRecorder:
    """State a number, or what a helper measured, and assert its bounds. The verdict keeps it.

    evidence("auc", 0.77, at_least=0.70)
    """
    item = request.node
    gate = GateSession.of(request.config)
    return EvidenceRecorder(
        check=gate.check_id(item.nodeid) or item.nodeid,
        # User properties travel with the report: through xdist, and into the JUnit file.
        write=lambda key, text: item.user_properties.append((key, text)),
        interval_scale=1.0 if gate.sample is None else gate.sample.interval_scale,
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A check that asks for `edge_case` is run once for each case of the project's YAML file."""
    if "edge_case" in metafunc.fixturenames:
        known = edge_cases_of(metafunc.config)
        metafunc.parametrize("edge_case", known, ids=[case.id for case in known])


@pytest.fixture(scope="session")
def edge_cases(pytestconfig: pytest.Config) -> "tuple[Case, ...]":
    """All edge cases of the project.

    evidence("edge cases", len(edge_cases), at_least=5)
    """
    return edge_cases_of(pytestconfig)


@pytest.fixture(scope="session")
def edge_answers(gate_context: "EvaluationContext", edge_cases: "tuple[Case, ...]") -> "Answers":
    """What the candidate says of each edge case, and of its record changed: all asked in one batch.

    evidence(cases.demands(edge_case, edge_answers))
    """
    from proveout import edge_cases as cases

    return cases.ask(edge_cases, gate_context.candidate)


@pytest.fixture(scope="session")
def generated(pytestconfig: pytest.Config, gate_context: "EvaluationContext") -> "Generated":
    """Properties that hold of every request, asked of generated ones.

    evidence(generated.never_crashes())
    """
    import datetime

    from proveout.fuzz.properties import Generated, Offers
    from proveout.fuzz.runner import texts_of

    settings = GateSession.of(pytestconfig).settings
    # A project has requests before it has edge cases.
    known = edge_cases_of(pytestconfig) if (settings.root / settings.edge_cases).is_file() else ()
    return Generated(
        load_object(settings.request_schema, settings.root),
        gate_context.candidate,
        cases={case.id: case.record for case in known},
        seen=texts_of(gate_context.candidate.reference(), gate_context.candidate.request_columns),
        offers=Offers(root=settings.root, date=datetime.datetime.now(datetime.UTC).date()),
    )


def edge_cases_of(config: pytest.Config) -> "tuple[Case, ...]":
    """The project's edge cases. Raises: pytest's CollectError, with the loader's sentence, if the file is faulty."""
    try:
        return GateSession.of(config).edge_cases()
    except ProveoutError as error:
        raise pytest.Collector.CollectError(str(error)) from error
