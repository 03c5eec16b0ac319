"""The metrics in the columns of a study's HParams table."""

from __future__ import annotations

from colorgan.epoch import METRICS, VALID_METRICS
from search.events import FEASIBLE_TAG, OBJECTIVE_TAG, MetricColumn, further_tag
from search.study import StudySpec


def metric_columns(spec: StudySpec) -> list[MetricColumn]:
    """Returns the objective, its own metric, what else is aimed at, and the other validation metrics."""
    objective = spec.objective
    first = MetricColumn(OBJECTIVE_TAG, f"objective: {objective.metric}", objective.direction)
    own, others = METRICS[objective.metric], [metric for metric in VALID_METRICS if metric.key != objective.metric]
    further = [MetricColumn(further_tag(one.name), one.words(), one.direction) for one in spec.further_objectives]
    if spec.constraints:
        words = "; ".join(f"{key} {bounds.words()}" for key, bounds in spec.constraints.items())
        further.append(MetricColumn(FEASIBLE_TAG, "1 feasible", f"whether all constraints hold: {words}"))
    return [first, *further, *(MetricColumn(metric.key, metric.key, metric.description) for metric in (own, *others))]
