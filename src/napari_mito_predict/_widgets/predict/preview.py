"""Preview here: what is on screen is predicted while one looks around, before the whole is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_mito_predict._widgets.common.following import follow
from napari_mito_predict._widgets.common.viewport import viewport_of
from napari_mito_predict._widgets.common.worker import Failure, Job
from napari_mito_predict._widgets.predict.preview_layers import Aim, PredictionPreviewLayers
from napari_mito_predict._widgets.predict.preview_regions import RecentRegions, Shown, previewing
from napari_mito_predict.prediction.volumes import Layout

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_mito_predict._widgets.predict.model_cache import ModelCache
    from napari_mito_predict._widgets.predict.preview_regions import PreviewRegion
    from napari_mito_predict.prediction.viewport import Viewport

_STANDS_STILL_MS = 200


class PreviewHere(QObject):
    """Follows sliders and camera, and keeps the preview's layers where one looks.

    Parameters
    ----------
    viewer : Viewer
        The viewer it belongs to.
    cache : ModelCache
        Shared with planning and predicting: what they measured is known here, and the other way round.
    parent : QWidget
        It ends with this widget.
    """

    described = Signal(str)
    """With what is shown, in words; with nothing when there is no preview."""
    failed = Signal(object)
    """With a `Failure`, or None when there is none any more."""

    def __init__(self, viewer: Viewer, cache: ModelCache, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._cache = cache
        self._on = False
        self._aim: Aim | None = None
        self._under_way: Viewport | None = None
        self._shown: PreviewRegion | None = None
        self._regions = RecentRegions()
        self._layers = PredictionPreviewLayers(viewer)
        self._job = Job(self, low_priority=True)
        self._job.yielded.connect(self._predicted)
        self._job.failed.connect(self._show_failure)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_STANDS_STILL_MS)
        self._soon.timeout.connect(self._predict)
        camera = viewer.scene.camera.events
        dims = viewer.dims.events
        moved = (camera.center, camera.zoom, viewer.canvas.events.size, dims.current_step, dims.ndisplay, dims.order)
        for emitter in moved:
            follow(parent, emitter, self._view_moved)

    # ------------------------------------------------------------------ what is asked

    def switch(self, on: bool) -> None:
        """Begin to preview, or take everything away."""
        if on:
            self._on = True
            self._report("previewing…")
            self._view_moved()
        else:
            self._stop()
            self._on = False

    def aim(self, aim: Aim | None) -> None:
        """Preview this; what was previewed of something else goes."""
        if aim is not None and self._aim is not None and aim.plan is self._aim.plan:
            return
        if self._on:
            self._stop()
        self._regions.clear()
        self._aim = aim
        self._view_moved()

    def _stop(self) -> None:
        self._soon.stop()
        self._job.reset()
        self._layers.remove()
        self._shown = None
        self._report("")

    # ------------------------------------------------------------------ following

    def _view_moved(self, event: object = None) -> None:
        """Sliders or camera moved: what is known is shown at once, the rest when they stand still."""
        if self._on and self._aim is not None and not self._show_known(self._aim):
            self._soon.start()

    def _predict(self) -> None:
        """The view stands still: predict it, unless that is known or under way."""
        aim = self._aim
        if not self._on or aim is None or self._show_known(aim):
            return
        viewport = self._viewport(aim)
        if self._job.state.busy and self._under_way is not None and _will_serve(aim, self._under_way, viewport):
            return
        self._under_way = viewport
        self._shown = None
        self._report("previewing…")
        self._job.start(previewing(aim.plan, viewport, self._cache))

    def _show_known(self, aim: Aim) -> bool:
        """Whether there was nothing to predict; then whatever is under way is no longer wanted."""
        region = self._regions.find(self._viewport(aim))
        if region is None:
            return False
        self._soon.stop()
        self._job.reset()
        self._show(region, aim)
        return True

    def _viewport(self, aim: Aim) -> Viewport:
        return viewport_of(self._viewer, aim.layer, aim.axes)

    # ------------------------------------------------------------------ showing

    def _predicted(self, shown: Shown) -> None:
        if self._aim is None:
            return
        if not shown.complete:
            self._layers.show(shown.region, self._aim)
            return
        self._regions.add(shown.region)
        self._show(shown.region, self._aim)
        self._view_moved()  # perhaps it did meanwhile

    def _show(self, region: PreviewRegion, aim: Aim) -> None:
        self._layers.show(region, aim)
        if region is not self._shown:
            self._shown = region
            self._report(_description(region))

    def _show_failure(self, failure: Failure) -> None:
        self._shown = None
        self._report("", failure)

    def _report(self, text: str, failure: Failure | None = None) -> None:
        self.failed.emit(failure)
        self.described.emit(text)


def _will_serve(aim: Aim, under_way: Viewport, viewport: Viewport) -> bool:
    """Whether what is under way will serve `viewport` too, as far as one can know before."""
    layouts = {job.layout for job in aim.plan.jobs}
    if layouts == {Layout.STACKS}:
        viewport = replace(viewport, z=under_way.z)
    elif layouts == {Layout.SERIES}:
        viewport = replace(viewport, t=under_way.t)
    return viewport == under_way


def _description(region: PreviewRegion) -> str:
    """How large the smallest target of a region is, and whether it is less than was asked for."""
    shape = min((part.data.shape for part in region.parts.values()), default=(1, 1, 0, 0))
    sizes = dict(zip("TZYX", shape, strict=True))
    text = "Preview: "
    if sizes["Y"] < region.asked.y.size or sizes["X"] < region.asked.x.size:
        text += "middle "
    text += f"{sizes['X']} × {sizes['Y']} pixels"
    if sizes["T"] > 1:
        return f"{text}, {sizes['T']} time points"
    if sizes["Z"] > 1:
        return f"{text}, {sizes['Z']} planes"
    return text
