"""Watch what is served: window → outcomes → drift and performance → alerts.

    python flows/monitor.py run                       the newest 5,000 answers
    python flows/monitor.py run --since 2013-06-01    the newest since then
    python flows/monitor.py card view look            the last report, with pictures

On one machine cron runs it, every day at six; `@schedule` is for the back ends that have a scheduler:

    0 6 * * *  cd PROJECT && flock -n .metaflow/monitor.lock .venv/bin/python flows/monitor.py run
"""

from proveout.training.flow_setup import prepare

settings = prepare(__file__)

from metaflow import FlowSpec, Parameter, card, schedule, step  # noqa: E402  # Metaflow reads what `prepare` has set


@schedule(daily=True)
class MonitorFlow(FlowSpec):
    """One look at the champion's newest answers."""

    newest = Parameter("newest", default=5000, help="how many answers to look at, at most")
    since = Parameter("since", default=None, type=str, help="none older than this, such as 2013-06-01")

    @step
    def start(self):
        from proveout.monitoring import monitor
        from proveout.records.values import now

        self.at = now()
        self.predictions = monitor.window(settings, newest=self.newest, since=self.since)
        self.next(self.look)

    @card(type="proveout_html", options={"artifact": "page"})
    @step
    def look(self):
        from proveout.monitoring import monitor

        opened = monitor.champion(settings)  # once for both: it takes a second or two
        learnt = monitor.learn_outcomes(settings, self.predictions, at=self.at, opened=opened)
        print(f"{len(self.predictions):,} answers; the outcome of {learnt:,} is new or corrected", flush=True)
        self.seen = monitor.look(settings, self.predictions, at=self.at, opened=opened)
        self.page = self.seen.page
        self.next(self.end)

    @step
    def end(self):
        from proveout.monitoring import monitor, report, risk_text

        self.delivered = monitor.record(settings, self.seen, at=self.at)
        print(report.headline(self.seen.report, self.seen.alert))
        print(risk_text.headline(self.seen.risk))
        if self.seen.alert:
            print(f"next: {self.seen.alert.next_step}")


if __name__ == "__main__":
    MonitorFlow()
