"""Recall, precision and F1 of classes, and their mean without each row or cluster, from the margins of the confusion
matrix.

Takes the place of each row's outcome and label among the classes, shape (rows,). Leaving one row out changes the values
of at most two classes, so neither many rows nor many classes cost much.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Codes = NDArray[np.intp]  # shape (rows,): a class by its place, or the number of a cluster

Of = Literal["recall", "precision", "f1"]


@dataclass(frozen=True)
class Margins:
    """Rows of each class, shape (..., classes)."""

    right: "NDArray[np.float64]"  # the outcome and the label are this class
    with_outcome: "NDArray[np.float64]"
    with_label: "NDArray[np.float64]"

    def rows(self, of: Of) -> "NDArray[np.float64]":
        """The rows that the share is over. For F1 those with the outcome or the label, as for Jaccard's index."""
        if of == "recall":
            return self.with_outcome
        return self.with_label if of == "precision" else self.with_outcome + self.with_label - self.right

    def values(self, of: Of) -> "NDArray[np.float64]":
        """Recall, precision or F1, shape (..., classes); 0 where there is nothing to be right about.

        >>> import numpy as np
        >>> Margins(*(np.array([n]) for n in (1.0, 2.0, 1.0))).values("f1").round(3).tolist()
        [0.667]
        """
        import numpy as np

        rows = self.rows(of)
        share = np.divide(self.right, rows, out=np.zeros(rows.shape), where=rows > 0)
        return np.asarray(f1_of_share(share) if of == "f1" else share)


def f1_of_share(share: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """F1 from Jaccard's index, the share of right rows among those that have the class as outcome or label."""
    return 2 * share / (1 + share)


def margins(outcomes: "Codes", labels: "Codes", classes: int) -> Margins:
    """The margins of all rows.

    >>> import numpy as np
    >>> found = margins(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    >>> found.right.tolist(), found.with_outcome.tolist(), found.with_label.tolist()
    ([1.0, 1.0], [2.0, 1.0], [1.0, 2.0])
    """
    import numpy as np

    parts = (outcomes[outcomes == labels], outcomes, labels)
    return Margins(*(np.bincount(part, minlength=classes).astype(float) for part in parts))


def means_without_each(
    outcomes: "Codes", labels: "Codes", of: Of, judged: "NDArray[np.bool_]", groups: "Codes | None"
) -> "NDArray[np.float64]":
    """The mean of `of` over the classes in `judged` without each row, or without each cluster, shape (units,).

    Args:
        judged: which classes count, shape (classes,).
        groups: the number of each row's cluster, shape (rows,).
    """
    import numpy as np

    classes, counted = len(judged), int(judged.sum())
    whole = margins(outcomes, labels, classes)
    if groups is not None:
        units = int(groups.max()) + 1
        right = outcomes == labels
        own = [
            np.bincount(some_groups * classes + some, minlength=units * classes).reshape(units, classes)
            for some, some_groups in ((outcomes[right], groups[right]), (outcomes, groups), (labels, groups))
        ]
        rest = Margins(whole.right - own[0], whole.with_outcome - own[1], whole.with_label - own[2])
        return np.asarray(rest.values(of)[:, judged].mean(axis=-1))
    before = whole.values(of)
    # What the value of a class moves by without a row of it that was right, was missed, or was called so wrongly.
    rightly, missed, called = (
        np.where(judged, Margins(*margin).values(of) - before, 0.0)
        for margin in (
            (whole.right - 1, whole.with_outcome - 1, whole.with_label - 1),
            (whole.right, whole.with_outcome - 1, whole.with_label),
            (whole.right, whole.with_outcome, whole.with_label - 1),
        )
    )
    moved = np.where(outcomes == labels, rightly[outcomes], missed[outcomes] + called[labels])
    return np.asarray(before[judged].mean() + moved / counted)
