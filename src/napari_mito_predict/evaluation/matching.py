"""Which truth belongs to which prediction, by the record beside it or by name."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import EvaluationError, UnreadableImageError
from napari_mito_predict.image import is_predicted_file, is_zarr, list_images
from napari_mito_predict.image.names import as_text, image_stem
from napari_mito_predict.image.zarr_plates import scene_signature
from napari_mito_predict.models.record import read_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_mito_predict.models.record import InputRecord


def match(predictions: Path, truths: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Find the truth of each prediction in a folder.

    The record beside a prediction names the file it was made from; a truth of that name is taken, whatever its suffix.
    A file of one channel holds the input alone; its truth is the file that differs in the last word of its name only:
    ``cells_nuclei.tif`` for ``cells_phase.tif``. Without a record, the name of the prediction has to begin with the
    name of the truth: ``cells_mitochondria.ome.tif``
    belongs to ``cells.czi``. Predictions and truths may lie in one folder. What is a prediction itself is a truth only
    where nothing else fits, and then `open_case` says so.

    Parameters
    ----------
    predictions : Path
        A prediction, or a folder of them.
    truths : Path
        An image, or a folder of them.

    Returns
    -------
    pairs : list of (Path, Path)
        Prediction and truth.
    skipped : list of str
        One sentence for each prediction without a truth.

    Raises
    ------
    EvaluationError
        Not one prediction has a truth.
    """
    if is_image(predictions) and is_image(truths):
        return [(predictions, truths)], []
    candidates = [truths] if is_image(truths) else images_in(truths)
    predicted = {path for path in candidates if is_predicted_file(path)}
    files = [predictions] if is_image(predictions) else predictions_in(predictions)
    pairs = []
    skipped = []
    for prediction in files:
        try:
            others = [path for path in candidates if path != prediction]
            fitting = _truths_of(prediction, [path for path in others if path not in predicted])
            fitting = fitting or _predicted_truths_of(prediction, [path for path in others if path in predicted])
        except EvaluationError as error:
            skipped.append(f"{prediction}: {error}")
            continue
        if len(fitting) == 1:
            pairs.append((prediction, fitting[0]))
        else:
            reason = f"no truth of its name in {truths}"
            if fitting:
                reason = f"could belong to {' and '.join(path.name for path in fitting)}"
            skipped.append(f"{prediction}: {reason}.")
    if not pairs:
        raise EvaluationError(
            f"{predictions}: none of its predictions has a truth in {truths}. {' '.join(skipped[:3])} A prediction "
            "named cells_mitochondria.ome.tif belongs to a truth named cells.czi, cells.ome.tif or cells.tif."
        )
    return pairs, skipped


def images_in(folder: Path) -> list[Path]:
    """What looks like an image in `folder`, by name.

    Raises
    ------
    UnreadableImageError
        There is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise UnreadableImageError("no such file or folder.", file=folder)
    found = list_images(folder)
    if not found:
        raise UnreadableImageError("no CZI, TIFF, OME-Zarr or PNG image in this folder.", file=folder)
    return found


def predictions_in(folder: Path) -> list[Path]:
    """The images in `folder` that are predictions of ours; all of them where none is."""
    found = images_in(folder)
    return [path for path in found if is_predicted_file(path)] or found


def truths_in(folder: Path) -> list[Path]:
    """The images in `folder` that are not predictions of ours; all of them, to be refused by name, where each is."""
    found = images_in(folder)
    return [path for path in found if not is_predicted_file(path)] or found


def is_image(path: Path) -> bool:
    """A file or an OME-Zarr, not a folder of images."""
    return not path.is_dir() or is_zarr(path)


def match_repeats(repeats: Sequence[Path], truths: Path) -> tuple[dict[Path, list[Path]], list[str]]:
    """Find which truth each repeat is another recording of.

    To one truth belong all repeats, whatever their names. In a folder of truths a repeat is named like its truth, or
    begins with that name: ``cells.czi`` in another folder, ``cells_2.czi`` or ``cells repeat.czi`` belong to
    ``cells.czi``; the longest name counts.

    Parameters
    ----------
    repeats : sequence of Path
        Images, or folders of them.
    truths : Path
        An image, or a folder of them.

    Returns
    -------
    found : dict of Path to list of Path
        Truth -> its repeats.
    skipped : list of str
        One sentence for each repeat without a truth.
    """
    files = list(chain.from_iterable([given] if is_image(given) else images_in(given) for given in repeats))
    if is_image(truths):
        return {truths: [file for file in files if file != truths] or files}, []
    candidates = truths_in(truths)
    found: dict[Path, list[Path]] = {}
    skipped = []
    for file in files:
        fitting = [path for path in candidates if _named_after(image_stem(file), image_stem(path))]
        longest = max((len(image_stem(path)) for path in fitting), default=0)
        for path in fitting:
            if len(image_stem(path)) == longest and file != path:
                found.setdefault(path, []).append(file)
        if not fitting:
            skipped.append(f"{file}: a repeat, but no truth of its name in {truths}.")
    return found, skipped


def _truths_of(prediction: Path, candidates: Sequence[Path]) -> list[Path]:
    record = read_record(prediction)
    if record is not None and record.input.path:
        source = record.input
        name = record.input.path.replace("\\", "/").rsplit("/", 1)[-1]
        # With one channel that file holds what was predicted from alone: its truth is another one.
        others = [path for path in candidates if as_text(path.name) != name or not _is_lone_input(path, source)]
        exact = [path for path in others if as_text(path.name) == name]
        stem = image_stem(name)
        same = [path for path in others if image_stem(as_text(path.name)) == stem]
        return exact or same or [path for path in others if _kin(image_stem(as_text(path.name)), stem)]
    stem = image_stem(prediction)
    fitting = [path for path in candidates if stem == image_stem(path) or stem.startswith(f"{image_stem(path)}_")]
    longest = max((len(image_stem(path)) for path in fitting), default=0)
    return [path for path in fitting if len(image_stem(path)) == longest]


def _predicted_truths_of(prediction: Path, candidates: Sequence[Path]) -> list[Path]:
    """The prediction of the same name, by another model; else what would be the truth if it were a recording."""
    same = [path for path in candidates if image_stem(path) == image_stem(prediction)]
    return same or _truths_of(prediction, candidates)


def _is_lone_input(path: Path, source: InputRecord) -> bool:
    """Whether this is the very file predicted from, and nothing else is in it."""
    if source.sizes.get("C") != 1 or not path.exists():
        return False
    return bool(scene_signature(path, source.scene or "")["sha256_ends"] == source.sha256_ends)


def _kin(name: str, other: str) -> bool:
    """Two files of one field that differ in their last word only: ``cells_phase`` and ``cells_nuclei``."""
    words = [re.split(r"[_\-. ]+", text.lower()) for text in (name, other)]
    return len(words[0]) == len(words[1]) > 1 and words[0][:-1] == words[1][:-1] and not words[0][-1].isdigit()


def _named_after(name: str, truth: str) -> bool:
    return name == truth or (name.startswith(truth) and name[len(truth)] in "_-. ")
