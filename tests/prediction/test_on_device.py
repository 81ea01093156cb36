"""What lies on a device gives what main memory gives; the device is the processor here, by the way of a GPU."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.errors import ImageContentError, PredictionError
from napari_mito_predict.image import from_array
from napari_mito_predict.models import Normalisation
from napari_mito_predict.prediction import RunContext, memory, normalize, plan_prediction, run
from napari_mito_predict.prediction.known_statistics import KnownStatistics
from napari_mito_predict.prediction.on_device import DeviceStore, statistics, store
from napari_mito_predict.prediction.on_device.assembly import AssemblyOnDevice
from napari_mito_predict.prediction.on_device.resample import resampled, resampled_block
from napari_mito_predict.prediction.on_device.transfers import Transfers
from napari_mito_predict.prediction.on_device.volume import normalised
from napari_mito_predict.prediction.resample import Resampling
from napari_mito_predict.prediction.tiles import Span
from napari_mito_predict.prediction.unet import UNetStream
from napari_mito_predict.prediction.viewport import Viewport

CPU = {"device": "cpu", "precision": "32"}
DTYPES = ["?", "u1", "i1", "<u2", ">u2", "i2", "u4", "i4", "i8", "u8", "f2", "<f4", ">f4", "f8"]


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strips of few rows."""
    monkeypatch.setattr(memory, "LARGEST_STRIP", {"cpu": 1})
    monkeypatch.setattr(memory, "FEWEST_ROWS", 1)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Volumes and results that were put on the device."""
    held, prepare, assembly = [], DeviceStore.prepare, DeviceStore.assembly

    def watched_prepare(self, *arguments):
        found = prepare(self, *arguments)
        held.append(found)
        return found

    def watched_assembly(self, *arguments):
        found = assembly(self, *arguments)
        held.append(found)
        return found

    monkeypatch.setattr(DeviceStore, "prepare", watched_prepare)
    monkeypatch.setattr(DeviceStore, "assembly", watched_assembly)
    return held


NORMALISATIONS = [
    Normalisation(clip_percentiles=None),
    Normalisation(),
    Normalisation(clip_percentiles=(5.0, 60.0)),
    Normalisation(kind="robust"),
    Normalisation(kind="range", percentiles=(1.0, 99.8)),
    Normalisation(kind="range", percentiles=(0.0, 100.0)),
    Normalisation(kind="fixed", offset=300.0, scale=20.0),
]


def on_device(**context) -> RunContext:
    return RunContext(keep_on_device=True, **context)


def both_ways(plan, tolerance: float = 1e-5) -> dict[str, np.ndarray]:
    """Predict in both ways, and compare."""
    expected, execution = run(plan, RunContext(keep_on_device=False)).predict(), run(plan, on_device())
    found = execution.predict()
    for key, prediction in expected.items():
        assert found[key].data.shape == prediction.data.shape
        np.testing.assert_allclose(found[key].data, prediction.data, atol=tolerance * prediction.data.std(), rtol=0)
        assert found[key].record.parameters == prediction.record.parameters
    return {key: prediction.data for key, prediction in found.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_statistics_are_equal(dtype: str, normalisation: Normalisation) -> None:
    drawn = np.random.default_rng(0).gamma(2, 300, (5, 90, 101))
    if dtype in ("i1", "u1"):
        drawn = (drawn / 20).clip(0, 120)
    volume = (drawn > 500 if dtype == "?" else drawn.clip(0, 30_000)).astype(dtype)
    expected = normalize.measure(volume, normalisation)
    given_values = (
        volume if volume.dtype.newbyteorder("=") in normalize.EXACT_IN_FLOAT32 else normalize.as_float(volume)
    )
    tensor = Transfers(torch.device("cpu")).upload(given_values)
    found = statistics.measure(tensor, normalisation, where="")
    assert (found.low, found.high) == (expected.low, expected.high)
    assert (found.offset, found.scale) == pytest.approx((expected.offset, expected.scale), rel=1e-13)
    if dtype in ("u1", "<u2"):
        assert found == expected, "counted, and the rest done in main memory"
    np.testing.assert_array_equal(
        normalised(tensor, expected, torch.float32).numpy(), normalize.normalise(volume, expected)
    )


@pytest.mark.parametrize(
    "kind", ["blank planes", "blank area", "few values", "all blank but one", "sorted", "outliers"]
)
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_statistics_of_unusual_volumes_are_equal(kind: str, dtype: str) -> None:
    rng = np.random.default_rng(1)
    volume = rng.integers(100, 9000, (6, 80, 100)).astype(dtype)
    match kind:
        case "blank planes":
            volume[1:3] = 7
        case "blank area":
            volume[:, 20:50] = 3
        case "few values":
            volume[:] = rng.integers(0, 2, volume.shape)
        case "all blank but one":
            volume[1:] = 0
        case "sorted":
            volume[:] = np.sort(volume, axis=None).reshape(volume.shape)
        case "outliers":  # more of them in the sample than there should be
            step = volume.size // (1 << 13) | 1
            volume.reshape(-1)[: 100 * step : step] = 60_000
    for normalisation in NORMALISATIONS:
        _compare_statistics(volume, normalisation)


def _compare_statistics(volume: np.ndarray, normalisation: Normalisation) -> None:
    try:
        expected = normalize.measure(volume, normalisation)
    except ImageContentError:
        with pytest.raises(ImageContentError):
            statistics.measure(torch.from_numpy(volume), normalisation, where="")
        return
    found = statistics.measure(torch.from_numpy(volume), normalisation, where="")
    assert (found.low, found.high) == (expected.low, expected.high)
    assert (found.offset, found.scale) == pytest.approx((expected.offset, expected.scale), rel=1e-13)


@settings(deadline=None)
@given(data=st.data(), shape=st.tuples(*[st.integers(1, 40)] * 3), dtype=st.sampled_from([np.float32, np.float64]))
def test_resampling_is_equal(data: st.DataObject, shape: tuple[int, int, int], dtype: type) -> None:
    target = tuple(data.draw(st.integers(1, 60)) if data.draw(st.booleans()) else size for size in shape)
    resampling = Resampling.between(shape, target)
    volume = np.random.default_rng(0).normal(2000, 300, shape).astype(dtype)
    tensor = torch.from_numpy(volume)
    tolerance = 1e-3 if dtype == np.float32 else 1e-9  # of values of some 2,000: the last digit
    np.testing.assert_allclose(resampled(tensor, resampling).numpy(), resampling.whole(volume), atol=tolerance, rtol=0)
    box = []
    for size in target:
        start = data.draw(st.integers(0, size - 1))
        box.append(Span(start, data.draw(st.integers(start + 1, size))))
    at = resampling.needed(tuple(box))
    part = tuple(span.slice for span in at)
    np.testing.assert_allclose(
        resampled_block(tensor[part], at, tuple(box), resampling).numpy(),
        resampling.block(volume[part], at, tuple(box)),
        atol=tolerance,
        rtol=0,
    )


def test_resampling_in_parts_is_resampling_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 90, 70)).astype(np.float32))
    resampling = Resampling.between((6, 90, 70), (9, 61, 95))
    at_once = resampled(volume, resampling)
    monkeypatch.setattr("napari_mito_predict.prediction.on_device.resample._AT_ONCE", 9 * 95 * 7)
    torch.testing.assert_close(resampled(volume, resampling), at_once, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_dtype(make_model, make_unet, stored, dtype):
    volume = np.random.default_rng(0).integers(0, 2, (5, 40, 36)).astype(dtype)
    volume.setflags(write=False)
    both_ways(plan_prediction(volume, make_model(make_unet(3, 2)), **CPU))
    assert all(each is not None for each in stored[-2:]), "nothing was on the device"


@pytest.mark.parametrize(
    "size_um", [(0.3, 0.1, 0.1), (0.3, 0.08, 0.08), (0.3, 0.13, 0.12), (0.2, 0.1, 0.1), (0.5, 0.15, 0.1)]
)
@pytest.mark.parametrize("shape", [(2, 30, 31), (9, 64, 50), (6, 41, 160)])
def test_any_sampling_strip_by_strip(make_model, make_unet, noise, thin, size_um, shape):
    """Two targets, resampled both ways, smaller and larger."""
    model = make_model(make_unet(3, 2, out_channels=2), targets=("mitochondria", "dna"), clip=(0.1, 99.9))
    both_ways(plan_prediction(noise(*shape), model, voxel_size_um=size_um, **CPU), 1e-4)


@pytest.mark.parametrize("options", [{"tile": (64, 32, 32)}, {"tile": (64, 32, 32), "halo": 4}, {"tta": True}])
def test_tiles_blending_and_orientations(make_model, make_unet, noise, options):
    plan = plan_prediction(
        noise(6, 70, 90), make_model(make_unet(3, 2)), voxel_size_um=(0.3, 0.09, 0.1), **options, **CPU
    )
    both_ways(plan, 1e-4)


def test_other_networks(make_model, make_gvtnet, make_unet, make_fake, noise):
    both_ways(plan_prediction(noise(4, 60, 70), make_model(make_gvtnet(3, 2)), tile=(64, 24, 24), **CPU), 1e-4)
    planar = make_model(make_unet(2, 2), third_axes=())
    both_ways(plan_prediction(noise(3, 2, 60, 70), planar, **CPU), 1e-4)
    both_ways(plan_prediction(noise(3, 20, 30), make_model(make_fake()), **CPU))


def test_time_series_of_several_models(make_model, make_unet, noise, stored):
    """Two take the volume alike, one at another voxel size: it is uploaded once for all, and each result is right."""
    image = from_array(noise(3, 5, 40, 44), axes="TZYX", voxel_size_um=(0.3, 0.1, 0.1))
    models = [
        make_model(make_unet(3, 2), name="a", targets=("a",)),
        make_model(make_unet(3, 1), name="b", targets=("b",)),
        make_model(make_unet(3, 2), name="c", targets=("c",), voxel_size_um=(0.3, 0.14, 0.14)),
        make_model(make_unet(3, 2), name="d", targets=("d",), third_axes=("t",)),
    ]
    both_ways(plan_prediction(image, models, **CPU), 1e-4)
    assert None not in stored[len(stored) // 2 :]


def test_a_volume_is_uploaded_once(make_model, make_unet, noise, monkeypatch):
    models = [
        make_model(make_unet(3, 1), name=n, targets=(n,), voxel_size_um=(0.3, s, s))
        for n, s in (("a", 0.1), ("b", 0.2))
    ]
    image = from_array(noise(2, 5, 40, 44), axes="TZYX", voxel_size_um=(0.3, 0.1, 0.1))
    uploads, upload = [], Transfers.upload
    monkeypatch.setattr(Transfers, "upload", lambda self, array: uploads.append(1) or upload(self, array))
    run(plan_prediction(image, models, **CPU), on_device()).predict()
    assert len(uploads) == 2


def test_what_is_looked_at_first(make_model, make_unet, noise, thin):
    image = from_array(noise(8, 120, 110), axes="ZYX", voxel_size_um=(0.3, 0.1, 0.1))
    plan = plan_prediction(image, make_model(make_unet(3, 2)), channel=0, **CPU)
    known, viewport = KnownStatistics(), Viewport(0, 3, Span(50, 70), Span(40, 60))
    run(plan, on_device(known=known, viewport=viewport)).measure()
    expected = list(run(plan, RunContext(viewport=viewport)).blocks())
    found = list(run(plan, on_device(known=known, viewport=viewport)).blocks())
    assert [block.slices for block in found] == [block.slices for block in expected]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.data, b.data, atol=1e-4)


@pytest.mark.parametrize("failing", [1, 2, 5])
def test_memory_that_runs_out_within_a_strip(make_model, make_unet, noise, thin, monkeypatch, stored, failing):
    """Everything leaves the device, and what was computed so far comes along."""
    plan = plan_prediction(noise(5, 90, 40), make_model(make_unet(3, 2)), **CPU)
    expected, push, calls = run(plan).predict()["mitochondria"].data, UNetStream.push, []

    def fails(self, *arguments, **options):
        calls.append(1)
        if len(calls) == failing:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return push(self, *arguments, **options)

    monkeypatch.setattr(UNetStream, "push", fails)
    execution = run(plan, on_device())
    found = execution.predict()["mitochondria"].data
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())
    assert [finding.code for finding in execution.findings].count("smaller-parts") == 1
    _, volume, _ = stored  # the first run kept to main memory
    assert not volume.on_device


@pytest.mark.parametrize("method", ["_sum_up", "_begin"])
def test_memory_that_runs_out_for_the_result(make_model, make_unet, noise, thin, monkeypatch, method):
    plan = plan_prediction(noise(5, 90, 40), make_model(make_unet(3, 2)), voxel_size_um=(0.3, 0.09, 0.1), **CPU)
    expected, original, calls = run(plan).predict()["mitochondria"].data, getattr(AssemblyOnDevice, method), []

    def fails(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return original(self, *arguments)

    monkeypatch.setattr(AssemblyOnDevice, method, fails)
    found = run(plan, on_device()).predict()["mitochondria"].data
    assert len(calls) == 3, "what left the device does not come back"
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())


def test_what_does_not_fit_is_computed_window_by_window(make_model, make_unet, noise, monkeypatch, stored):
    plan = plan_prediction(noise(5, 90, 40), make_model(make_unet(3, 2)), **CPU)
    expected = run(plan).predict()["mitochondria"].data
    with monkeypatch.context() as patched:
        patched.setattr(store, "free_memory", lambda device: 1000)
        np.testing.assert_array_equal(run(plan, on_device()).predict()["mitochondria"].data, expected)
    assert stored[-1] is None

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Transfers, "upload", full)
    np.testing.assert_array_equal(run(plan, on_device()).predict()["mitochondria"].data, expected)


def test_a_result_that_does_not_fit_takes_the_volume_along(make_model, make_unet, noise, monkeypatch):
    plan = plan_prediction(noise(5, 90, 40), make_model(make_unet(3, 2)), **CPU)
    expected = run(plan).predict()["mitochondria"].data

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AssemblyOnDevice, "__init__", full)
    np.testing.assert_array_equal(run(plan, on_device()).predict()["mitochondria"].data, expected)


def test_what_a_gpu_complains_of_late_is_ours(make_model, make_fake, noise, monkeypatch):
    """Kernels fail when somebody waits for them, which is when a block is fetched."""
    from napari_mito_predict.prediction.on_device.transfers import Download

    def broken(self):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(Download, "wait", broken)
    with pytest.raises(PredictionError, match=r"tiny failed on .*device-side assert.*begins at z 0, y 0, x 0"):
        run(plan_prediction(noise(4, 32, 32), make_model(make_fake()), **CPU), on_device()).predict()


def test_nothing_equal_after_clipping_is_refused(make_model, make_fake):
    volume = np.full((4, 64, 64), 9, np.uint16)
    volume[0, 0, 0] = 10
    model = make_model(make_fake(), clip=(0.1, 99.9))
    with pytest.raises(ImageContentError, match="no contrast"):
        run(plan_prediction(volume, model, **CPU), on_device()).predict()


def test_the_processor_keeps_to_main_memory(make_model, make_unet, noise, stored):
    run(plan_prediction(noise(5, 40, 40), make_model(make_unet(3, 2)), **CPU)).predict()
    assert stored == [None]


def test_half_precision_is_equal_too(make_model, make_unet, noise):
    model = make_model(make_unet(3, 2))
    both_ways(plan_prediction(noise(5, 70, 40), model, device="cpu", precision="bf16"), 1e-6)


def test_what_left_the_device_is_checked_in_main_memory(make_model, make_fake, noise, monkeypatch):
    """Nobody has seen it there: an output that is not finite is refused wherever its block is made."""
    fake, calls = make_fake(), []

    def on_call(x):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return torch.full_like(x, torch.nan) if len(calls) == 2 else None

    plan = plan_prediction(noise(4, 64, 64), make_model(fake), voxel_size_um=(0.3, 0.09, 0.1), tile=(64, 32, 32), **CPU)
    calls.clear()
    fake.on_call = on_call
    with pytest.raises(PredictionError, match=r"NaN or infinite"):
        run(plan, on_device()).predict()


@pytest.mark.parametrize("place", ["upload", "_begin"])
def test_whatever_else_a_gpu_complains_of_is_ours(make_model, make_fake, noise, monkeypatch, place):
    def broken(*_):
        raise RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")

    monkeypatch.setattr(Transfers if place == "upload" else AssemblyOnDevice, place, broken)
    with pytest.raises(PredictionError, match="unspecified launch failure") as caught:
        run(plan_prediction(noise(4, 32, 32), make_model(make_fake()), **CPU), on_device()).predict()
    assert "Compile" not in str(caught.value)


class _Gpu:
    """What is asked of CUDA, without one: everything is done when it is asked for, and what is forgotten is noticed.

    A copy from or to page-locked memory happens only when somebody waits for its event: a buffer that is used again
    before that, or a result that is looked at, would hold something else.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.under_way: list[tuple[torch.Tensor, torch.Tensor]] = []
        gpu, empty, copy = self, torch.empty, torch.Tensor.copy_

        class Event:
            def __init__(self, **_: object) -> None:
                self.copies: list[tuple[torch.Tensor, torch.Tensor]] = []

            def record(self) -> None:
                self.copies, gpu.under_way = gpu.under_way, []

            def synchronize(self) -> None:
                for target, source in self.copies:
                    copy(target, source)
                self.copies = []

        class Stream:
            def __init__(self, *_: object) -> None:
                self.waited = 0

            def wait_stream(self, other: object) -> None:
                self.waited += 1

            def synchronize(self) -> None:
                gpu.finish()

        def late(target, source, *, non_blocking=False):
            if not non_blocking:
                return copy(target, source)
            gpu.under_way.append((target, source))
            return target

        self.events: list[Event] = []
        monkeypatch.setattr(torch.cuda, "Event", lambda **options: self.events.append(Event()) or self.events[-1])
        monkeypatch.setattr(torch.cuda, "Stream", Stream)
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
        monkeypatch.setattr(torch.cuda, "current_stream", lambda *_: Stream())
        monkeypatch.setattr(torch, "empty", lambda *a, pin_memory=False, **options: empty(*a, **options).fill_(1))
        monkeypatch.setattr(torch.Tensor, "copy_", late)
        monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)

    def finish(self) -> None:
        for event in self.events:
            event.synchronize()


def _ways(monkeypatch: pytest.MonkeyPatch) -> Transfers:
    _Gpu(monkeypatch)
    ways = Transfers(torch.device("cpu"))
    ways._is_gpu, ways._up, ways._down = True, torch.cuda.Stream(), torch.cuda.Stream()
    return ways


@pytest.mark.parametrize("size", [1, 63, 64, 65, 128, 129, 1000])
def test_what_is_staged_piece_by_piece_arrives(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("napari_mito_predict.prediction.on_device.transfers._STAGED", 64)
    array = np.random.default_rng(0).integers(0, 60_000, size).astype(">u2")
    ways = _ways(monkeypatch)
    for _ in range(2):  # with the buffers of the first time
        with ways.preparing():
            tensor = ways.upload(array)
        np.testing.assert_array_equal(tensor.numpy(), array)


def test_downloads_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = _ways(monkeypatch)
    first, second = (ways.download(torch.full((3, 4, 5), value)) for value in (2.0, 3.0))
    bad = ways.download(torch.tensor([1.0, float("inf")]))
    assert ways._down.waited == 3, "nothing is fetched before it is computed"
    assert (second.wait() == 3).all()
    assert (first.wait() == 2).all()
    assert bad.wait() is None
