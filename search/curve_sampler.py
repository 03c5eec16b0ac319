"""The sampler `curve_gp`: proposes what may turn out best, by a Gaussian process of all trials' learning curves.

It learns from every trial that has reported anything, be it complete, pruned, paused or running; a trial that violates
a constraint or failed counts as bad as the worst. A trial that has reported nothing yet counts as if it had come out
as expected, so workers that ask at the same time are given different things. Of many configurations, some anywhere in
the space and some near the best, the one with the least lower confidence bound is taken (GP-UCB: Srinivas et al. 2010,
arXiv 0912.3995, algorithm 1). The bound is far out, `kappa` standard deviations: among noisy trainings it is better to
look at many places than to come back to the one that was lucky (docs/methods_measured.md).

The model is `curve_model.py`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.curve_model import Array, CurveModel, Reports
from search.history import feasible
from search.joint_sampler import JointSampler
from search.parameter import CategoricalParameter, Parameter, Scalar, is_number
from search.space import Params, Space

EVERYWHERE = 400  # configurations among which the next is chosen: anywhere in the space,
NEAR = 10  # and so many near each of the best
BEST = 5
STEPS = (0.15, 0.05, 0.02)  # how near, in shares of a parameter's range
SWITCH = 0.2  # how often a parameter with few values takes any of them, where one near is drawn
LOOKS = 3  # reports of a trial that the model sees: its last, and those after a half and a quarter of its epochs
MOST = 250  # trials that the model sees; of more the best and others evenly, of silent and of bad ones the last
LEARNED_FROM = 64  # trials, evenly, from which the model's own numbers are learned: most of a proposal's time


class CurveSampler(JointSampler):
    """Chooses all parameters of one trial."""

    def __init__(self, space: Space, *, epochs: int, seed: int, n_startup_trials: int = 10, kappa: float = 4.0) -> None:
        """Takes what the trial is chosen by.

        Args:
            space: The study's.
            epochs: Of a whole training.
            seed: Of the trial.
            n_startup_trials: So many trials must have reported before anything is learned; until then it draws.
            kappa: Standard deviations from the mean to the bound: the more, the more it looks where little is known.

        Raises:
            ValueError: A number that makes no sense.
        """
        if n_startup_trials < 1:
            raise ValueError(f"n_startup_trials must be at least 1; received {n_startup_trials}")
        if kappa < 0:
            raise ValueError(f"kappa must be at least 0; received {kappa}")
        super().__init__(space)
        self._epochs, self._chance = epochs, np.random.default_rng(seed)
        self._startup, self._kappa = n_startup_trials, kappa

    def choose(self, study: optuna.Study, trial: FrozenTrial) -> Params:
        """Returns what may turn out best; drawn evenly, as long as too little is known."""
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        others = [one for one in study.get_trials(deepcopy=False) if one.number != trial.number and one.params]
        shown = _chosen([one for one in others if _said(one) and not _bad(one)], sign)
        if len(shown) < self._startup:
            return self._draw()
        model = self._model(shown, others, sign)
        known = self._points(one.params for one in shown)
        best = np.argsort(model.predict(known)[0], kind="stable")[:BEST]
        proposals = [self._draw() for _ in range(EVERYWHERE)]
        proposals += [self._near(known[place], step) for place in best for step in STEPS for _ in range(NEAR)]
        tried = {self._space.key(one.params) for one in others}
        new = [params for params in proposals if self._space.key(params) not in tried] or proposals
        mean, deviation = model.predict(self._points(new))
        return new[int(np.argmin(mean - self._kappa * deviation))]

    def _model(self, shown: Sequence[FrozenTrial], others: Sequence[FrozenTrial], sign: float) -> CurveModel:
        """Returns what is learned from trials that have shown something, and of those that are bad or silent."""
        unordered = [one.unordered for one in self._ranges.values()]
        few = self._reports(shown[:: math.ceil(len(shown) / LEARNED_FROM)], sign)
        numbers = CurveModel(few, unordered=unordered).numbers
        reports = self._reports(shown, sign)
        bad = [one for one in others if _bad(one)][-MOST:]
        reports = self._with(reports, bad, np.full(len(bad), reports.values.max()))
        model = CurveModel(reports, unordered=unordered, numbers=numbers)
        running = [one for one in others if one.state == TrialState.RUNNING and not _bad(one)]
        silent = [one for one in running if not _said(one)][-MOST:]
        if not silent:
            return model
        believed, _ = model.predict(self._points(one.params for one in silent))
        return CurveModel(self._with(reports, silent, believed), unordered=unordered, numbers=numbers)

    def _reports(self, trials: Sequence[FrozenTrial], sign: float) -> Reports:
        """Returns the reports that the model sees of trials."""
        found = [(one, epoch, value) for one in trials for epoch, value in _looks(_said(one))]
        return Reports(
            self._points(one.params for one, _, _ in found),
            np.log(self._epochs / np.array([epoch for _, epoch, _ in found])),
            np.array([one.number for one, _, _ in found]),
            sign * np.array([value for _, _, value in found]),
        )

    def _with(self, reports: Reports, trials: Sequence[FrozenTrial], values: Array) -> Reports:
        """Returns reports, and values that trials count as having in the end."""
        if not trials:
            return reports
        return Reports(
            np.concatenate([reports.points, self._points(one.params for one in trials)]),
            np.concatenate([reports.left, np.zeros(len(trials))]),
            np.concatenate([reports.trials, [one.number for one in trials]]),
            np.concatenate([reports.values, values]),
        )

    def _points(self, configurations: Iterable[Params]) -> Array:
        """Returns a row for each configuration: its parameters between 0 and 1, NaN for what is not active."""
        ranges = self._ranges.items()
        return np.array(
            [
                [one.place(params[path]) if path in params else math.nan for path, one in ranges]
                for params in configurations
            ]
        )

    @cached_property
    def _ranges(self) -> dict[str, _Range]:
        return {path: _Range(parameter) for path, parameter in self._space.parameters.items()}

    def _draw(self) -> Params:
        """Returns parameters drawn evenly."""
        return self._params(self._chance.random(len(self._space.parameters)))

    def _near(self, point: Array, step: float) -> Params:
        """Returns parameters near a point."""
        few = np.array([one.few for one in self._ranges.values()])
        anew = np.isnan(point) | (few & (self._chance.random(len(point)) < SWITCH))
        moved = np.clip(point + step * self._chance.standard_normal(len(point)), 0.0, 1.0)
        return self._params(np.where(anew, self._chance.random(len(point)), moved))

    def _params(self, point: Array) -> Params:
        """Returns the parameters at a point, as far as they are active."""
        params: Params = {}
        for place, (path, one) in zip(point, self._ranges.items(), strict=True):
            if self._space.active(path, params):
                params[path] = one.value(float(place))
        return params


def _chosen(trials: Sequence[FrozenTrial], sign: float) -> list[FrozenTrial]:
    """Returns trials of which there are not too many: a quarter of them the best, the others evenly."""
    if len(trials) <= MOST:
        return list(trials)
    last = [sign * _said(trial)[-1][1] for trial in trials]
    places = sorted(range(len(trials)), key=last.__getitem__)[: MOST // 4]
    others = MOST - len(places)
    places += [len(trials) * number // others for number in range(others)]
    return [trials[place] for place in sorted(set(places))]


def _said(trial: FrozenTrial) -> list[tuple[int, float]]:
    """Returns a trial's reports, by epoch."""
    return [(epoch, value) for epoch, value in sorted(trial.intermediate_values.items()) if math.isfinite(value)]


def _bad(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.FAIL or not feasible(trial)


def _looks(said: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Returns the last report and those after about a half and a quarter of its epochs."""
    last = said[-1][0]
    wanted = [last // 2**halved for halved in range(LOOKS)]
    places = {sum(epoch <= most for epoch, _ in said) - 1 for most in wanted}
    return [said[place] for place in sorted(places - {-1})]


class _Range:
    """The values of a parameter as places between 0 and 1; evenly drawn places give evenly drawn values.

    Attributes:
        unordered: Whether no value is nearer to one than another is.
        few: Whether they can be counted.
    """

    def __init__(self, parameter: Parameter) -> None:
        self._parameter = parameter
        self._choices: Sequence[Scalar] = ()
        self.unordered, self.few = False, parameter.count() is not None
        if isinstance(parameter, CategoricalParameter):
            numbers = [one for one in parameter.choices if isinstance(one, int | float) and is_number(one)]
            self.unordered = len(numbers) < len(parameter.choices)
            self._choices = parameter.choices if self.unordered else sorted(numbers)
            self._low, self._high, self._log = 0.0, len(self._choices) - 1.0, False
        else:
            half = (parameter.step or 0.0) / 2  # so the values at both ends have as much room as others
            self._low, self._high, self._log = parameter.low - half, parameter.high + half, parameter.log

    def place(self, value: Scalar) -> float:
        """Returns where a value lies."""
        number = self._choices.index(value) if self._choices else float(value)  # type: ignore[arg-type]
        if self._high == self._low:
            return 0.0
        if self._log:
            return math.log(number / self._low) / math.log(self._high / self._low)
        return (number - self._low) / (self._high - self._low)

    def value(self, place: float) -> Scalar:
        """Returns what lies at a place."""
        if self._choices:
            return self._choices[min(int(place * len(self._choices)), len(self._choices) - 1)]
        if self._log:
            return self._parameter.nearest(self._low * (self._high / self._low) ** place)
        return self._parameter.nearest(self._low + place * (self._high - self._low))
