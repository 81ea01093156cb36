"""What follows napari's events: called while its owner lives, never after, and not kept alive by it."""

from __future__ import annotations

import gc
import weakref

from napari.utils.events import EmitterGroup
from qtpy.QtCore import QObject

from napari_mito_predict._widgets.common.following import follow


class Ear:
    """Hears events, and is not a part of Qt."""

    def __init__(self) -> None:
        self.heard = 0

    def hear(self, event: object) -> None:
        self.heard += 1


class OwnEar(QObject):
    def __init__(self, emitter: object) -> None:
        super().__init__()
        follow(self, emitter, self.hear)
        self.itself = self  # so that only the garbage collector takes it

    def hear(self, event: object) -> None:
        pass


def test_a_method_is_called_until_its_owner_is_destroyed(qtbot):
    moved = EmitterGroup(moved=None).moved
    ear = Ear()
    owner = QObject()
    follow(owner, moved, ear.hear)
    moved()
    assert ear.heard == 1
    with qtbot.waitSignal(owner.destroyed):
        owner.deleteLater()
    moved()
    assert ear.heard == 1


def test_who_follows_is_collected_like_anybody_else(qtbot):
    moved = EmitterGroup(moved=None).moved
    gc.collect()
    gc.freeze()  # else each collection looks at all that the tests before left behind
    for _ in range(50):
        owner = weakref.ref(OwnEar(moved))
        gc.collect()
        assert owner() is None
    moved()
    assert not moved.callbacks
