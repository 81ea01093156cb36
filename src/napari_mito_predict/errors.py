"""One named error per kind of fault.

Every message says what was found, what was expected, what to do, and which file it is about.
The base class is not a ``RuntimeError``: Qt generator workers swallow those (superqt takes every one of them for
"Qt object deleted"), so a fault would vanish instead of reaching the person at the microscope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class MitoPredictError(Exception):
    """Base of every error this package raises on purpose.

    Parameters
    ----------
    reason : str
        What was found, what was expected, and what to do.
    file : Path or str, optional
        The file, folder or image it is about. The message begins with it.
    """

    def __init__(self, reason: str = "", *, file: Path | str | None = None) -> None:
        super().__init__(reason)
        self.file = file

    def __str__(self) -> str:
        reason = super().__str__()
        if self.file is None:
            return reason
        return f"{self.file}: {reason}"

    def reason_about(self, file: Path | str) -> str:
        """Give the message to a reader who knows that it is about `file`: another file is still named."""
        if self.file is not None and str(self.file) == str(file):
            return super().__str__()
        return str(self)


def one_line(error: BaseException, longest: int = 200) -> str:
    """What a library said, on one line of a bounded length; the kind of error where it said nothing."""
    return " ".join(str(error).split())[:longest] or type(error).__name__


def first_line(error: BaseException) -> str:
    """The first line of what a library said, where all others are for programmers; the kind of error without any."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0]


# ---------------------------------------------------------------- images
class ImageError(MitoPredictError):
    """Something about an image file or layer."""


class UnreadableImageError(ImageError):
    """The file is missing, empty, damaged, incomplete, or no image at all."""


class IncompleteImageError(UnreadableImageError):
    """Planes that were asked for were never recorded, or did not all arrive; the rest of the image can be used."""


class UnsupportedImageError(ImageError):
    """A sound image that cannot be predicted from: colour, raw Airyscan, complex values, a compression nobody reads."""


class MetadataError(ImageError):
    """The pixels may be sound, but what the file says about them is not understood, or cannot be."""


class UnknownAxesError(MetadataError):
    """A file that does not say which of its axes is z, time or channel."""


class SceneNotFoundError(ImageError):
    """The scene asked for does not exist."""


class ChannelNotFoundError(ImageError):
    """No channel of that name, index or role."""


class ImageIndexError(ImageError, IndexError):
    """A time point or Z step outside the image."""


class AmbiguousChannelError(ImageError):
    """More than one channel could be meant; the user has to choose."""


class ImageContentError(ImageError):
    """The pixels make a prediction meaningless: NaN, infinities, no contrast."""


class PredictedInputError(ImageError):
    """What should be predicted from is a prediction itself, and no recording."""


class MissingReaderError(ImageError):
    """An optional package is needed to read or write this format."""


# ---------------------------------------------------------------- models
class ModelError(MitoPredictError):
    """Something about a model."""


class UnknownModelError(ModelError):
    """No model of that name, and no model package at that path."""


class DamagedModelError(ModelError):
    """The package is incomplete, or its weights are not the ones its card describes."""


class InvalidModelError(ModelError):
    """The model card breaks its own rules: unknown field, newer schema, weights that do not fit the network."""


class ProtectedModelError(ModelError):
    """A model that is not the user's own: it cannot be renamed or removed."""


class ModelExistsError(ModelError):
    """The name of a model is taken already."""


class ForeignModelError(ModelError):
    """A model file of another program that cannot be imported, or not without being told more about it.

    Attributes
    ----------
    missing : tuple of str
        What has to be said about it, as `napari_mito_predict.models.Told` names it; empty where nothing helps.
    """

    missing: tuple[str, ...] = ()


class UnsupportedModelError(ForeignModelError):
    """A model file that cannot be imported, whatever is said about it."""


class UntrustedModelError(ForeignModelError):
    """A model file that holds code, which nobody said may be run."""


class DownloadError(ModelError):
    """A model could not be fetched, or is not what was announced."""


class ModelMismatchError(ModelError):
    """This model cannot predict from this image, for example a z-model from a single plane."""


# ---------------------------------------------------------------- prediction
class PredictionError(MitoPredictError):
    """The computation itself failed; wraps what torch said."""


class InsufficientMemoryError(PredictionError):
    """Even the smallest tile did not fit into memory."""


class ResultTooLargeError(InsufficientMemoryError):
    """The results do not fit into memory, but on a disk: written while they are computed, as OME-Zarr."""


class DoubtfulPredictionError(PredictionError):
    """Only what a model can be believed on was to be predicted, and its light is amber or red."""


class SmoothingError(PredictionError):
    """A prediction cannot be smoothed along time: no time axis, too few time points, or an even number of them."""


class DeviceUnavailableError(PredictionError):
    """The device or precision asked for is not there."""


class PredictionCancelled(MitoPredictError):
    """The user cancelled; nothing was written."""


class ClusterError(PredictionError):
    """Workers of a cluster are not there, or one of them failed."""


# ---------------------------------------------------------------- results
class OutputError(MitoPredictError):
    """Something about a file to be written."""


class OutputExistsError(OutputError):
    """The result exists already and may not be overwritten without being asked."""


class UnwritableOutputError(OutputError):
    """The folder is missing, read-only or full."""


# ---------------------------------------------------------------- training
class TrainingError(MitoPredictError):
    """A training run cannot start or go on."""


class ConfigError(TrainingError):
    """The training configuration is not valid; names the field and what is allowed."""


class RunInUseError(TrainingError):
    """Another process is training this run."""


class DamagedCheckpointError(TrainingError):
    """A checkpoint is cut, altered, or holds numbers that are not finite; or none of a run's checkpoints is sound."""


class TrainingDataError(TrainingError):
    """The pairs cannot be trained on; lists every problem at once.

    Attributes
    ----------
    codes : frozenset of str
        Of the findings it lists; empty where it is about something else.
    """

    codes: frozenset[str] = frozenset()


# ---------------------------------------------------------------- studies
class StudyError(MitoPredictError):
    """A study cannot start or go on: an unknown recipe, data that it lacks, another study in its folder."""


# ---------------------------------------------------------------- the rest
class MissingExtraError(MitoPredictError):
    """An optional feature needs ``pip install napari-mito-predict[...]``."""


class SimulationError(MitoPredictError):
    """Optics that cannot exist, or a simulation process that ended early."""


class EvaluationError(MitoPredictError):
    """Prediction and truth cannot be compared: shapes, dimensions, no finite voxels."""


class PredictedTruthError(EvaluationError):
    """The truth is a prediction itself, and nobody said that this is meant."""


# ---------------------------------------------------------------- measurement
class MeasurementError(MitoPredictError):
    """Nothing can be measured: no channel that shows the structure, settings or labels that do not fit the image."""


class NoSeriesError(MeasurementError):
    """Dynamics are asked for, and there is one time point or nothing that is followed."""


class MeasurementCancelled(MitoPredictError):
    """The user cancelled; nothing was written."""
