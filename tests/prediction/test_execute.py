"""What happens on the way: reads, memory, cancelling, errors."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_mito_predict._widgets.compare.scores import Agreement
from napari_mito_predict._widgets.compare.text import methods_text
from napari_mito_predict.errors import (
    ImageContentError,
    InsufficientMemoryError,
    PredictionCancelled,
    PredictionError,
    UnsupportedImageError,
)
from napari_mito_predict.image import from_array
from napari_mito_predict.models.record import DeviceUse
from napari_mito_predict.prediction import (
    Device,
    RunContext,
    choose_device,
    iter_predict,
    plan_prediction,
    predict,
    run,
)

CPU = {"device": "cpu", "precision": "32"}
TEXTS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB). Tried to allocate 1 GB on private pool."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 68719476736 bytes."),
    MemoryError(),
]


def normalised(volume):
    return (volume - volume.mean(dtype=np.float64)) / volume.std(dtype=np.float64)


def fails_above(voxels, error, sizes):
    def on_call(x):
        sizes.append(x.numel())
        if x.numel() > voxels:
            raise type(error)(*error.args)

    return on_call


@pytest.mark.parametrize("error", TEXTS, ids=["cuda", "mps", "cpu-linux", "cpu-windows", "python"])
def test_out_of_memory_is_answered_with_smaller_parts(make_model, make_fake, noise, error):
    fake, sizes, messages = make_fake(), [], []
    fake.on_call = fails_above(8 * 32 * 32, error, sizes)
    volume = noise(8, 80, 60)
    plan = plan_prediction(volume, make_model(fake), tile="whole", **CPU)
    assert plan.total == 1
    execution = run(plan, RunContext(on_progress=lambda done, total, message: messages.append((done, total, message))))
    found = execution.predict()
    np.testing.assert_allclose(found["mitochondria"].data, normalised(volume), atol=1e-5)
    failed = [n for n in sizes if n > 8 * 32 * 32]
    assert failed
    assert failed == sorted(set(failed), reverse=True), "a size that failed is not tried again"
    assert [f.code for f in execution.findings].count("smaller-parts") == 1
    assert any("smaller parts" in note for note in found["mitochondria"].record.notes)
    assert any("smaller parts" in message for _, _, message in messages)
    done, total, _ = messages[-1]
    assert done == total > 1
    assert [m[0] for m in messages] == sorted(m[0] for m in messages)


def test_out_of_memory_in_the_middle_keeps_what_is_done(make_model, make_fake, make_unet, noise):
    """From tile 3 on memory is short: the answer is still that of the whole."""
    volume, unet, calls = noise(6, 64, 64), make_unet(3, 1), []
    whole = predict(volume, make_model(unet), tile="whole", **CPU)["mitochondria"].data
    inner = copy.deepcopy(unet)

    def on_call(x):
        calls.append(x.numel())
        if len(calls) > 3 and x.numel() > 6 * 40 * 40:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return inner(x)

    fake = make_fake(stride=2, field=20)
    fake.on_call = on_call
    tiled = predict(volume, make_model(fake), tile=(64, 32, 32), **CPU)["mitochondria"].data
    assert max(calls[:3]) > 6 * 40 * 40
    assert np.abs(tiled - whole).max() <= 1e-4 * whole.std()


def test_memory_that_never_suffices_is_said(make_model, make_fake, noise):
    fake = make_fake()
    plan = plan_prediction(noise(8, 40, 40), make_model(fake, name="big"), **CPU)
    fake.on_call = fails_above(0, TEXTS[0], [])
    with pytest.raises(InsufficientMemoryError, match="big needs more memory"):
        run(plan).predict()


class _Full(torch.nn.Module):
    """Needs more memory than there is, until the processor is asked for."""

    def __init__(self, state):
        super().__init__()
        self.state = state

    def forward(self, x):
        if self.state["full"]:
            raise TEXTS[1]
        return x


@pytest.fixture
def small_gpu(monkeypatch):
    """A pretended GPU ("meta" cannot compute, so here it is the CPU under another name), and whether it is full."""
    from napari_mito_predict.prediction import compute

    monkeypatch.setattr(Device, "torch_device", property(lambda self: torch.device("cpu")))
    monkeypatch.setattr("napari_mito_predict.prediction.forward.empty_cache", lambda device: None)
    state, chosen = {"full": False}, compute.choose_device

    def choose(*arguments):
        state["full"] = False
        return chosen(*arguments)

    monkeypatch.setattr(compute, "choose_device", choose)
    return state


def full(network, state, monkeypatch):
    """Let this network need more memory than the GPU has."""
    network.layer, network.on_call = _Full(state), None
    monkeypatch.setattr(type(network), "__deepcopy__", lambda self, memo: _with_layer(self))
    return network


def test_the_processor_helps_out_a_small_gpu(make_model, make_fake, noise, monkeypatch, small_gpu):
    volume, model = noise(8, 24, 24), make_model(full(make_fake(), small_gpu, monkeypatch))
    plan = replace(plan_prediction(volume, model, **CPU), device=Device("mps", "Small GPU", "bf16", "test"))
    small_gpu["full"] = True
    assert plan.record("mitochondria").computed_on[0].device == "mps", "as planned, before anything is computed"
    execution = run(plan)
    made = execution.predict()["mitochondria"]
    np.testing.assert_allclose(made.data, normalised(volume), atol=1e-5)
    assert "processor-instead" in [f.code for f in execution.findings]
    assert "processor-instead" not in [f.code for f in plan.findings], "a plan stays as it is"
    processor = choose_device("cpu", "auto")
    used = DeviceUse(device="cpu", device_name=processor.name, precision=processor.precision)
    assert made.record.computed_on == (used,), "nothing was computed by the GPU"
    assert any("going on with the processor" in note for note in made.record.notes)
    assert "on CPU in" in methods_text(made.record, "TMRM", Agreement(0.5, 0.5, 1000))
    assert "MPS" not in methods_text(made.record, "TMRM", Agreement(0.5, 0.5, 1000))


def test_each_record_names_what_computed_its_model(make_model, make_fake, noise, monkeypatch, small_gpu):
    """Two time points and two models: the second one does not fit the GPU, so all that follows is computed without."""
    small = make_model(make_fake(), name="small", targets=("mitochondria",))
    large = make_model(full(make_fake(), small_gpu, monkeypatch), name="large", targets=("dna",))
    image = from_array(noise(2, 8, 24, 24), axes="TZYX", voxel_size_um=(0.3, 0.1, 0.1))
    plan = replace(plan_prediction(image, [small, large], **CPU), device=Device("mps", "Small GPU", "32", "test"))
    small_gpu["full"] = True
    made = run(plan).predict()
    records = {key: prediction.record for key, prediction in made.items()}
    devices = {key: [use.device for use in record.computed_on] for key, record in records.items()}
    assert devices == {"mitochondria": ["mps", "cpu"], "dna": ["cpu"]}
    text = methods_text(records["mitochondria"], "TMRM", Agreement(0.5, 0.5, 1000))
    assert "on MPS in float32 and on CPU in float32" in text
    for record in records.values():
        assert sum("going on with the processor" in note for note in record.notes) == 1


def test_only_the_model_that_ran_out_of_memory_says_so(make_model, make_fake, noise):
    small, large = make_fake(), make_fake()
    large.on_call = fails_above(8 * 32 * 32, TEXTS[0], [])
    models = [make_model(small, name="small", targets=("dna",)), make_model(large, name="large")]
    made = predict(noise(8, 80, 60), models, tile="whole", **CPU)
    assert any("smaller parts" in note for note in made["mitochondria"].record.notes)
    assert not any("smaller parts" in note for note in made["dna"].record.notes)


def _with_layer(network):
    other = type(network)(network.ndim, network.out_channels, network.stride[0], network.receptive_field[0])
    other.layer = network.layer
    return other


@pytest.mark.parametrize(
    "text", ["mat1 and mat2 shapes cannot be multiplied", "CUDA error: device-side assert triggered"]
)
def test_other_errors_of_torch_are_not_retried(make_model, make_fake, noise, text):
    fake, sizes = make_fake(), []
    plan = plan_prediction(noise(4, 16, 16), make_model(fake), **CPU)
    fake.on_call = fails_above(0, RuntimeError(text), sizes)
    with pytest.raises(PredictionError, match=text) as caught:
        run(plan).predict()
    assert not isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert len(sizes) == 1


@pytest.mark.parametrize("on_device", [False, True])
def test_values_that_are_not_finite_are_refused_with_their_place(make_model, make_fake, noise, on_device):
    fake, calls = make_fake(), []

    def on_call(x):
        calls.append(1)
        return torch.full_like(x, torch.nan) if len(calls) == 3 else None

    plan = plan_prediction(noise(4, 64, 64), make_model(fake), tile=(64, 32, 32), **CPU)
    calls.clear()
    fake.on_call = on_call
    with pytest.raises(PredictionError, match=r"NaN or infinite.*begins at z 0, y 32, x 0"):
        run(plan, RunContext(keep_on_device=on_device)).predict()


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize(
    ("value", "text"), [(np.nan, "not numbers"), (np.inf, "not numbers"), (None, "no contrast")], ids=str
)
def test_pixels_without_meaning_are_refused(make_model, make_fake, value, text, on_device):
    volume = np.ones((4, 16, 16), np.float32)
    if value is not None:
        volume[:] = np.random.default_rng(0).normal(size=volume.shape)
        volume[1, 2, 3] = value
    plan = plan_prediction(volume, make_model(make_fake()), **CPU)
    with pytest.raises(ImageContentError, match=text):
        run(plan, RunContext(keep_on_device=on_device)).predict()


def test_complex_values_are_refused(make_model, make_fake):
    with pytest.raises(UnsupportedImageError, match="complex"):
        predict(np.zeros((4, 16, 16), np.complex64), make_model(make_fake()), **CPU)


@pytest.mark.parametrize("dtype", ["?", "u1", ">u2", "i4", ">f4", "f8"])
def test_dtypes(make_model, make_fake, dtype):
    volume = np.random.default_rng(0).integers(0, 2, (4, 16, 20)).astype(dtype)
    volume.setflags(write=False)
    data = predict(volume, make_model(make_fake()), **CPU)["mitochondria"].data
    assert data.dtype == np.float32
    np.testing.assert_allclose(data, normalised(volume.astype(float)), atol=1e-5)


def test_cancelling_stops_before_the_next_tile(make_model, make_fake, noise):
    fake, calls, done = make_fake(), [], []
    plan = plan_prediction(noise(4, 64, 64), make_model(fake), tile=(64, 16, 16), **CPU)
    fake.on_call = lambda x: calls.append(1)
    with pytest.raises(PredictionCancelled):
        run(plan, RunContext(on_progress=lambda d, t, m: done.append(d), cancel=lambda: len(calls) >= 3)).predict()
    assert len(calls) <= 3 + 1  # the fourth got as far as its first layer
    assert max(done) < plan.total


def test_cancelling_works_inside_a_tile(make_model, make_unet, noise):
    asked = []
    model = make_model(make_unet(3, 2))
    plan = plan_prediction(noise(8, 32, 32), model, tile="whole", **CPU)
    with pytest.raises(PredictionCancelled):
        run(plan, RunContext(cancel=lambda: asked.append(1) or len(asked) > 10)).predict()
    assert not any(module._forward_pre_hooks for module in model.network.modules()), "the user's network is untouched"


def test_closing_early_releases_everything(make_model, make_unet, noise, monkeypatch):
    from napari_mito_predict.prediction.forward import Forward

    closed, close = [], Forward.close
    monkeypatch.setattr(Forward, "close", lambda self: closed.append(self) or close(self))
    blocks = iter_predict(noise(4, 64, 64), make_model(make_unet(3, 1)), tile=(64, 32, 32), **CPU)
    next(blocks)
    assert not torch.is_inference_mode_enabled()
    blocks.close()
    assert len(closed) == 1
    assert closed[0]._runner is None


def test_the_model_is_left_as_it_was(make_model, make_unet, noise):
    network = make_unet(3, 1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    strides = [p.stride() for p in network.parameters()]
    predict(noise(4, 16, 16), make_model(network), device="cpu", precision="bf16")
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert strides == [p.stride() for p in network.parameters()]
    assert not network.training


def test_two_threads_at_once(make_model, make_unet, noise):
    model, volume = make_model(make_unet(3, 1)), noise(4, 32, 32)
    expected = predict(volume, model, **CPU)["mitochondria"].data
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(predict(volume, model, **CPU)["mitochondria"].data))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert all(np.array_equal(expected, result) for result in results)


def test_several_models_read_and_prepare_once(make_model, make_fake, noise, monkeypatch):
    image = from_array(noise(2, 6, 24, 24), axes="TZYX", voxel_size_um=(0.3, 0.1, 0.1))
    reads, read = [], type(image).read
    monkeypatch.setattr(type(image), "read", lambda self, *a, **k: reads.append((a, k)) or read(self, *a, **k))
    measured = []
    from napari_mito_predict.prediction import prepare

    measure = prepare.measure
    monkeypatch.setattr(prepare, "measure", lambda *a, **k: measured.append(1) or measure(*a, **k))
    models = [
        make_model(make_fake(), name="a"),
        make_model(make_fake(targets=2), name="b", targets=("dna", "membrane")),
        make_model(make_fake(), name="c", clip=(1.0, 99.0)),
    ]
    found = predict(image, models, channel=0, look=False, **CPU)
    assert len(reads) == 2  # one for each time point
    assert len(measured) == 4  # a and b share theirs
    assert sorted(found) == ["dna", "membrane", "mitochondria/a", "mitochondria/c"]
    np.testing.assert_allclose(found["membrane"].data, found["dna"].data + 1, atol=1e-5)


def test_progress_counts_tiles_of_all_models_and_volumes(make_model, make_fake, noise):
    seen = []
    models = [make_model(make_fake(), name=name, targets=(name,)) for name in ("a", "b")]
    plan = plan_prediction(noise(3, 6, 32, 32), models, tile=(64, 16, 16), **CPU)
    assert plan.total == 2 * 3 * 4
    blocks = list(run(plan, RunContext(on_progress=lambda done, total, message: seen.append((done, total)))).blocks())
    assert {total for _, total in seen} == {24}
    assert sorted({done for done, _ in seen}) == list(range(25))
    assert blocks[-1].done == blocks[-1].total == 24
    assert sum(block.data.size for block in blocks) == 2 * 3 * 6 * 32 * 32
    assert all(block.data.shape == plan_shape(block.slices) for block in blocks)


def plan_shape(slices):
    return tuple(s.stop - s.start for s in slices)


def test_painted_is_final(make_model, make_unet, noise):
    """Blocks of a resampled prediction never overlap, and together are the whole."""
    model, volume = make_model(make_unet(3, 1)), noise(6, 40, 50)
    options = {"voxel_size_um": (0.3, 0.13, 0.08), "tile": (64, 16, 16), **CPU}
    painted = np.full(volume.shape, np.nan, np.float32)
    for block in iter_predict(volume, model, **options):
        assert np.isnan(painted[block.slices]).all()
        painted[block.slices] = block.data
    np.testing.assert_array_equal(painted, predict(volume, model, **options)["mitochondria"].data)


def test_a_network_that_cannot_compute_at_all_is_named(make_model, make_fake, noise):
    fake = make_fake()
    fake.on_call = fails_above(0, RuntimeError("weight of size [4, 2] expected"), [])
    with pytest.raises(PredictionError, match=r"broken cannot compute.*weight of size"):
        plan_prediction(noise(4, 16, 16), make_model(fake, name="broken"), **CPU)
