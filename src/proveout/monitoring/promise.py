"""What a bundle promises: one metric, measured on its held-out rows before it was released."""

from dataclasses import dataclass

from proveout.task.task import Task


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A metric, and its value on the held-out rows; None if it was not measured."""

    task: Task
    metric: str
    value: float | None

    @property
    def title(self) -> str:
        """The metric's name for people.

        >>> from proveout.task.binary import Binary
        >>> Promise(task=Binary(), metric="auc", value=0.7).title, Promise(task=Binary(), metric="f1", value=None).title
        ('AUC', 'F1')
        """
        short = self.metric in {"auc", "mae", "rmse", "mse", "r2", "f1"}
        return self.metric.upper() if short else self.metric.replace("_", " ")
