"""A study for KerasTuner's own tuners: its space as `HyperParameters`, its trials as a `HyperModel`.

    hypermodel = StudyHyperModel(read_study("studies/quickstart.yaml"))
    tuner = keras_tuner.Hyperband(hypermodel, objective=hypermodel.objective, max_epochs=8, directory="results/tuner")
    tuner.search()

What is trained is a trial, by the same code as in a study's worker: the same numbers for the same configuration and
seed, and networks that stay built from one trial to the next. KerasTuner samples, stops and keeps; the study's own
`objective`, `search` and folder are not used, but for the objective's metric, direction and smoothing; nor are further
objectives and constraints, which KerasTuner does not know.

Importing this room imports Keras and TensorFlow, as a worker does, so nothing else in `search` may import it.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from keras_tuner.errors import FailedTrialError, FatalRuntimeError, FatalValueError

from colorgan.config import ConfigError, TrainConfig
from colorgan.disk import copy_whole
from colorgan.epoch import EpochResult
from search.hyperparameters import declare, to_params
from search.messages import EpochDone, Job, TrialEnded, TrialStarted
from search.space import Space
from search.study import StudySpec
from search.trial import TrialRunner

OBJECTIVE = "objective"  # its name in an epoch's metrics
CHECKPOINT = "checkpoint.npz"  # in the trial's folder of the tuner's project


class StudyHyperModel(keras_tuner.HyperModel):  # type: ignore[misc]
    """Builds and trains the trials of a study for a tuner of KerasTuner.

    All trials have the same seed, so that a configuration is always the same numbers; `executions_per_trial` would only
    repeat them. The tuner's `search` takes no data: the photos are the study's.
    """

    def __init__(self, study: StudySpec, *, seed: int | None = None) -> None:
        """Reads nothing and builds nothing yet.

        Args:
            study: A checked study.
            seed: Of each trial; the study's `train.seed` unless given.
        """
        super().__init__(name=study.name)
        self._study, self._space = study, Space(study.space, study.train)
        self._seed = study.train.seed if seed is None else seed
        self._runner = TrialRunner()

    @property
    def objective(self) -> keras_tuner.Objective:
        """The study's objective, smoothed as the study says; a tuner takes a trial's best epoch, a study its last."""
        return keras_tuner.Objective(OBJECTIVE, self._study.objective.direction[:3])

    def config(self, hp: keras_tuner.HyperParameters) -> TrainConfig:
        """Returns the configuration that hyperparameters mean, as `python -m colorgan train` takes it.

        Raises:
            ConfigError: It refuses the values together.
        """
        return self._space.to_config(to_params(self._space, hp.values), seed=self._seed)

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Registers the whole space at once; a tuner calls it first."""
        declare(self._space, hp)

    def build(self, hp: keras_tuner.HyperParameters) -> TrialModel:
        """Returns an untrained trial of these hyperparameters, in a moment: networks are built where they train.

        Raises:
            FailedTrialError: The configuration refuses the values together, so the trial fails and the search goes on.
        """
        if not set(self._space.parameters) <= {parameter.name for parameter in hp.space}:
            declare(self._space, hp)
        try:
            return TrialModel(self.config(hp))
        except ConfigError as error:
            raise FailedTrialError(f"the configuration is refused: {error}") from None

    def fit(
        self,
        hp: keras_tuner.HyperParameters,  # noqa: ARG002 - KerasTuner's signature; the model has its configuration
        model: TrialModel,
        *data: object,
        epochs: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **_: object,
    ) -> keras.callbacks.History:
        """Trains the trial, from where what it has loaded ends, and returns the metrics of each validated epoch.

        Args:
            hp: The trial's hyperparameters.
            model: As `build` returned it.
            data: Nothing.
            epochs: Trains until so many are done, those before what it has loaded included; by default, and at most,
                `train.schedule.epochs`, for which a decay of the learning rate is made.
            callbacks: Called at the end of each epoch with its metrics; they may set `model.stop_training`.
            _: What else a tuner hands on, such as Hyperband's first epoch, which the loaded checkpoint knows itself.

        Raises:
            FailedTrialError: The trial failed by itself, as by a loss that is not finite, or for memory.
            FatalValueError: More epochs than the study's, data, or no validation in these epochs.
            FatalRuntimeError: This machine cannot write.
        """
        whole = model.train_config.schedule.epochs
        wanted = whole if epochs is None else epochs
        if data or not 1 <= wanted <= whole:
            raise FatalValueError(
                f"received {wanted} epochs and {len(data)} arrays of data: give search() no data (the photos are the "
                f"study's), and 1 to {whole} epochs, Hyperband as max_epochs (train.schedule.epochs of {self.name})"
            )
        history = keras.callbacks.History()
        calls = keras.callbacks.CallbackList([*callbacks, history], model=model)
        model.stop_training = False
        calls.on_train_begin()
        for epoch, logs in self._epochs(model, wanted):
            calls.on_epoch_begin(epoch - 1)
            calls.on_epoch_end(epoch - 1, logs)
        calls.on_train_end()
        if not history.epoch and wanted >= model.train_config.validation.epochs:
            raise FailedTrialError(f"{self._study.objective.metric} was never finite")
        if not history.epoch:
            raise FatalValueError(f"{wanted} epochs end before the first validation: lower validation.epochs")
        return history

    def _epochs(self, model: TrialModel, wanted: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Trains; yields number and metrics of each epoch with a finite objective, those of what it loaded first."""
        objective, values = self._study.objective, list[float]()
        with tempfile.TemporaryDirectory() as folder:
            model.current = Path(folder) / CHECKPOINT
            if model.loaded is not None:
                copy_whole(model.loaded, model.current)
            for result in self._results(model, model.current):
                if math.isfinite(result.metrics.get(objective.metric, math.nan)):
                    values.append(result.metrics[objective.metric])
                    smoothed = statistics.fmean(values[-objective.smooth_epochs :])
                    yield result.epoch, {**result.metrics, OBJECTIVE: smoothed}
                if result.epoch >= wanted or model.stop_training:
                    break
            model.current = None

    def _results(self, model: TrialModel, checkpoint: Path) -> Iterator[EpochResult]:
        config = model.train_config.with_values({"schedule.checkpoint_epochs": 1})
        for event in self._runner.run(Job(0, config, checkpoint), lambda: None):
            match event:
                case TrialStarted():
                    yield from event.history
                case EpochDone():
                    yield event.result
                case TrialEnded(how="failed" | "out of memory"):
                    raise FailedTrialError(f"{event.reason}\n{event.traceback}".rstrip())
                case TrialEnded(how="blocked"):
                    raise FatalRuntimeError(event.reason)


class TrialModel(keras.Model):  # type: ignore[misc]
    """A trial as a tuner handles it; it is trained by `StudyHyperModel.fit` alone.

    What a tuner takes for weights is the whole state of the run, beside where it wants them: `colorgan` takes the
    trial's folder of the tuner's project as a model.

    Attributes:
        train_config: What it trains, its seed inside.
        loaded: The checkpoint from which it goes on.
        current: While it trains, its checkpoint.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__(name="trial")
        self.train_config = config
        self.loaded: Path | None = None
        self.current: Path | None = None

    def save_weights(self, filepath: str | Path, *_: object, **__: object) -> None:
        """Keeps the state after the last epoch."""
        source = self.current or self.loaded
        if source is None:
            raise FatalValueError("this trial has not been trained, so there is nothing to save")
        copy_whole(source, Path(filepath).with_name(CHECKPOINT))

    def load_weights(self, filepath: str | Path, *_: object, **__: object) -> None:
        """Lets training go on from a state that `save_weights` kept."""
        self.loaded = Path(filepath).with_name(CHECKPOINT)

    def get_build_config(self) -> dict[str, Any]:
        """Returns nothing: the configuration says all."""
        return {}

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Does nothing."""
