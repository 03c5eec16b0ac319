"""What is checked before a study begins, so that one that cannot begin leaves nothing in the results folder."""

from __future__ import annotations

from colorgan.backend_choice import check_installed
from colorgan.links import refuse_links_out
from colorgan.packing import Progress
from colorgan.photos import Photos, measured_crops, open_photos
from colorgan.place import check_place
from colorgan.run_folder import RECORD
from search.address import SQLITE_PATH_BYTES, url_address
from search.experience import check_sources
from search.known_photos import KnownPhotos
from search.space import Space
from search.storage import StudyFolder
from search.study import StudyError, StudySpec, read_study
from search.view import View


def admit(spec: StudySpec, folder: StudyFolder, *, storage: str | None, view: View) -> Photos:
    """Checks all that a study needs, and returns its photos; writes to their cache alone.

    Args:
        spec: The study.
        folder: Where its files shall lie.
        storage: Its storage URL; None is SQLite in the folder.
        view: Shows how packing the photos goes on.

    Raises:
        BadInputError: The URL, the folder, what is in it, or the photos cannot be used.
        CannotRunError: The photos cannot be packed here, or the backend or the database's package is missing.
    """
    if storage is not None:
        url_address(storage)
    check_installed(spec.train.backend)
    check_place(folder.path, "--results", path_bytes=SQLITE_PATH_BYTES - len(f"/{folder.database.name}"))
    refuse_links_out(folder.path)
    check_sense(spec, folder)
    try:
        photos = usable_photos(spec, progress=view.packing, whole=True)
    finally:
        view.end()
    check_photos(spec, folder, photos)
    return photos


def check_sense(spec: StudySpec, folder: StudyFolder) -> None:
    """Checks that a study can begin, or go on, with what it names and with what is there of it; reads no photo.

    Raises:
        StudyError: A study or a configuration that it begins with cannot be used; or as `check_question`.
    """
    check_question(spec, folder)
    if not folder.study.exists():
        check_sources(spec, Space(spec.space, spec.train))


def check_question(spec: StudySpec, folder: StudyFolder) -> None:
    """Checks that a study that is there asks the same question, and that a new one's folder is no run's by hand.

    Raises:
        StudyError: It asks another, or the folder is such a one.
    """
    if not folder.study.exists() and (folder.path / RECORD).exists():
        raise StudyError(
            f"{folder.path}: holds a training run ({RECORD}), not a study; give the study another name, or choose "
            "other results"
        )
    if folder.study.exists():
        changed = read_study(folder.study).same_question(spec)
        if changed:
            raise StudyError(
                f"{folder.path}: this study ran with another {', '.join(changed)}, so its trials do not compare. Give "
                "the changed study a new name (with `learn_from` it takes from this one what does compare), choose "
                "other results, or remove the folder"
            )


def check_photos(spec: StudySpec, folder: StudyFolder, photos: Photos) -> None:
    """Checks that the photos are those that a study that is there began with, where that was kept.

    Args:
        spec: The study, or one that confirms it.
        folder: The study's files.
        photos: Those that it would go on with.

    Raises:
        StudyError: They are others.
        KnownPhotosError: What was kept is damaged.
    """
    known = KnownPhotos.read(folder.photos) if folder.study.exists() else None
    if known is not None and (changed := known.difference(photos)):
        raise StudyError(
            f"{folder.path}: data.photos: {spec.train.data.photos}: {changed}. Trials on them would not compare: put "
            "the photos back, or run them as a study of a new name"
        )


def usable_photos(spec: StudySpec, *, progress: Progress | None = None, whole: bool = False) -> Photos:
    """Opens the photos of a study, all that its trials are measured on among them.

    Args:
        spec: The study.
        progress: As in `open_photos`.
        whole: As in `open_photos`.

    Raises:
        PhotosError: They cannot be used.
        CannotRunError: They cannot be packed here.
    """
    photos = open_photos(spec.train.data, progress=progress, whole=whole)
    measured_crops(photos, spec.train)
    return photos
