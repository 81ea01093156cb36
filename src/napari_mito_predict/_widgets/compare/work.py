"""The scores of the compare step, kept up to date in worker threads; knows layers, shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_mito_predict._widgets.common.image_layers import source_of, values_of
from napari_mito_predict._widgets.common.viewport import along_z, is_series, letters_of, plane_index, stack_index
from napari_mito_predict._widgets.common.worker import Failure, Job, JobState
from napari_mito_predict._widgets.compare.scores import (
    Agreement,
    BaselineAgreement,
    Fingerprints,
    PlaneAgreement,
    SeriesProfile,
    StackAgreement,
    comparing_baselines,
    comparing_planes,
    comparing_regions,
    comparing_series,
    comparing_stacks,
    fingerprinting,
)
from napari_mito_predict.evaluation import ShiftCheck

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict._widgets.compare.region import Region


class Comparing(QObject):
    """What is known of how a prediction and its truth agree; computes only what is another question than before.

    Attributes
    ----------
    plane : PlaneAgreement or None
        Of the plane on screen; it stays until the next one is known.
    stack, region_stack : Agreement or None
        Of the stack on screen, and of the region in it.
    shift : ShiftCheck or None
        Known a little after `stack`.
    baselines : BaselineAgreement or None
        What needs no network in the stack on screen; known after `shift`, where there is transmitted light.
    series : tuple of float
        PCC of each time point of a series of stacks, NaN where not yet known.
    failure : str
        Something went wrong, in words.
    """

    changed = Signal()
    pixels_changed = Signal()
    """Somebody wrote into one of the arrays: the numbers of the stack are forgotten, and have to be asked for again."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.plane: PlaneAgreement | None = None
        self.stack: StackAgreement | None = None
        self.region_stack: Agreement | None = None
        self.shift: ShiftCheck | None = None
        self.series: tuple[float, ...] = ()
        self.baselines: BaselineAgreement | None = None
        self.failure = ""
        self._light: Any = None
        self._pair: tuple[Any, ...] = ()
        self._stack_key: tuple[Any, ...] = ()
        self._region_key: tuple[Any, ...] = ()
        self._next_plane: Work | None = None
        self._compared: Fingerprints | None = None
        self._checked: Fingerprints | None = None
        self._plane_job = Job(self)
        self._stack_job = Job(self)
        self._region_job = Job(self)
        self._series_job = Job(self)
        self._baseline_job = Job(self)
        self._check_job = Job(self)
        self._plane_job.state_changed.connect(self._start_plane)
        self._jobs = (
            self._plane_job,
            self._stack_job,
            self._region_job,
            self._series_job,
            self._baseline_job,
            self._check_job,
        )
        for job in self._jobs:
            job.yielded.connect(self._receive)
            job.failed.connect(self._fail)

    @property
    def plane_is_late(self) -> bool:
        """Whether a plane is being compared; while a prediction is painted, no more are asked for meanwhile."""
        return self._plane_job.state.busy

    def compare(
        self, prediction: Image, truth: Image, region: Region | None, light: Image | None = None, *, complete: bool
    ) -> None:
        """Compare what is on screen: the plane in any case, the rest where it is not known yet.

        Parameters
        ----------
        prediction, truth : Image
            Of equal shape.
        region : Region or None
            Scored on its own too.
        light : Image, optional
            The transmitted light, on the grid of the prediction: what it tells of the truth without a network is
            compared too.
        complete : bool
            The prediction is whole; one that is still painted is compared plane by plane only.
        """
        a, b = values_of(prediction), values_of(truth)
        pair = (prediction, truth, id(a), id(b))
        if pair != self._pair:
            self.forget()
            self._pair = pair
        self.failure = ""
        size = source_of(prediction, letters_of(prediction)).voxel_size_um
        plane, stack = plane_index(self._viewer, prediction), stack_index(self._viewer, prediction)
        if plane is None:
            self._next_plane = None
            self.plane = None
            self._plane_job.reset()
        else:
            self._next_plane = comparing_planes(a, b, plane, region, size)
        self._start_plane()
        stack_key = (complete, stack, size)
        if stack_key != self._stack_key:
            self._stack_key = stack_key
            self.stack = None
            self.shift = None
            self._stack_job.reset()
            self._forget_baselines()
            self._compared = None
            if complete:
                work = comparing_stacks(a, b, stack, along_z=along_z(prediction), voxel_size_um=size)
                self._stack_job.start(work)
        given = None if light is None else values_of(light)
        if given is not self._light:
            self._light = given
            self._forget_baselines()
            self._start_baselines()
        region_key: tuple[Any, ...] = ()
        if region is not None:
            region_key = (complete, stack, size, region.key)
        if region_key != self._region_key:
            self._region_key = region_key
            self.region_stack = None
            self._region_job.reset()
            if complete and region is not None:
                self._region_job.start(comparing_regions(a, b, stack, region, size))

    def check_pixels(self) -> None:
        """Find out whether the arrays still hold what was compared: they may be written to without a word."""
        if self._pair and True in self._stack_key:  # of a prediction that is painted only planes are compared
            a, b = (values_of(layer) for layer in self._pair[:2])
            self._checked = None
            self._check_job.start(fingerprinting(a, b, checked=True))

    def forget(self) -> None:
        """Nothing is compared any more."""
        self._pair = ()
        self._next_plane = None
        self._light = None
        self.plane = None
        self.failure = ""
        self._forget_stack()
        for job in self._jobs:
            job.reset()

    def _forget_stack(self) -> None:
        self._stack_key = ()
        self._region_key = ()
        self._compared = None
        self._checked = None
        self.stack = None
        self.region_stack = None
        self.shift = None
        self.series = ()
        self._forget_baselines()

    def _forget_baselines(self) -> None:
        self.baselines = None
        self._baseline_job.reset()

    def _start_plane(self, state: JobState | None = None) -> None:
        """Begin the newest plane asked for, once the one before is known: a fast slider piles nothing up.

        It is known from its first numbers on: its fine PCC, which takes longer, is given up for the next plane.
        """
        if self._next_plane is not None and self._plane_job.state not in (JobState.PREPARING, JobState.CANCELLING):
            work, self._next_plane = self._next_plane, None
            self._plane_job.start(work)

    def _receive(self, found: object) -> None:
        if isinstance(found, Fingerprints):
            self._receive_fingerprints(found)
            return
        if isinstance(found, PlaneAgreement):
            self.plane = found
        elif isinstance(found, StackAgreement):
            self.stack = found
        elif isinstance(found, ShiftCheck):
            self.shift = found
            self._start_baselines()
            self._start_series()
        elif isinstance(found, BaselineAgreement):
            self.baselines = found
        elif isinstance(found, SeriesProfile):
            self.series = found.values
        elif isinstance(found, Agreement):
            self.region_stack = found
        self.changed.emit()

    def _receive_fingerprints(self, found: Fingerprints) -> None:
        if found.checked:
            self._checked = found
        else:
            self._compared = found
        if self._checked is None or self._compared is None or self._checked.texts == self._compared.texts:
            return
        self._forget_stack()
        self._series_job.reset()
        self.pixels_changed.emit()

    def _start_baselines(self) -> None:
        """After all that is known of the prediction in the stack on screen."""
        if self._light is not None and self.shift is not None:
            stack, size = self._stack_key[1:]
            truth = values_of(self._pair[1])
            self._baseline_job.start(comparing_baselines(self._light, truth, stack, size))

    def _start_series(self) -> None:
        """After the stack on screen: all others."""
        a, b = (values_of(layer) for layer in self._pair[:2])
        if not self.series and is_series(a.shape) and not self._series_job.state.busy:
            self._series_job.start(comparing_series(a, b))

    def _fail(self, failure: Failure) -> None:
        self.failure = f"{failure.what} {failure.fix}"
        self.changed.emit()
