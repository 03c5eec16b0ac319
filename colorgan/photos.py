"""Photos for training: a folder -> split -> packed crops on disk, opened as memory maps that all workers share.

`open_photos` is all that others need. A pack is found again by a quick key: the settings that shape it and name, size
and modification time of every file, so that opening one reads no photo. What it holds is named by its fingerprint,
which comes from the photos' contents and the settings: equal fingerprints are equal crops in equal order, wherever the
folder lies and whenever it was copied.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import PIL

from colorgan.crop_file import DamagedError
from colorgan.disk import cannot_write
from colorgan.errors import CannotRunError
from colorgan.folder import Listing, PhotosError, list_photos, printable
from colorgan.packing import FORMAT, RENEWED, Packed, Progress, pack_photos
from colorgan.packs import Manifest, OpenPack, Pack, cache_folder, write_manifest
from colorgan.renewal import Pool
from colorgan.split import NEEDED, PARTS, find_split_file, read_split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from colorgan.config import DataConfig, TrainConfig

__all__ = ["Photos", "PhotosError", "measured_crops", "open_photos"]

MAX_NAMED = 3  # skipped files that an error names; the report has all
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})  # to this user; nothing is wrong with the machine


@dataclass(frozen=True, eq=False)
class Photos:
    """Crops of all parts, 8-bit sRGB, (count, size, size, 3), read-only memory maps.

    The crops of one photo lie side by side, so crops that shall show different photos must be taken far apart. To
    hand photos to another process, let it call `open_photos`: pickling would copy them.

    Attributes:
        train: Crops to train on.
        valid: Crops that the objective is measured on.
        confirm: Crops that no trial sees; may be empty.
        train_photos: Number of photos that `train` was cut from.
        valid_photos: The same of `valid`.
        confirm_photos: The same of `confirm`.
        duplicates: Number of files left out because their contents equal another file's.
        fingerprint: 16 hexadecimal digits of a SHA-256 over the photos' contents, their order and the settings.
        unreadable: `name: reason` of each file that was skipped.
        report: The same as a CSV file in the cache folder.
        note: What was wrong with an earlier pack of these photos; empty where nothing was.
        pools: Of the parts that are renewed during a run, what the other photos are taken from.
    """

    train: NDArray[np.uint8]
    valid: NDArray[np.uint8]
    confirm: NDArray[np.uint8]
    train_photos: int
    valid_photos: int
    confirm_photos: int
    duplicates: int
    fingerprint: str
    unreadable: tuple[str, ...]
    report: Path
    note: str = ""
    pools: Mapping[str, Pool] = field(default_factory=dict)

    def renewed(self, times: int) -> Photos:
        """Returns the photos after so many renewals, counted from those of `open_photos`; the maps stay the same."""
        windows = {part: pool.window(times) for part, pool in self.pools.items()}
        return replace(self, **windows)  # type: ignore[arg-type]


def open_photos(
    config: DataConfig, *, cache: Path | None = None, progress: Progress | None = None, whole: bool = False
) -> Photos:
    """Opens the crops that a configuration asks for, packing them first where no process has done so before.

    A pack that is found damaged is packed anew, and the note says so.

    Args:
        config: Folder, crops, split and limits; `flip` and `color_space` play no part.
        cache: Where packs are kept; see `packs.cache_folder` for the default.
        progress: While packing, called with the work done and all work, both in files; the total shrinks where
            limits spare some.
        whole: Compare the checksums of all crops, which reads them once; without it lengths and headers alone.

    Raises:
        PhotosError: No such folder, a malformed split file, or too few readable photos; or the cache may not be there.
        CacheError: No folder is named for the cache.
        CannotRunError: The cache cannot be written: the disk is full, read-only or failing.
    """
    listing = list_photos(config.photos)
    split_file = find_split_file(listing.folder)
    root = cache_folder(cache)
    pack = Pack(root, _quick_key(listing, split_file, config))
    try:
        opened, note = _open(pack, whole=whole)
        if opened is None:
            with pack.locked():
                opened, note = _open(pack, whole=whole)  # another process may have packed them meanwhile
                opened = opened or _build(pack, listing, split_file, config, progress)
    except OSError as error:
        kind = CannotRunError if cannot_write(error) and error.errno not in _FORBIDDEN else PhotosError
        raise kind(
            f"{root}: the cache of packed photos cannot be written: {error.strerror or error}. Make room or give "
            "another folder in the environment variable COLORGAN_CACHE"
        ) from error
    return replace(_describe(opened, config), note=note)


def measured_crops(photos: Photos, config: TrainConfig) -> NDArray[np.uint8]:
    """Returns the crops that a run is measured on.

    Raises:
        PhotosError: The photos have no such part.
    """
    part = config.validation.part
    crops: NDArray[np.uint8] = getattr(photos, part)
    if not len(crops):
        raise PhotosError(
            f"data.photos: {config.data.photos}: no photos to {part}, on which validation.part {part} measures; raise "
            f"data.{part}_fraction, or name some in the folder's own split if it has one"
        )
    return crops


def _open(pack: Pack, *, whole: bool) -> tuple[OpenPack | None, str]:
    """Returns the pack if it is there and not damaged, and what is to be said."""
    try:
        return pack.open(whole=whole), ""
    except DamagedError as error:
        return None, f"{pack.folder}: the packed photos were damaged ({error}); packed anew"


def _describe(opened: OpenPack, config: DataConfig) -> Photos:
    parts, manifest = opened.manifest.parts, opened.manifest
    photos = Photos(
        train=opened.arrays["train"],
        valid=opened.arrays["valid"],
        confirm=opened.arrays["confirm"],
        train_photos=parts["train"].photos,
        valid_photos=parts["valid"].photos,
        confirm_photos=parts["confirm"].photos,
        duplicates=manifest.duplicates,
        fingerprint=manifest.fingerprint,
        unreadable=tuple(manifest.skipped),
        report=opened.report,
    )
    return photos if config.renew_epochs is None else _renewing(photos, opened, config)


def _renewing(photos: Photos, opened: OpenPack, config: DataConfig) -> Photos:
    """Returns the first photos of a pack that holds those of all renewals."""
    limits = {"train": config.train_limit, "valid": config.valid_limit}
    pools = {
        part: Pool(opened.arrays[part], opened.manifest.parts[part].crops_per_photo, limit)
        for part, limit in limits.items()
        if limit is not None
    }
    counts = {f"{part}_photos": pool.photos for part, pool in pools.items()}
    settings = json.dumps([photos.fingerprint, limits, config.renew_epochs], sort_keys=True)
    fingerprint = hashlib.sha256(settings.encode()).hexdigest()[:16]
    return replace(photos, pools=pools, fingerprint=fingerprint, **counts).renewed(0)  # type: ignore[arg-type]


def _quick_key(listing: Listing, split_file: Path | None, config: DataConfig) -> str:
    settings = config.model_dump(mode="json", exclude={"photos", "flip", "color_space", "renew_epochs"})
    if config.renew_epochs is not None:  # all photos are packed, whatever the limits
        settings |= {**dict.fromkeys(f"{part}_limit" for part in RENEWED), "renewed": True}
    digest = hashlib.sha256(json.dumps([FORMAT, PIL.__version__, settings], sort_keys=True).encode())
    if split_file is not None:
        digest.update(split_file.read_bytes())
    for file in listing.files:
        digest.update(b"\0".join((b"", os.fsencode(file.name), b"%d %d" % (file.size_bytes, file.mtime_ns))))
    for skipped in listing.skipped:
        digest.update(b"\0\0" + os.fsencode(skipped.name))
    return digest.hexdigest()[:32]


def _build(
    pack: Pack, listing: Listing, split_file: Path | None, config: DataConfig, progress: Progress | None
) -> OpenPack:
    listed = read_split(split_file) if split_file is not None else None
    with pack.building() as folder:
        packed = pack_photos(listing, listed, config, folder, progress)
        skipped = [(printable(item.name), item.reason) for item in packed.skipped]
        pack.write_report(skipped)
        _check_enough(packed, listing, skipped, pack.report)
        manifest = Manifest(
            source=printable(str(listing.folder.resolve())),
            fingerprint=packed.fingerprint,
            parts={part: packed.parts[part] for part in PARTS},
            duplicates=packed.duplicates,
            skipped=[f"{name}: {reason}" for name, reason in skipped],
        )
        write_manifest(folder, manifest)
    opened, note = _open(pack, whole=False)
    if opened is None:
        raise CannotRunError(f"{pack.folder}: {note or 'the pack was removed'} while it was written; run again")
    return opened


def _check_enough(packed: Packed, listing: Listing, skipped: list[tuple[str, str]], report: Path) -> None:
    counts = {part: packed.parts[part].photos for part in PARTS}
    if all(counts[part] for part in NEEDED):
        return
    named = "".join(f"\n  {name}: {reason}" for name, reason in skipped[:MAX_NAMED])
    rest = f"\n  and {len(skipped) - MAX_NAMED} more" if len(skipped) > MAX_NAMED else ""
    raise PhotosError(
        f"data.photos: {listing.folder}: too few photos: {len(listing.files)} files, {len(skipped)} skipped, "
        f"{packed.duplicates} duplicates leave {counts['train']} for training, {counts['valid']} for validation and "
        f"{counts['confirm']} for confirmation; one for training and one for validation are the least. Add JPEG, PNG "
        "or WebP files, raise data.valid_fraction if it is 0, or mend the folder's own split if it has one"
        + (f"\nSkipped, all named in {report}:{named}{rest}" if skipped else "")
    )
