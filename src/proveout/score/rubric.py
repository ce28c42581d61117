"""The ML Test Score: its 28 tests, in four sections of seven, and the name of each score.

Source: Breck, Cai, Nielsen, Salib and Sculley, The ML Test Score: A Rubric for ML Production Readiness and Technical
Debt Reduction, IEEE Big Data (2017). A test gets one point if it runs automatically, half a point if a person does it
and documents the result, else none. The score is the smallest of the four sums.
"""

from dataclasses import dataclass
from typing import Literal

Section = Literal["data", "model", "infra", "monitor"]
SECTIONS: dict[Section, str] = {
    "data": "Features and data",
    "model": "Model development",
    "infra": "ML infrastructure",
    "monitor": "Monitoring",
}


@dataclass(frozen=True)
class RubricTest:
    """One of the 28 tests."""

    id: str  # section and number: data-1
    title: str

    @property
    def section(self) -> str:
        return self.id.partition("-")[0]


TITLES: dict[Section, tuple[str, ...]] = {
    "data": (
        "Feature expectations are captured in a schema",
        "All features are beneficial",
        "No feature's cost is too much",
        "Features adhere to meta-level requirements",
        "The data pipeline has appropriate privacy controls",
        "New features can be added quickly",
        "All input feature code is tested",
    ),
    "model": (
        "Model specs are reviewed and submitted",
        "Offline and online metrics correlate",
        "All hyperparameters have been tuned",
        "The impact of model staleness is known",
        "A simpler model is not better",
        "Model quality is sufficient on important data slices",
        "The model is tested for considerations of inclusion",
    ),
    "infra": (
        "Training is reproducible",
        "Model specs are unit tested",
        "The ML pipeline is integration tested",
        "Model quality is validated before serving",
        "The model is debuggable",
        "Models are canaried before serving",
        "Serving models can be rolled back",
    ),
    "monitor": (
        "Dependency changes result in notification",
        "Data invariants hold for inputs",
        "Training and serving are not skewed",
        "Models are not too stale",
        "Models are numerically stable",
        "Computing performance has not regressed",
        "Prediction quality has not regressed",
    ),
}

TESTS = tuple(
    RubricTest(id=f"{section}-{number}", title=title)
    for section, titles in TITLES.items()
    for number, title in enumerate(titles, start=1)
)
IDS = frozenset(test.id for test in TESTS)


def band(score: float) -> str:
    """The paper's name for a score from 0 to 7.

    >>> band(0.0), band(5.5)
    ('more a research project than a production system', 'exceptional levels of automated testing and monitoring')
    """
    for most, name in (
        (0, "more a research project than a production system"),
        (1, "not totally untested, but serious holes in reliability are possible"),
        (2, "a first pass at basic productionization"),
        (3, "reasonably tested, but more of it might be automated"),
        (5, "strong levels of automated testing and monitoring, as for critical systems"),
    ):
        if score <= most:
            return name
    return "exceptional levels of automated testing and monitoring"
