"""A study from its file to its tables: prepares folder, photos and workers, drives, and writes what is left behind."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from colorgan.config import TrainConfig, load_config
from colorgan.interruption import stopped_by_signals
from colorgan.photos import Photos
from colorgan.record import TrialRecord, write_whole
from colorgan.versions import differing, versions
from search.admission import admit, check_photos, check_question
from search.aims import Aims
from search.checkpoint_store import CheckpointStore
from search.columns import metric_columns
from search.database import open_study
from search.driver import Driver
from search.engines import Engine
from search.events import write_experiment
from search.experience import learned_once
from search.known_photos import KnownPhotos
from search.mend import mend_events, mend_records
from search.methods import make_pruner, make_sampler
from search.outage import Patience
from search.outcome_files import TableWriter
from search.owned_storage import gathered, settle
from search.ownership import owned
from search.restore import restore
from search.snapshot import Snapshot, best_record
from search.source import Plan, TrialSource
from search.space import Space
from search.stopping import Ending
from search.storage import StudyFolder
from search.study import StudyError, StudySpec, read_study
from search.table import epochs_table, trials_table
from search.view import SteadyView, View
from search.workplace import Workplace

HERE = Workplace()


@dataclass(frozen=True)
class StudyResult:
    """What a study has found so far.

    Attributes:
        spec: The study as it ran.
        folder: Its files.
        records: All that is kept of each trial.
        summary: What `summary.json` holds.
        trials: One row a trial.
        epochs: One row a trial and epoch.
        best_config: The best complete trial's configuration, its seed inside; None without one.
    """

    spec: StudySpec
    folder: Path
    records: tuple[TrialRecord, ...]
    summary: dict[str, Any]
    trials: pd.DataFrame
    epochs: pd.DataFrame
    best_config: TrainConfig | None


def run_study(
    spec: StudySpec,
    *,
    results: Path | str = "results",
    storage: str | None = None,
    view: View | None = None,
    takeover: bool = False,
    workplace: Workplace = HERE,
) -> StudyResult:
    """Runs a study to its end, or goes on with it where it was left; writes `results/<name>/`.

    Ctrl-C stops it resumably: trials that run are saved first; pressed again, it stops at once.

    Args:
        spec: From `read_study`.
        results: Folder of all studies.
        storage: Optuna storage URL; None is SQLite in the study's folder.
        view: Shows progress; None shows nothing.
        takeover: Take the study from a driver on another machine that is dead though its lock remains.
        workplace: Where its trials are trained.

    Raises:
        StudyError: The folder holds a study of the same name that asks another question, or began with other photos.
        PhotosError: The photos cannot be used.
        StudyBusyError: Another process runs the study.
        StorageError: The storage cannot be opened.
        EngineError: No worker can be started.
        StoreError: The place for checkpoints cannot be used.
    """
    folder = StudyFolder(Path(results) / spec.name)
    return run_in(folder, spec, storage=storage, view=view, takeover=takeover, workplace=workplace)


def run_in(
    folder: StudyFolder,
    spec: StudySpec,
    *,
    storage: str | None = None,
    view: View | None = None,
    plan: Plan | None = None,
    takeover: bool = False,
    workplace: Workplace = HERE,
) -> StudyResult:
    """Runs a study as `run_study` does, in a folder of any name.

    Args:
        folder: The study's files.
        spec: The study.
        storage: As in `run_study`.
        view: As in `run_study`.
        plan: All of its trials, where no sampler shall choose them.
        takeover: As in `run_study`.
        workplace: As in `run_study`.

    Raises:
        CannotRunError: As `run_study`.
        BadInputError: As `run_study`.
    """
    view = SteadyView(view or View())
    photos = admit(spec, folder, storage=storage, view=view)
    with owned(folder.lock, takeover=takeover) as before:
        check_question(spec, folder)  # again, as another driver may have begun it meanwhile
        check_photos(spec, folder, photos)
        if before is not None:
            view.say(f"an earlier driver ({before}) ended without a word; what it left goes on")
        store = workplace.store(spec.name)
        engine = workplace.engine_for(spec, folder, photos, say=view.say, store=store)
        try:
            if folder.read_summary().get("ending") != "finished":
                engine.start()  # they import their backend while the storage is opened here
            _drive(spec, folder, engine, photos, storage=storage, view=view, plan=plan, store=store)
        finally:
            with stopped_by_signals(lambda _: None):  # one more Ctrl-C would leave workers behind
                engine.close()
                view.end()
    return load_result(folder.path)


def load_result(folder: Path | str) -> StudyResult:
    """Reads what a study has left so far, running or not.

    Raises:
        StudyError: The folder holds no study.
    """
    files = StudyFolder(Path(folder))
    if not files.study.exists():
        raise StudyError(f"{folder}: no study here (no study.yaml); run it first, or name the folder of one that ran")
    spec, records = read_study(files.study), tuple(files.records())
    best = best_record(records, spec.objective.direction)
    config = load_config(files.trial(best.number).config) if best else None
    return StudyResult(
        spec, files.path, records, files.read_summary(), trials_table(records), epochs_table(records), config
    )


def load_noted(folder: Path | str) -> tuple[StudyResult, list[str]]:
    """Reads a study as `load_result` does; also returns, for people, which records are damaged instead of a warning.

    Raises:
        StudyError: The folder holds no study.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = load_result(folder)
    return result, [str(warning.message) for warning in caught]


def _drive(
    spec: StudySpec,
    folder: StudyFolder,
    engine: Engine,
    photos: Photos,
    *,
    storage: str | None,
    view: View,
    plan: Plan | None,
    store: CheckpointStore | None,
) -> None:
    space = Space(spec.space, spec.train)
    mend_records(folder, view.say)
    folder.path.mkdir(parents=True, exist_ok=True)
    sampler = make_sampler(spec, space, learned=learned_once(spec, space, folder, view.say))
    aims, patience = Aims(spec), Patience(view.say)
    study = open_study(
        folder,
        name=spec.name,
        directions=aims.directions,
        url=storage,
        sampler=sampler,
        pruner=make_pruner(spec),
        patience=patience,
    )
    if plan is None and (note := restore(study, space, folder, aims)):
        view.say(note)  # a plan is told anew, and finds its records
    KnownPhotos.of(photos).write(folder.photos)
    write_whole(folder.study, spec.to_yaml())  # not before: a study that could not begin may be mended
    mend_events(folder, space, aims, view.say)
    write_experiment(folder.tensorboard, hparams=space.hparams(), metrics=metric_columns(spec), description=spec.name)
    view.start(spec, folder.path, _describe(photos), at_most=plan is not None)
    if photos.note:
        view.say(photos.note)
    writer = TableWriter(spec, folder)

    def show(snapshot: Snapshot) -> None:
        view.show(snapshot)
        writer.write_sometimes(snapshot)
        settle(study._storage)

    source = TrialSource(spec, study, space, plan)
    driver = Driver(spec, study, engine, folder, source=source, show=show, say=view.say, store=store)

    def stop(_signal: int) -> None:
        driver.stop()
        patience.stop()

    ending: Ending | None = None
    if not source.done():
        if others := differing(folder.read_summary().get("versions", {}), versions()):
            view.say(f"it ran before with other versions ({others}): the same trial may come to other numbers now")
        engine.start()
    with stopped_by_signals(stop):
        try:
            with gathered(study):
                ending = driver.run()
        finally:
            last = driver.snapshot()
            writer.write(last, ending or "error")  # first: a view may be a caller's own, and raise again
            view.show(last)


def _describe(photos: Photos) -> str:
    counts = f"{photos.train_photos} train, {photos.valid_photos} valid, {photos.confirm_photos} confirm"
    crops = f"{len(photos.train)}, {len(photos.valid)} and {len(photos.confirm)} crops"
    skipped = f"; {len(photos.unreadable)} unreadable files skipped, named in {photos.report}"
    return f"{counts} ({crops}){skipped if photos.unreadable else ''}"
