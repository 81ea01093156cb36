"""The fields that say something of a model: predicted by it, recorded too, and none that it learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mito_predict.errors import ImageError
from napari_mito_predict.image import ImageSource, open_image
from napari_mito_predict.image.pixel_digest import pixel_digest

if TYPE_CHECKING:
    from napari_mito_predict.evaluation.case_files import CaseFiles
    from napari_mito_predict.evaluation.cases import Case
    from napari_mito_predict.models import ModelCard

OnProgress = Callable[[int, int, str], None]
_SEEN = "the model was trained on this field or chosen by it, so that it is no test."


@dataclass(frozen=True)
class ComparableFields:
    """Fields of `files` that a model can be judged on.

    Attributes
    ----------
    files : CaseFiles
        With predictions, or without: then they are made. Gets what had to be left out, with the reason.
    package : Path
        Of the model.
    card : ModelCard
        Of the model.
    on_progress : callable
        ``(done, total, name)``, for each image.
    """

    files: CaseFiles
    package: Path
    card: ModelCard
    on_progress: OnProgress

    def __iter__(self) -> Iterator[list[Case]]:
        """Give all predictions of one file with their truths, file by file."""
        cases = self._from_files() if self.files.predictions else self._predicted_now()
        for _, same in groupby(cases, lambda case: case.truth.path):
            yield list(same)

    def _from_files(self) -> Iterator[Case]:
        cases = sorted(self.files.cases(), key=lambda case: str(case.truth.path))
        for done, case in enumerate(cases):
            self.on_progress(done, len(cases), case.field)
            reason = self._why_not(case)
            if reason:
                self.files.skipped.append(f"{case.prediction_name}: {reason}")
            else:
                yield case

    def _predicted_now(self) -> Iterator[Case]:
        from napari_mito_predict.models import read_package
        from napari_mito_predict.prediction.predicted_cases import predict_cases

        model = read_package(self.package)
        paths = self.files.truths
        for done, path in enumerate(paths):

            def on_progress(tiles: int, total: int, message: str, done: int = done, name: str = path.name) -> None:
                self.on_progress(done, len(paths), name)

            self.on_progress(done, len(paths), path.name)
            if self._is_seen_file(path):
                self.files.skipped.append(f"{path}: {_SEEN}")
                continue
            yield from predict_cases(replace(self.files, truth=path), [model], on_progress)

    def _why_not(self, case: Case) -> str:
        """Why a prediction on disk says nothing of this model; empty where it does."""
        record = case.record
        if not record.model.weights_sha256:
            return "no record beside it says which model predicted it. Predict it again."
        if record.model.weights_sha256 != self.card.weights.sha256:
            return f"predicted by {record.model.name}, which is not the model that is judged (other weights)."
        if record.parameters.smooth_time > 1:
            return f"smoothed over {record.parameters.smooth_time} time points. Predict it without."
        if self._is_seen(case.truth) or (case.light is not None and self._is_seen(case.light)):
            return _SEEN
        return ""

    def _is_seen_file(self, path: Path) -> bool:
        try:
            return self._is_seen(open_image(path, scene=self.files.scene))
        except ImageError:  # said when it is to be predicted
            return False

    def _is_seen(self, image: ImageSource) -> bool:
        """Whether the model learned from a channel of this image, or was chosen by it; by its pixels."""
        seen = self.card.training.fields_seen
        if not seen:
            return False
        whole = image.whole
        return any(pixel_digest(whole.read(0, channel.index)) in seen for channel in whole.channels)
