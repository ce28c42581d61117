"""What a recovered model leaves behind for a project: its raw rows, their sides, its features, its state, the model.

Input: a tape, a held-out prediction and its recovery. Output: files in a folder, and `HandedOver`.

    raw.parquet      all raw rows, as the reading call gave them
    sides.parquet    `split` of each raw row: train, holdout, or null
    heldout.parquet  `row` (in raw.parquet), `truth` and `answer` of each held-out row, in the pilot's order
    features.py      the function from raw rows to the model's columns; state/: what it has learned
    model.skops      the estimator
    target.py        the outcome, where no raw column holds it as it is; target_state/: what it has learned
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proveout.data.splits import HOLDOUT, SPLIT, TRAIN
from proveout.errors import BundleError
from proveout.model import model_io, native_boosters
from proveout.records.adopted_notebook import RawColumn, RenamedClass, SourceForm
from proveout.recovery import dense_models, features_writer, handed_outcome, model_form, own_code, state_files
from proveout.recovery.features_writer import FeaturesModule
from proveout.recovery.frozen_state import Reached
from proveout.recovery.handed_outcome import HandedOutcome
from proveout.recovery.handed_rows import SHARE
from proveout.recovery.held_out import HeldOut, task_of
from proveout.recovery.model_form import Unpackable
from proveout.recovery.replay import SPLIT as SPLIT_CALL
from proveout.recovery.rewritten_slice import Unwritable
from proveout.recovery.row_origin import rows_labelled
from proveout.recovery.state_files import Unstorable
from proveout.recovery.tables import (
    equal_rows,
    flat,
    index_of,
    places_by_content,
    rows_of,
    some_rows,
    with_text_names,
)
from proveout.recovery.tape import Tape
from proveout.recovery.verification import Recovery, model_then

RAW, SIDES, HELD_OUT, FEATURES, STATE, MODEL = (
    "raw.parquet", "sides.parquet", "heldout.parquet", "features.py", "state", "model.skops",
)  # fmt: skip


_WIDEST_TABLE = 2_000  # columns of a sparse matrix that are written out


class NotHandedOver(Exception):
    """Recovered, and yet nothing that a project can be made of; with the reason."""


@dataclass(frozen=True, kw_only=True)
class HandedOver:
    """The files of one model. `function` is the name of the features, `state` the files in state/.

    `outcome` is how the outcome is computed, where no raw column holds it as it is; `no_outcome`, why it cannot be.
    """

    function: str
    state: tuple[str, ...]
    columns: tuple[RawColumn, ...]
    source_form: SourceForm
    note: str  # what is otherwise than in the pilot
    held_back: float = 0.0  # the share of the raw rows that the notebook did not get
    outcome: HandedOutcome | None = None
    no_outcome: str = ""


def hand_over(
    tape: Tape, one: HeldOut, found: Recovery, folder: Path, *, classes: Sequence[RenamedClass] = ()
) -> HandedOver:
    """Write the files of a model that was recovered from raw rows. Raises: NotHandedOver."""
    assert found.raw is not None
    assert found.primary is not None
    if one.prediction.model is not None and np.ndim(one.truth) == 2 and np.shape(one.truth)[1] > 1:
        raise NotHandedOver(
            f"it has {np.shape(one.truth)[1]} outcomes, and an answer has one. Fit a model for each of them"
        )
    found, strange = _judged(one, found)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        head, behind, inputs = _first_steps(one, found)
        module = _module(tape, behind, replace(found, inputs=inputs), head)
        state = state_files.write(module.state, folder / STATE)
        (folder / FEATURES).write_text(module.text, encoding="utf-8")
        table = _columns(module, folder, replace(found, inputs=inputs))
        given, truth = _learned(tape, one)
        learned = (own_code.through(head, given) if head else given, truth)
        model, answers, note = _model(tape, behind, found, module, table, learned=learned)
        model_io.dump(own_code.with_columns(model_form.with_classes(model, classes)), folder / MODEL)
        model_io.load(folder / MODEL)
    except (Unwritable, Unstorable, Unpackable, BundleError) as error:
        raise NotHandedOver(str(error)) from error
    known = sides(tape, one, found)
    _write_rows(one, found, answers, known, folder)
    assert found.raw is not None
    assert found.primary is not None
    primary = tape.frozen[found.primary.key]
    index = index_of(primary)
    form: SourceForm = "frame" if isinstance(primary, pd.DataFrame) else "other"
    rows = [place for place, side in enumerate(known) if side is not None]
    outcome = handed_outcome.hand_over(tape, one, found, folder, rows=rows)
    return HandedOver(
        function=module.function,
        state=state,
        columns=tuple(_raw_column(name, dtype, index=name in index) for name, dtype in found.raw.dtypes.items()),
        source_form="split" if found.primary.name == SPLIT_CALL else form,
        note="; ".join(filter(None, (note, strange, _held_back(found)))),
        held_back=SHARE if found.learned is not None else 0.0,
        outcome=outcome if isinstance(outcome, HandedOutcome) else None,
        no_outcome="" if isinstance(outcome, HandedOutcome) else outcome,
    )


_FEWEST_KNOWN = 0.9  # of the held-out rows; else the truth has other names than the classes of the model


def _judged(one: HeldOut, found: Recovery) -> tuple[Recovery, str]:
    """The recovery without held-out rows of a class that no training row had; and what to say of these.

    Nobody can say how likely such a row was, and a training on later rows may know its class.
    """
    classes = getattr(one.prediction.model, "classes_", None)
    if classes is None or np.ndim(classes) != 1 or one.truth is None or rows_of(one.truth) != one.prediction.rows:
        return found, ""
    names = {_name(value) for value in np.asarray(classes).tolist()}
    truth = [_name(value) for value in flat(some_rows(one.truth, found.positions))[:, 0].tolist()]
    kept = [place for place, value in enumerate(truth) if value in names]
    if len(kept) == len(truth) or len(kept) < _FEWEST_KNOWN * len(truth):
        return found, ""
    strange, outcome = sorted(set(truth) - names), found.outcome
    judged = replace(
        found,
        rows=tuple(found.rows[place] for place in kept),
        positions=tuple(found.positions[place] for place in kept),
        inputs=some_rows(found.inputs, kept),
        answers=None if found.answers is None else some_rows(found.answers, kept),
        outcome=None if outcome is None else replace(outcome, truth=outcome.truth[kept]),
    )
    classes_of = f"classes that no training row has ({', '.join(strange[:5])})"
    return judged, f"of the held-out rows {len(truth) - len(kept)} are not judged, for they are of {classes_of}"


def _name(value: Any) -> str:
    """A class as a text: 3 and 3.0 are one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _held_back(found: Recovery) -> str:
    """What to say of a notebook without held-out rows of its own."""
    if found.learned is None:
        return ""
    answered, apart = found.compared
    few = "" if answered == apart else f", {answered} of which it has an answer for"
    return f"{apart} rows were held back from the notebook{few}, and its model was asked about them"


def _first_steps(one: HeldOut, found: Recovery) -> tuple[list[Any], HeldOut, Any]:
    """Steps of a pipeline with code of the notebook; and the prediction and the inputs of the steps behind them."""
    from sklearn.pipeline import Pipeline

    model = model_form.best(model_then(one.prediction)) if one.prediction.model is not None else None
    steps = model.steps if isinstance(model, Pipeline) else []
    own = [place for place, (_, step) in enumerate(steps) if own_code.is_in(step)]
    if not own or own[-1] == len(steps) - 1:
        return [], one, found.inputs
    head, behind = [step for _, step in steps[: own[-1] + 1]], steps[own[-1] + 1 :]
    rest = behind[0][1] if len(behind) == 1 else Pipeline(behind)
    inputs = own_code.through(head, one.prediction.inputs)
    prediction = replace(one.prediction, model=rest, state=dict(vars(rest)), inputs=inputs)
    return head, replace(one, prediction=prediction), own_code.through(head, found.inputs)


def _module(tape: Tape, one: HeldOut, found: Recovery, head: Sequence[Any]) -> FeaturesModule:
    """The features; a sparse matrix that no single transformer makes becomes a table, if it is not too wide."""
    inputs = one.prediction.inputs
    if not hasattr(inputs, "tocsr"):
        return features_writer.write(tape, found, head=head)
    try:
        module = features_writer.write(tape, found, fold=True, head=head)
        if not any(own_code.is_in(step) for step in module.steps):
            return module
        said = "its inputs are a sparse matrix that code of the notebook makes"
    except Unwritable as error:
        said = str(error)
    if inputs.shape[1] > _WIDEST_TABLE:
        raise Unwritable(said)
    return features_writer.write(tape, found, head=head)


def _raw_column(name: Any, dtype: Any, *, index: bool) -> RawColumn:
    made = RawColumn(name=_plain(name), dtype=str(dtype), index=index)
    if not isinstance(dtype, pd.CategoricalDtype):
        return made
    return replace(made, categories=tuple(dtype.categories.tolist()), ordered=bool(dtype.ordered))


def _plain(name: Any) -> str | int:
    name = name.item() if hasattr(name, "item") else name
    return name if isinstance(name, int) else str(name)


def _columns(module: FeaturesModule, folder: Path, found: Recovery) -> pd.DataFrame:
    """The model's columns of the held-out rows, by the module as it was written. Raises: Unwritable."""
    assert found.raw is not None
    space: dict[str, Any] = {"__file__": str(folder / FEATURES), "__name__": "features"}
    rows = with_text_names(found.raw).iloc[list(found.rows)]
    if found.target is not None:
        rows = rows.drop(columns=str(found.target))
    try:
        exec(compile(module.text, FEATURES, "exec"), space)  # noqa: S102  # the statements of the notebook itself
        table: pd.DataFrame = space[module.function](rows)
    except Reached as error:
        raise Unwritable("a function that makes the prediction is called for something else before") from error
    except Exception as error:
        raise Unwritable(f"written as a module it fails: {type(error).__name__}: {str(error)[:150]}") from error
    if not module.steps and not equal_rows(table, found.inputs).all():
        raise Unwritable("written as a module it gives other inputs than in the notebook")
    if table.columns.has_duplicates:
        raise Unwritable("two of the model's columns have one name")
    return table


def _model(
    tape: Tape, one: HeldOut, found: Recovery, module: FeaturesModule, table: pd.DataFrame, *, learned: tuple[Any, Any]
) -> tuple[Any, NDArray[Any], str]:
    """The estimator for a bundle, the pilot's answers to the held-out rows, and a note. Raises: Unpackable."""
    prediction = one.prediction
    if prediction.model is None:
        return _of_function(tape, one, found, table)
    plain = model_form.best(model_then(prediction))
    given = some_rows(prediction.inputs, found.positions)
    if native_boosters.is_booster(plain):
        wanted = native_boosters.answers_of(plain, some_rows(prediction.answers, found.positions))
        model = _of_booster(plain, given, wanted)
        library, stored = type(plain).__module__.partition(".")[0], type(model).__name__
        note = f"{library}.train trained it: it is stored as {stored} with the same trees"
    elif not (hasattr(plain, "fit") and hasattr(plain, "get_params")):
        raise Unpackable(f"{type(plain).__name__} is no estimator of scikit-learn's kind")
    else:
        wanted = flat(plain.predict(given))[:, 0]
        if model_form.is_logit(prediction.model):
            _check_probabilities(plain.predict_proba(given)[:, 1], some_rows(prediction.answers, found.positions))
        model, note = model_form.with_probabilities(plain, *learned), ""
        if model is not plain:
            what = "answers otherwise than by its probabilities" if hasattr(plain, "predict_proba") else "gives none"
            over = "its decision value" if hasattr(plain, "decision_function") else "the votes of its members"
            note = f"{type(plain).__name__} {what}: probabilities come from a logistic curve over {over}"
    stored = dense_models.with_dense_rows(model, given)
    if module.steps:
        given = table.iloc[:, 0] if table.shape[1] == 1 else table
    made = model_form.of_table(stored, module.steps, given)
    apart = _apart(made, table, wanted)
    if apart and model is not plain and hasattr(plain, "classes_"):
        note = f"{type(plain).__name__} answers otherwise than by its decision value: an answer is as probable as right"
        made = model_form.of_table(model_form.with_its_answers(plain, *learned), module.steps, given)
        apart = _apart(made, table, wanted)
    if apart:
        raise Unpackable(f"as a part of a bundle it answers {apart} of {len(wanted)} held-out rows otherwise")
    return made, wanted, note


def _apart(model: Any, table: pd.DataFrame, wanted: NDArray[Any]) -> int:
    """How many rows a model answers otherwise."""
    return int((~equal_rows(flat(model.predict(table))[:, 0], wanted)).sum())


def _check_probabilities(ours: NDArray[Any], answered: Any) -> None:
    """Raises: Unpackable if the pilot's own answers were other probabilities, as with an offset."""
    if not equal_rows(ours, answered).all():
        raise Unpackable("its weights alone give other probabilities than it gave")


def _of_booster(booster: Any, given: Any, wanted: NDArray[Any]) -> Any:
    """The estimator with the trees of a booster. Raises: Unpackable."""
    for model in native_boosters.as_estimators(booster):
        if equal_rows(model.predict(given), wanted).all():
            return model
    raise Unpackable("the objective of its booster is none of those whose numbers have one meaning, or is of its own")


def _of_function(tape: Tape, one: HeldOut, found: Recovery, table: pd.DataFrame) -> tuple[Any, NDArray[Any], str]:
    """The estimator of a function of the notebook: the features are its answers already."""
    assert found.raw is not None
    assert found.replay is not None
    assert found.primary is not None
    wanted = flat(some_rows(one.prediction.answers, found.positions))[:, 0]
    if table.shape[1] != 1:
        raise Unpackable(f"a function of the notebook answers with {table.shape[1]} columns")
    rows, truth = _training_rows(tape, one, found), _training_truth(one)
    if truth is None or len(rows) != rows_of(truth):
        raise Unpackable("a function of the notebook makes the prediction, and what it learned from cannot be told")
    try:
        learned = flat(found.replay.run(found.raw.iloc[rows], found.primary))[:, 0]
    except Exception as error:
        raise Unpackable(f"the function of the notebook does not answer its training rows: {error}") from error
    model = model_form.of_answers(learned, flat(truth)[:, 0], task=task_of(one), column=str(table.columns[0]))
    apart = _apart(model, table, wanted)
    if apart:
        raise Unpackable(f"as a part of a bundle it answers {apart} of {len(wanted)} held-out rows otherwise")
    note = "a function of the notebook makes the prediction: it is a part of the features, and the model hands it on"
    return model, wanted, note


def _training_truth(one: HeldOut) -> Any:
    """The partner of the held-out truth, as the split handed both out."""
    outputs = one.split.outputs if one.split is not None else ()
    place = next((place for place, output in enumerate(outputs) if output is one.truth), 0)
    return outputs[place - 1] if place % 2 else None


def _learned(tape: Tape, one: HeldOut) -> tuple[Any, Any]:
    """What the model was last fitted to: the model itself, the search that found it, or what a file was written of."""
    model = one.prediction.model
    fits = [fit for fit in tape.fits if model is not None and _is_model(fit.model, model)]
    fits = fits or [fit for fit in tape.fits if type(fit.model) is type(model) and _answers_as(fit.model, one)]
    return (fits[-1].inputs, fits[-1].truth) if fits else (None, None)


def _is_model(fitted: Any, model: Any) -> bool:
    return fitted is model or getattr(fitted, "best_estimator_", None) is model


def _answers_as(model: Any, one: HeldOut) -> bool:
    """Whether a model answers the held-out rows as the one that was asked did."""
    try:
        said = model.predict(one.prediction.inputs)
        return one.prediction.name == "predict" and bool(equal_rows(said, one.prediction.answers).all())
    except Exception:  # of other columns, or not fitted any more
        return False


def _write_rows(one: HeldOut, found: Recovery, answers: NDArray[Any], known: list[str | None], folder: Path) -> None:
    assert found.raw is not None
    try:
        with_text_names(found.raw).to_parquet(folder / RAW, index=False)
    except Exception as error:  # whatever pyarrow says of somebody's values
        raise NotHandedOver(f"its raw rows cannot be stored as Parquet: {str(error)[:200]}") from error
    if TRAIN not in known:
        raise NotHandedOver("it is asked about rows of a file that it did not learn from")
    pd.DataFrame({SPLIT: known}, dtype=object).to_parquet(folder / SIDES, index=False)
    held = pd.DataFrame({"row": found.rows, "answer": answers})
    if one.truth is not None and rows_of(one.truth) == one.prediction.rows:
        held["truth"] = flat(some_rows(one.truth, found.positions))[:, 0]
    held.to_parquet(folder / HELD_OUT, index=False)


def sides(tape: Tape, one: HeldOut, found: Recovery) -> list[str | None]:
    """The side of each raw row, null for one that the pilot left out."""
    assert found.raw is not None
    made: list[str | None] = [None] * len(found.raw)
    for row in _training_rows(tape, one, found):
        made[row] = TRAIN
    for row in found.rows:
        made[row] = HOLDOUT
    return made


def _training_rows(tape: Tape, one: HeldOut, found: Recovery) -> list[int]:
    """The raw rows that the model learned from: by the labels of the split, else by what it was given."""
    if found.learned is not None:
        return list(found.learned)
    assert found.raw is not None
    assert found.replay is not None
    assert found.primary is not None
    split = one.split
    if split is not None:
        held, learned = (
            rows_labelled([split.labels[place] for place in side], tape, found.primary)
            for side in (split.test, split.train)
        )
        if held is not None and tuple(held) == found.rows and learned is not None:
            return learned
    inputs, _ = _learned(tape, one)
    try:
        made = found.replay.run(found.raw, found.primary)
        if rows_of(made) != len(found.raw):
            raise ValueError
        places = places_by_content(made, inputs)
    except BaseException as error:  # also what is no Exception: the notebook's own exits
        if isinstance(error, KeyboardInterrupt):
            raise
        return list(range(len(found.raw)))
    return [place for place in places if place is not None]
