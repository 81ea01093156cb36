"""Preview here: what is on screen is predicted while one looks around, before the whole is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_mito_predict._widgets.common.controls import follow
from napari_mito_predict._widgets.common.worker import Failure, Job
from napari_mito_predict._widgets.predict.look import look_of
from napari_mito_predict._widgets.predict.preview_layers import Aim, PreviewLayers
from napari_mito_predict._widgets.predict.preview_regions import Regions, Shown, previewing
from napari_mito_predict.prediction.volumes import Layout

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget

    from napari_mito_predict._widgets.predict.model_cache import ModelCache
    from napari_mito_predict._widgets.predict.preview_regions import Region
    from napari_mito_predict.prediction.look import Look

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

    said = Signal(str)
    failed = Signal(object)
    """With a `Failure`, or None when there is none any more."""

    def __init__(self, viewer: Viewer, cache: ModelCache, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer, self._cache = viewer, cache
        self._on = False
        self._aim: Aim | None = None
        self._under_way: Look | None = None
        self._shown: Region | None = None
        self._regions = Regions()
        self._layers = PreviewLayers(viewer)
        self._job = Job(self, low_priority=True)
        self._job.yielded.connect(self._arrived)
        self._job.failed.connect(self._not_predicted)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_STANDS_STILL_MS)
        self._soon.timeout.connect(self._predict)
        camera, canvas, dims = viewer.scene.camera.events, viewer.canvas.events, viewer.dims.events
        for emitter in (camera.center, camera.zoom, canvas.size, dims.current_step, dims.ndisplay, dims.order):
            follow(parent, emitter, self._look_again)

    # ------------------------------------------------------------------ what is asked

    def turn(self, on: bool) -> None:
        """Begin to preview, or take everything away."""
        if on:
            self._on = True
            self._say("previewing…")
            self._look_again()
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
        self._look_again()

    def _stop(self) -> None:
        self._soon.stop()
        self._job.reset()
        self._layers.leave()
        self._shown = None
        self._say("")

    # ------------------------------------------------------------------ following

    def _look_again(self, event: object = None) -> None:
        """Sliders or camera moved: what is known is shown at once, the rest when they stand still."""
        if self._on and self._aim is not None and not self._show_known(self._aim):
            self._soon.start()

    def _predict(self) -> None:
        """The view stands still: predict it, unless that is known or under way."""
        aim = self._aim
        if not self._on or aim is None or self._show_known(aim):
            return
        look = self._look(aim)
        if self._job.state.busy and self._under_way is not None and _alike(aim, self._under_way, look):
            return
        self._under_way, self._shown = look, None
        self._say("previewing…")
        self._job.start(previewing(aim.plan, look, self._cache))

    def _show_known(self, aim: Aim) -> bool:
        """Whether there was nothing to predict; then whatever is under way is no longer wanted."""
        region = self._regions.find(self._look(aim))
        if region is None:
            return False
        self._soon.stop()
        self._job.reset()
        self._show(region, aim)
        return True

    def _look(self, aim: Aim) -> Look:
        return look_of(self._viewer, aim.layer, aim.axes)

    # ------------------------------------------------------------------ showing

    def _arrived(self, shown: Shown) -> None:
        if self._aim is None:
            return
        if not shown.complete:
            self._layers.show(shown.region, self._aim)
            return
        self._regions.add(shown.region)
        self._show(shown.region, self._aim)
        self._look_again()  # the sliders may have moved on

    def _show(self, region: Region, aim: Aim) -> None:
        self._layers.show(region, aim)
        if region is not self._shown:
            self._shown = region
            self._say(_words(region))

    def _not_predicted(self, failure: Failure) -> None:
        self._shown = None
        self._say("", failure)

    def _say(self, text: str, failure: Failure | None = None) -> None:
        self.failed.emit(failure)
        self.said.emit(text)


def _alike(aim: Aim, under_way: Look, look: Look) -> bool:
    """Whether what is under way will serve `look` too, as far as one can know before."""
    layouts = {job.layout for job in aim.plan.jobs}
    if layouts == {Layout.STACKS}:
        look = replace(look, z=under_way.z)
    elif layouts == {Layout.SERIES}:
        look = replace(look, t=under_way.t)
    return look == under_way


def _words(region: Region) -> str:
    """What is shown."""
    t, z, y, x = min((part.data.shape for part in region.parts.values()), default=(1, 1, 0, 0))
    planes = f", {t} time points" if t > 1 else f", {z} planes" if z > 1 else ""
    part = y < region.asked.y.size or x < region.asked.x.size
    return f"Preview: {'middle ' if part else ''}{x} × {y} pixels{planes}"
