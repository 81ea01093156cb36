"""What a run of a plan is told from outside, and what it tells: how far it is, what it found, what computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_mito_predict.errors import PredictionCancelled

if TYPE_CHECKING:
    from napari_mito_predict.image import Finding
    from napari_mito_predict.prediction.device import Device
    from napari_mito_predict.prediction.job import Job
    from napari_mito_predict.prediction.known_statistics import KnownStatistics
    from napari_mito_predict.prediction.plan import PredictionPlan
    from napari_mito_predict.prediction.viewport import Viewport

OnProgress = Callable[[int, int, str], object]
"""Takes tiles done, tiles in all, and a message."""

Cancel = Callable[[], bool]
"""Says whether to stop."""


@dataclass(frozen=True)
class RunContext:
    """What a run is given beside its plan. Everything is called from the thread that computes.

    Attributes
    ----------
    on_progress : callable, optional
        Takes tiles done, tiles in all, and a message.
    cancel : callable, optional
        Asked before every layer of a network; True stops.
    on_finding : callable, optional
        Takes each `Finding` that is made on the way: blank planes, memory that ran out.
    viewport : Viewport, optional
        What is predicted first, and a second time with the rest.
    known : KnownStatistics, optional
        Statistics measured before; those measured now are added.
    keep_on_device : bool, optional
        Whether volumes and results lie in the memory of the device as long as they fit there; on NVIDIA GPUs when
        absent. It changes how fast, not what is predicted.
    times : range, optional
        Only these time points of the blocks, where each is a volume by itself; others run for the rest. Whether the
        series flickers is not found out then.
    """

    on_progress: OnProgress | None = None
    cancel: Cancel | None = None
    on_finding: Callable[[Finding], object] | None = None
    viewport: Viewport | None = None
    known: KnownStatistics | None = None
    keep_on_device: bool | None = None
    times: range | None = None


@dataclass
class RunState:
    """How far a run is, what it found, and what computed.

    Attributes
    ----------
    plan, context : PredictionPlan, RunContext
        What is run, and what it is given.
    done, total : int
        Tiles that are computed, and tiles in all; more of them where memory runs out.
    findings : list of Finding
        Those of the plan and those made on the way: once for each kind and model, however many volumes show it.
    """

    plan: PredictionPlan
    context: RunContext
    done: int = field(default=0, init=False)
    total: int = field(init=False)
    findings: list[Finding] = field(init=False)
    _devices: dict[str, list[Device]] = field(default_factory=dict, init=False)
    """What computed, in the order of use, by name of the model."""
    _closed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.total = self.plan.total
        self.findings = list(self.plan.findings)

    def note(self, finding: Finding) -> None:
        """Take a finding made on the way."""
        if (finding.code, finding.model) not in {(known.code, known.model) for known in self.findings}:
            self.findings.append(finding)
            if self.context.on_finding is not None:
                self.context.on_finding(finding)

    def report(self, message: str) -> None:
        """Tell how far everything is."""
        if self.context.on_progress is not None:
            self.context.on_progress(self.done, self.total, message)

    def count(self, job: Job, device: Device) -> None:
        """Take that one more tile of `job` is computed, and by what: another device than planned, if memory ran out."""
        self.done += 1
        used = self._devices.setdefault(job.model.name, [])
        if device not in used:
            used.append(device)

    def devices(self, job: Job) -> list[Device]:
        """What computed `job`; the planned device where nothing was computed yet."""
        return self._devices.get(job.model.name) or [self.plan.device]

    def close(self) -> None:
        """Let what is under way end: whoever took the blocks wants no more."""
        self._closed = True

    def should_stop(self) -> bool:
        """Say whether the run should stop."""
        return self._closed or (self.context.cancel is not None and self.context.cancel())

    def check_cancelled(self) -> None:
        """Raise `PredictionCancelled` if the run should stop."""
        if self.should_stop():
            raise PredictionCancelled("Cancelled; nothing was written.")
