"""One image of a batch: begun, computed, and written, in three steps that may overlap those of other images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from napari_mito_predict._files import remove_abandoned
from napari_mito_predict.errors import (
    MitoPredictError,
    PredictedInputError,
    PredictionCancelled,
    PredictionError,
    UnknownModelError,
)
from napari_mito_predict.image import ImageSource, is_predicted_file
from napari_mito_predict.models import Model, load_model
from napari_mito_predict.prediction.batch.destinations import (
    check_destinations,
    complete,
    destinations,
    notes_on,
    write_blocks,
    written_folders,
)
from napari_mito_predict.prediction.batch.finished import is_finished, stored_lights
from napari_mito_predict.prediction.batch.inputs import Entry, Opener
from napari_mito_predict.prediction.batch.outcome import Outcome, State
from napari_mito_predict.prediction.batch.settings import BatchSettings, FileFormat
from napari_mito_predict.prediction.batch.truth import score_arrays, score_files
from napari_mito_predict.prediction.choice import choose_models
from napari_mito_predict.prediction.composite import save_composite
from napari_mito_predict.prediction.execute import Execution, run
from napari_mito_predict.prediction.looking import look
from napari_mito_predict.prediction.plan import PredictionPlan, plan_prediction
from napari_mito_predict.prediction.run_state import RunContext

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding
    from napari_mito_predict.prediction.result import Prediction
    from napari_mito_predict.prediction.run_state import Cancel, OnProgress

T = TypeVar("T")


@dataclass(frozen=True)
class Begun:
    """An image that is open, and what is planned for it.

    Attributes
    ----------
    entry : Entry
        Which one.
    image : ImageSource
    plan : PredictionPlan
        Of its prediction; it was looked at, if it is to be computed.
    said : sequence of Finding
        Of the choice of the models.
    paths : mapping of str to Path
        Where each output goes; all outputs in one key where they share a file.
    start : float
        When it was begun, `time.monotonic`.
    overwrite : bool
        Whether files that are there may be replaced.
    """

    entry: Entry
    image: ImageSource
    plan: PredictionPlan
    said: Sequence[Finding]
    paths: Mapping[str, Path]
    start: float
    overwrite: bool


@dataclass(frozen=True)
class Computed:
    """A prediction; what is still to be written, which also says how well it fits the truth."""

    begun: Begun
    execution: Execution
    write: Callable[[], Mapping[str, float]]


class Stages:
    """The steps of each image of a batch; models are loaded once. The first step may run in another thread.

    Parameters
    ----------
    settings : BatchSettings
    """

    def __init__(self, settings: BatchSettings) -> None:
        self.settings = settings
        self._opener = Opener(settings.axes)
        self._models: dict[str, Model] = {}
        self._tidied: set[Path] = set()

    def begin(self, entry: Entry) -> Begun | Outcome:
        """Open an image and plan its prediction; an outcome where there is nothing to compute."""
        start = time.monotonic()
        said: list[Finding] = []
        return _guarded(lambda: self._begin(entry, start, said), lambda error: _failed(entry, error, start, said))

    def compute(
        self, begun: Begun, on_progress: OnProgress | None = None, cancel: Cancel | None = None
    ) -> Computed | Outcome:
        """Predict.

        Raises
        ------
        PredictionCancelled
            `cancel` said so.
        """
        context = RunContext(on_progress, cancel)
        return _guarded(
            lambda: self._compute(begun, run(begun.plan, context)),
            lambda error: _failed(begun.entry, error, begun.start),
        )

    def finish(self, computed: Computed) -> Outcome:
        """Write a prediction, whole or not at all; may run while the next one is computed."""
        begun = computed.begun
        return _guarded(lambda: self._finish(computed), lambda error: _failed(begun.entry, error, begun.start))

    # ------------------------------------------------------------------ the first step

    def planned(self, entry: Entry, start: float | None = None, said: list[Finding] | None = None) -> Begun:
        """Open an image and plan its prediction, whatever is there already; pixels are not looked at.

        Parameters
        ----------
        entry : Entry
            Which image.
        start : float, optional
            When it was begun, `time.monotonic`; now when absent.
        said : list of Finding, optional
            Gets what is to be known of the choice of the models, whatever comes of it.

        Raises
        ------
        MitoPredictError
            It cannot be predicted.
        """
        start = time.monotonic() if start is None else start
        said = [] if said is None else said
        settings = self.settings
        image = self._opener.open(entry)
        if settings.times is not None or settings.planes is not None:
            image = image.crop(times=settings.times, planes=settings.planes)
        names, of_choice = self._models_for(image)
        said += of_choice
        plan = plan_prediction(image, [self._load(name) for name in names], **settings.plan)
        said += notes_on(image, settings)
        return Begun(entry, image, plan, said, destinations(image, plan.outputs, settings), start, settings.overwrite)

    def _begin(self, entry: Entry, start: float, said: list[Finding]) -> Begun | Outcome:
        settings = self.settings
        begun = self.planned(entry, start, said)
        image, plan = begun.image, begun.plan
        paths = begun.paths
        self._tidy(paths.values())
        if not settings.overwrite:
            missing = [path for key, path in paths.items() if not self._is_finished(plan, key, path)]
            complete(image, [path for path in paths.values() if path not in missing], settings)
            if not missing:
                lights = dict(chain.from_iterable(stored_lights(path).items() for path in paths.values()))
                return _outcome(begun, State.THERE_ALREADY, lights=lights)
            check_destinations(image, missing, settings, needed_bytes=plan.result_bytes)
            # Of several files some may be there, of a run that was killed: they become what they are.
            begun = replace(begun, overwrite=len(missing) < len(paths))
        else:
            check_destinations(image, paths.values(), settings, needed_bytes=plan.result_bytes)
        begun = replace(begun, plan=look(plan))
        if settings.strict:
            begun.plan.check_lights()
        return begun

    def _tidy(self, paths: Iterable[Path]) -> None:
        """Remove what a run that was killed left where these files go; once, for folders may hold many files."""
        new = written_folders(paths, self.settings) - self._tidied
        self._tidied |= new
        for folder in new:
            remove_abandoned(folder)

    def _models_for(self, image: ImageSource) -> tuple[Sequence[str], Sequence[Finding]]:
        """Names of the models for an image, and why none of real cells is among them."""
        if self.settings.models:
            return self.settings.models, ()
        given = self.settings.plan
        choice = choose_models(image, given.get("channel"), given.get("voxel_size_um"))
        if not choice.models:
            kind = "time series" if image.third_axis == "t" else "z-stacks"
            raise UnknownModelError(f"no model for {kind} comes with this version. Name one of yours.", file=image.path)
        return choice.models, choice.findings

    def _load(self, name: str) -> Model:
        if name not in self._models:
            self._models[name] = load_model(name)
        return self._models[name]

    def _is_finished(self, plan: PredictionPlan, key: str, path: Path) -> bool:
        keys = plan.outputs if self.settings.in_one_file else [key]
        return path.exists() and is_finished(path, [plan.record(each) for each in keys])

    # ------------------------------------------------------------------ the others

    def _compute(self, begun: Begun, execution: Execution) -> Computed:
        if self.settings.into_plate or self.settings.file_format is FileFormat.OME_ZARR:
            return self._compute_into_files(begun, execution)
        predictions = execution.predict()
        return Computed(begun, execution, lambda: self._write(begun, predictions))

    def _finish(self, computed: Computed) -> Outcome:
        pcc = computed.write()
        begun, execution = computed.begun, computed.execution
        findings = (*begun.said, *execution.findings)
        return _outcome(begun, State.DONE, findings=findings, lights=execution.lights, pcc=pcc)

    def _compute_into_files(self, begun: Begun, execution: Execution) -> Computed:
        """Write an OME-Zarr while predicting: neither image nor result has to fit into memory."""
        write_blocks(execution, begun.paths, replace(self.settings, overwrite=begun.overwrite))
        return Computed(begun, execution, lambda: score_files(begun.image, begun.plan.outputs, begun.paths))

    def _write(self, begun: Begun, predictions: Mapping[str, Prediction]) -> Mapping[str, float]:
        """Write OME-TIFFs."""
        if self.settings.composite:
            (path,) = begun.paths.values()
            save_composite(list(predictions.values()), path, overwrite=begun.overwrite)
        else:
            for key, path in begun.paths.items():
                predictions[key].save(path, overwrite=begun.overwrite)
        return score_arrays(begun.image, predictions)


def _guarded(work: Callable[[], T], failed: Callable[[MitoPredictError], Outcome]) -> T | Outcome:
    """Do one step of one image; whatever it raises is the end of this image alone.

    Raises
    ------
    PredictionCancelled
        By `work`: the end of all.
    """
    try:
        return work()
    except PredictionCancelled:
        raise
    except MitoPredictError as error:
        return failed(error)
    except Exception as error:  # noqa: BLE001 - hundreds of images wait behind this one
        unforeseen = PredictionError(f"an unforeseen error, {type(error).__name__}: {error}. Please report it.")
        unforeseen.__cause__ = error
        return failed(unforeseen)


def outcome_of_written(begun: Begun, files: Mapping[Path, Path]) -> Outcome:
    """What has become of an image that was predicted, with its correlation with the truth.

    Parameters
    ----------
    begun : Begun
        Its plan has all that was found.
    files : mapping of Path to Path
        Where its OME-Zarrs are now, by where they go.
    """
    paths = {key: files[path] for key, path in begun.paths.items()}
    pcc = score_files(begun.image, begun.plan.outputs, paths)
    findings = (*begun.said, *begun.plan.findings)
    return _outcome(begun, State.DONE, findings=findings, lights=begun.plan.lights, pcc=pcc)


def _outcome(begun: Begun, state: State, **more: Any) -> Outcome:
    return Outcome(
        begun.entry,
        state,
        scene=_scene_name(begun.image),
        scene_index=begun.image.scene,
        files=begun.paths,
        models={key: output.model_name for key, output in begun.plan.outputs.items() if key in begun.paths},
        seconds=time.monotonic() - begun.start,
        **more,
    )


def _failed(entry: Entry, error: MitoPredictError, start: float, said: Sequence[Finding] = ()) -> Outcome:
    state = State.FAILED
    # Where results go into the folder of their inputs, the next run finds them there: nothing has failed.
    if not entry.asked_for and _is_of_prediction(entry, error):
        state = State.LEFT_OUT
    scene = entry.scene_name or str(entry.scene or "")
    return Outcome(entry, state, scene, error=error, findings=tuple(said), seconds=time.monotonic() - start)


def _is_of_prediction(entry: Entry, error: MitoPredictError) -> bool:
    """Whether that is why nothing is predicted; a file that does not open is judged by its record."""
    return isinstance(error, PredictedInputError) or (entry.scene is None and is_predicted_file(entry.path))


def _scene_name(image: ImageSource) -> str:
    """Name of a scene, where a file has several."""
    return image.scenes[image.scene] if len(image.scenes) > 1 else ""
