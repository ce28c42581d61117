"""Take flights in: source → guard → snapshot.

    python flows/ingest.py run                      the months up to 2013-05
    python flows/ingest.py run --through 2013-08    the months up to August
    python flows/ingest.py run --month 2013-06      one more month, or batch of any name, onto the newest snapshot

The same months twice give the same snapshot and no new rows. A batch may have any name; batches are in the order of
their names as text. What came in under a wrong one: proveout data drop BATCH --reason "..."
"""

from proveout.training.flow_steps import prepare

settings = prepare(__file__)

from metaflow import FlowSpec, Parameter, retry, step  # noqa: E402  # Metaflow reads what `prepare` has set


class IngestFlow(FlowSpec):
    """Guarded months, as one immutable snapshot."""

    since = Parameter("since", default="2013-01", help="first month")
    through = Parameter("through", default="2013-05", help="last month")
    month = Parameter("month", default=None, type=str, help="one month, added to the newest snapshot")

    @step
    def start(self):
        from proveout.data import sources

        self.names = (self.month,) if self.month else sources.names(settings, since=self.since, through=self.through)
        self.next(self.take)

    @retry(times=2, minutes_between_retries=0)  # a source may be away for a moment; taking a batch twice is harmless
    @step
    def take(self):
        from proveout.training import flow_steps

        self.batches = flow_steps.take_batches(settings, self.names)
        self.next(self.snap)

    @step
    def snap(self):
        from proveout.training import flow_steps

        self.snapshot = flow_steps.take_snapshot(settings, self.batches, onto_latest=self.month is not None)
        self.next(self.end)

    @step
    def end(self):
        print(f"next: python flows/train.py run   (learns from snapshot {self.snapshot.digest[:12]})")


if __name__ == "__main__":
    IngestFlow()
