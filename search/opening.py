"""An Optuna trial made ready for a worker: its parameters, configuration, record, files and session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import optuna

from colorgan.config import ConfigError, TrainConfig
from colorgan.record import RecordError, TrialRecord, read_record
from search.aims import Aims
from search.live_trial import LiveTrial
from search.owned_storage import settle
from search.source import TrialSource
from search.space import Space
from search.storage import StudyFolder
from search.study import StudySpec


class Opener:
    """Makes trials of one study ready."""

    def __init__(
        self, spec: StudySpec, folder: StudyFolder, *, source: TrialSource, clock: Callable[[], float]
    ) -> None:
        """Takes what the trials share.

        Args:
            spec: The study.
            folder: Its files.
            source: Where the trials come from.
            clock: The driver's.
        """
        self._spec, self._folder, self._source, self._clock = spec, folder, source, clock
        self._aims = Aims(spec)
        self._space = Space(spec.space, spec.train)

    def open(self, trial: optuna.Trial) -> tuple[LiveTrial, str]:
        """Returns a trial that is ready to be dispatched, or to be ended if its record says how; and why it cannot run.

        Args:
            trial: New, or left RUNNING by an earlier driver. What that has recorded of the same parameters and seed
                goes on.
        """
        params, seed, group = self._space.suggest(trial), self._source.seed(trial), self._source.group(trial)
        settle(trial.storage)  # before a session shows its parameters for ever
        configure: Callable[[], TrainConfig] = partial(self._space.to_config, params, seed=seed)
        refused = ""
        try:
            configure()
        except ConfigError as error:
            configure, refused = self._base, f"the configuration is refused: {error}"
        files = self._folder.trial(trial.number)
        files.prepare(configure())  # before a session makes folders of its own
        record = TrialRecord(number=trial.number, state="waiting", params=params, seed=seed, group=group)
        with suppress(RecordError):
            left = read_record(files.record)
            record = left if (left.params, left.seed) == (record.params, record.seed) else record
        session = self._folder.open_session(record, self._space.shown(params))
        live = LiveTrial(trial, configure, record, files, session, self._aims, self._clock)
        live.prepare()
        return live, refused

    def _base(self) -> TrainConfig:
        return self._spec.train
