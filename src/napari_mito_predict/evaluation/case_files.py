"""From files and folders to cases: each prediction on disk with its truth, and what had to be left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from napari_mito_predict.errors import MitoPredictError
from napari_mito_predict.evaluation.cases import Case, open_case
from napari_mito_predict.evaluation.matching import is_image, match, match_repeats, truths_in


@dataclass
class CaseFiles:
    """Files to be compared.

    Attributes
    ----------
    predictions : sequence of Path
        Predictions, or folders of them; may be empty where predictions are made on the spot.
    truth : Path
        The image with the fluorescence, or a folder of such images.
    truth_channel : int, str or ChannelRole, optional
        Which channel of the truth; see `open_case`.
    scene : int or str, optional
        Of the truth.
    allow_prediction_as_truth : bool
        Whether a truth may be a prediction itself; see `open_case`.
    strict : bool
        A file that cannot be compared is an error; else it is left out and the reason kept.
    skipped : list of str
        One sentence for each file left out. Complete only when all cases have been taken.
    """

    predictions: Sequence[Path]
    truth: Path
    truth_channel: int | str | None = None
    scene: int | str | None = None
    allow_prediction_as_truth: bool = False
    strict: bool = False
    skipped: list[str] = field(default_factory=list)

    @property
    def truths(self) -> list[Path]:
        """The images with the fluorescence, see `truths_in`.

        Raises
        ------
        UnreadableImageError
            There is no such folder, or no image in it.
        """
        if is_image(self.truth):
            return [self.truth]
        return truths_in(self.truth)

    def cases(self) -> Iterator[Case]:
        """Open the predictions with their truths, ordered by field, so that each truth is read once.

        Raises
        ------
        EvaluationError
            Not one prediction of a folder has a truth; or, where `strict`, two files cannot be compared.
        ImageError
            Where `strict`, a file cannot be read.
        """
        opened = chain.from_iterable(self._open_all(prediction) for prediction in self.predictions)
        yield from sorted(opened, key=lambda case: (case.field, case.target != "mitochondria", case.target))

    def repeats_by_truth(self, repeats: Sequence[Path]) -> dict[Path, list[Path]]:
        """Truth -> further recordings of it; see `match_repeats`. Those that fit no truth are left out."""
        if not repeats:
            return {}
        found, unmatched = match_repeats(repeats, self.truth)
        self.skipped += unmatched
        return found

    def skip(self, path: Path, error: MitoPredictError) -> None:
        """Leave a file out, with the reason; raises the error where `strict`."""
        if self.strict:
            raise error
        self.skipped.append(f"{path}: {error.reason_about(path)}")

    def _open_all(self, prediction: Path) -> Iterator[Case]:
        pairs, unmatched = match(prediction, self.truth)
        self.skipped += unmatched
        for path, truth in pairs:
            try:
                yield open_case(
                    path,
                    truth,
                    truth_channel=self.truth_channel,
                    scene=self.scene,
                    allow_prediction_as_truth=self.allow_prediction_as_truth,
                )
            except MitoPredictError as error:
                self.skip(path, error)
