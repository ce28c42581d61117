"""What a function of the notebook fits and measures, at each of its calls.

Input: a call and what the function's body does. Output: the same fits and measurements, of what the call gives it.
"""

from dataclasses import dataclass, replace

from proveout.pilot.audit.data_flow import Called, Fit, Flow, Measured, Value


@dataclass(frozen=True, kw_only=True)
class FunctionFlow:
    """What a function of the notebook fits and measures, by its own names."""

    parameters: tuple[str, ...]
    fits: tuple[Fit, ...]
    measured: tuple[Measured, ...]


def run(called: Called, function: FunctionFlow, flow: Flow, values: dict[str, Value]) -> None:
    """`evaluate(model, X_test, y_test)` fits and measures what it is given, if the function does."""
    given = dict(zip(function.parameters, called.given, strict=False))
    given |= {name: value for name, value in called.named.items() if name in function.parameters}
    texts = {name: called.text(place, name) for place, name in enumerate(function.parameters)}
    for fit in function.fits:
        model = given.get(fit.receiver)
        if model is None or not (model.estimator or model.parts_of):
            continue
        on = given.get(fit.on.held, fit.on)
        text = texts.get(fit.on_text) or fit.on_text
        place = len(flow.fits)
        flow.fits.append(
            replace(fit, at=called.at, receiver=model.held, estimator=model, on=on, on_text=text, by_function=True)
        )
        if model.held:
            values[model.held] = replace(model, fits=model.fits | {place})
            flow.fitted[model.held] = flow.fitted.get(model.held, frozenset()) | {place}
    parts = {value.part for value in given.values()}
    for one in function.measured:
        part = next((part for part in ("test", "train") if part in parts), one.on.part)
        answered = given.get(one.model, Value(held=one.model))
        flow.measured.append(
            replace(
                one,
                at=called.at,
                model=answered.held,
                fits=one.fits | answered.fits,
                on=replace(one.on, part=part),
                truth=texts.get(one.truth) or one.truth,
                by_function=True,
            )
        )
