"""Which metrics may inform but not decide: those of judges that have not shown that they agree with
people.
"""

from llmops.tasks.evaluation.run import Trial
from llmops.tasks.plugins import find
from llmops.tasks.plugins.scorers import Judge, metric_of


def untrusted_metrics(trial: Trial) -> dict[str, str]:
    """Why, by metric: the judge's own and its parts', which stand under `judge.part`."""
    from llmops.tasks.evaluation.calibration import trust

    judges = [spec for spec in trial.scorers if issubclass(find("scorers", spec.name), Judge)]
    found = {metric_of(spec): trust(trial.home, spec) for spec in judges}
    return {metric: why for metric, why in found.items() if why}
