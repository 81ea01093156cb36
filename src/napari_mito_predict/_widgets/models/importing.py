"""Bringing models in, one after another: what one file lacks never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_mito_predict._widgets.common.worker import Failure, Job
from napari_mito_predict.errors import (
    ForeignModelError,
    MitoPredictError,
    PredictionCancelled,
    UnsupportedModelError,
    UntrustedModelError,
)
from napari_mito_predict.models.importers.foreign import Told

if TYPE_CHECKING:
    from napari_mito_predict._widgets.common.worker import Work
    from napari_mito_predict.models.registry import ModelInfo


@dataclass(frozen=True)
class Wish:
    """What shall be imported: a file, folder or address, and what is said about it."""

    source: Path | str
    told: Told = field(default_factory=Told)
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The file by its name alone; an address as it is."""
        if isinstance(self.source, Path):
            return self.source.name or str(self.source)
        return self.source


@dataclass
class Fetched:
    """How many bytes of an address have come, and of how many; written by the worker."""

    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        """Such as ``3 of 12 MB``; empty where nothing comes from an address."""
        if not self.done:
            return ""
        if not self.total:
            return f"{self.done / 1e6:.0f} MB"
        return f"{self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB"


@dataclass(frozen=True)
class Imported:
    """It is in the list."""

    wish: Wish
    info: ModelInfo


@dataclass(frozen=True)
class NotImported:
    """It cannot be imported.

    Attributes
    ----------
    reason : str
        Why, in a sentence that follows the name of the file.
    missing : tuple of str
        What has to be said about it, as `Told` names it.
    """

    wish: Wish
    reason: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unclear(NotImported):
    """It may be imported once more is said about it, or something else than was said."""


@dataclass(frozen=True)
class Untrusted(NotImported):
    """It holds code, and may be imported once that is trusted."""


class Importing(QObject):
    """Imports wishes in a row. `outcome` tells of each, `state_changed` whenever it goes on or ends."""

    outcome = Signal(object)
    state_changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.current: Wish | None = None
        self.waiting: list[Wish] = []
        self.fetched = Fetched()
        self._job = Job(self, "Mito Predict: importing models")
        self._job.yielded.connect(self._receive)
        self._job.failed.connect(self._failed)

    @property
    def busy(self) -> bool:
        """Whether something is being imported."""
        return self.current is not None

    def add(self, wishes: Iterable[Wish]) -> None:
        """Import these after those that are under way."""
        self.waiting += wishes
        if self.current is None:
            self._next()
        else:
            self.state_changed.emit()

    def cancel(self) -> None:
        """Import no more; what just comes in may still come."""
        self.waiting.clear()
        self.current = None
        self._job.reset()
        self.state_changed.emit()

    def _next(self) -> None:
        self.current = None
        if self.waiting:
            self.current = self.waiting.pop(0)
            self.fetched = Fetched()
            self._job.start(importing(self.current, self.fetched))
        self.state_changed.emit()

    def _receive(self, found: object) -> None:
        self.outcome.emit(found)
        self._next()

    def _failed(self, failure: Failure) -> None:
        """Something nobody foresaw is the fault of one file, too."""
        if self.current is not None:
            self.outcome.emit(NotImported(self.current, f"{failure.what} {failure.fix}"))
        self._next()


def importing(wish: Wish, fetched: Fetched) -> Work:
    """Import one model; what is wrong with it is an outcome like any other."""

    def work(should_stop: Callable[[], bool]) -> Iterator[object]:
        from napari_mito_predict.models.library import import_model

        def tell(done: int, total: int) -> None:
            if should_stop():
                raise PredictionCancelled
            fetched.done, fetched.total = done, total

        try:
            info = import_model(wish.source, wish.told, sha256=wish.sha256, on_progress=tell)
        except PredictionCancelled:
            raise
        except UntrustedModelError as error:
            yield Untrusted(wish, error.reason_about(wish.source))
        except UnsupportedModelError as error:
            yield NotImported(wish, error.reason_about(wish.source))
        except ForeignModelError as error:
            yield Unclear(wish, error.reason_about(wish.source), error.missing)
        except MitoPredictError as error:
            yield NotImported(wish, error.reason_about(wish.source))
        else:
            yield Imported(wish, info)

    return work
