"""Take data in: source → guard → snapshot.

    python flows/ingest.py run                     every batch of the source: its files, or `batches` in pyproject.toml
    python flows/ingest.py run --batch 2013-06     one batch, of any name, onto the newest snapshot

The same batches twice give the same snapshot and no new rows. Batches are in the order of their names as text. What
came in under a wrong name: proveout data drop BATCH --reason "..."
"""

from proveout.training.flow_setup import prepare

settings = prepare(__file__)

from metaflow import FlowSpec, Parameter, retry, step  # noqa: E402  # Metaflow reads what `prepare` has set


class IngestFlow(FlowSpec):
    """Guarded batches, as one immutable snapshot."""

    batch = Parameter("batch", default=None, type=str, help="one batch, added to the newest snapshot")

    @retry(times=2, minutes_between_retries=0)  # a source may be away for a moment; taking a batch twice is harmless
    @step
    def start(self):
        from proveout.data import sources
        from proveout.training import ingest_steps

        names = (self.batch,) if self.batch else sources.names(settings)
        self.batches = ingest_steps.take_batches(settings, names)
        self.next(self.end)

    @step
    def end(self):
        from proveout.training import ingest_steps

        self.snapshot = ingest_steps.take_snapshot(settings, self.batches, onto_latest=self.batch is not None)
        print(f"next: python flows/train.py run   (learns from snapshot {self.snapshot.digest[:12]})")


if __name__ == "__main__":
    IngestFlow()
