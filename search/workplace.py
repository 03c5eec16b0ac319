"""Where a study's trials are trained: by which engine, on which cluster, and where checkpoints lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from colorgan.errors import BadInputError
from colorgan.photos import Photos
from colorgan.versions import versions
from search.checkpoint_store import CheckpointStore
from search.engines import Engine, EngineError
from search.engines.local import LocalEngine
from search.known_photos import KnownPhotos, StudyPhotos
from search.storage import StudyFolder
from search.study import StudySpec


@dataclass(frozen=True)
class Workplace:
    """What the command line says of it.

    Attributes:
        engine: Worker processes of this machine, or Ray's.
        address: Of a Ray cluster: `auto`, HOST:PORT or ray://HOST:PORT; None starts a Ray on this machine.
        checkpoints: A folder or URL for the checkpoints of unfinished trials; None keeps them in the trials' folders.
    """

    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        """Refuses an address that nobody would go to, and a place for checkpoints that ends with its process.

        Raises:
            BadInputError: An address is given for the local engine, or the place is a process' memory.
        """
        if self.address is not None and self.engine != "ray":
            raise BadInputError(f"--address {self.address}: only --engine ray joins a cluster; give both, or neither")
        if self.checkpoints is not None and "memory://" in self.checkpoints:
            why = "each process has a memory of its own, and a lost worker's checkpoints would be lost with it"
            raise BadInputError(f"--checkpoints {self.checkpoints}: {why}; give a folder, or a bucket (s3://...)")

    def store(self, study: str) -> CheckpointStore | None:
        """Returns where a study's checkpoints are kept, after a look at whether that can be written.

        Raises:
            StoreError: It cannot.
        """
        if self.checkpoints is None:
            return None
        store = CheckpointStore(self.checkpoints, study)
        store.check()
        return store

    def engine_for(
        self,
        spec: StudySpec,
        folder: StudyFolder,
        photos: Photos,
        *,
        say: Callable[[str], None],
        store: CheckpointStore | None = None,
    ) -> Engine:
        """Returns the engine of a study that this process owns.

        Args:
            spec: The study.
            folder: Its files.
            photos: Its photos on this machine.
            say: Called with a line for people.
            store: Where its checkpoints are kept; None: in its folder.

        Raises:
            EngineError: There is no Ray.
            StoreError: The place for checkpoints does not answer.
        """
        known = StudyPhotos(spec.train.data, KnownPhotos.of(photos))
        if self.engine == "ray":
            return _ray_engine(spec, folder, known, address=self.address, say=say, store=store)
        settings = spec.search
        return LocalEngine(
            workers=None if settings.workers == "auto" else settings.workers,
            logs=folder.workers,
            most=settings.most_trials,
            trials_per_worker=settings.trials_per_worker,
            worker_memory_bytes=settings.worker_memory_bytes,
            stuck_seconds=settings.stuck_seconds,
            backend=spec.train.backend,
            workers_per_gpu=settings.workers_per_gpu,
            places=settings.places,
            photos=known,
        )


def _ray_engine(
    spec: StudySpec,
    folder: StudyFolder,
    photos: StudyPhotos,
    *,
    address: str | None,
    say: Callable[[str], None],
    store: CheckpointStore | None,
) -> Engine:
    try:
        from search.engines.ray_actor import Home  # Ray takes a second to import
        from search.engines.ray_engine import RayEngine
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise EngineError("--engine ray needs the package ray: make setup EXTRAS=ray") from None
    if store is not None:
        store.sign()
    home = Home(
        folder=Path.cwd(),
        photos=photos,
        versions={name: one for name, one in versions().items() if name != "colorgan"},  # its code goes there
        witness=folder.lock.absolute() if store is None else None,
        word=folder.lock.read_text(encoding="utf-8") if store is None else "",
        store=store.key if store is not None else None,
    )
    return RayEngine(
        spec.search,
        study=spec.name,
        home=home,
        address=address,
        say=say,
        backend=spec.train.backend,
        places=spec.search.places,
    )
