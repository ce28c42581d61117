"""Train a candidate and put it before the gate: snapshot → features → notebook → bundle → checks → verdict.

python flows/train.py run                              as flows/train.toml says
python flows/train.py --config config other.toml run   as another file says
python flows/train.py resume                           go on after a failure, with nothing edited since it began
python flows/train.py run --checks checks/quick        before the checks of another folder than the project's own
python flows/train.py card view judge                  the last verdict, with pictures; `fit` shows the notebook
"""

from proveout.training.config import parse_config
from proveout.training.flow_setup import prepare

settings = prepare(__file__)

from metaflow import Config, FlowSpec, Parameter, card, config_expr, current, resources, retry, step  # noqa: E402  # see `prepare`


class TrainFlow(FlowSpec):
    """A bundle and its verdict. The run fails when the gate refuses."""

    config = Config("config", default=str(settings.root / settings.train_config), parser=parse_config)

    checks = Parameter("checks", default=None, type=str, help="another folder of checks than the project's own")

    @step
    def start(self):
        from proveout.training import train_steps

        self.inputs = train_steps.begin(settings, self.config)
        self.next(self.features)

    @step
    def features(self):
        from proveout.training import train_steps

        self.table = train_steps.make_features(settings, self.inputs)
        self.next(self.fit)

    @card(type="proveout_html", options={"artifact": "page"})
    @retry(times=config_expr("config.infrastructure.retries"), minutes_between_retries=0)
    @resources(cpu=config_expr("config.infrastructure.cpu"), memory=config_expr("config.infrastructure.memory_mb"))
    @step
    def fit(self):
        from proveout.training import train_steps

        self.trained = train_steps.run_notebook(settings, self.inputs, self.table)
        self.page = train_steps.notebook_page(self.trained)
        self.next(self.pack)

    @step
    def pack(self):
        from proveout.training import train_steps

        run = f"{current.flow_name}/{current.run_id}"
        self.bundle = train_steps.pack_bundle(settings, self.inputs, self.table, self.trained, run=run)
        self.archive = train_steps.archive_bundle(settings, self.bundle)
        self.next(self.judge)

    @card(type="proveout_html", options={"artifact": "page"})
    @step
    def judge(self):
        from proveout.gate.reports import html_report
        from proveout.training import train_steps

        self.verdict = train_steps.judge(settings, self.inputs, self.bundle, checks=self.checks)
        self.page = html_report.html(self.verdict)
        self.next(self.end)

    @step
    def end(self):
        from proveout.training import train_steps

        train_steps.conclude(self.bundle, self.verdict)


if __name__ == "__main__":
    TrainFlow()
