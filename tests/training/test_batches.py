"""Batches cut where the network is: the patches of main memory; and losses that are read late."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.errors import TrainingError
from napari_mito_predict.models import verify_model
from napari_mito_predict.training import Run, train
from napari_mito_predict.training.batches import DeviceBatches, HostBatches, make_batches
from napari_mito_predict.training.config_parts import Augment
from napari_mito_predict.training.loss_reader import LossReader
from napari_mito_predict.training.pairs import Pair
from napari_mito_predict.training.patches import PatchSampler, prefetched

CPU = torch.device("cpu")


def _sampler(shape: tuple[int, ...], patch: tuple[int, ...], changes: Augment, **options: float) -> PatchSampler:
    """Three fields of two targets, light as bright as z-scores are."""
    rng = np.random.default_rng(0)
    images = [rng.standard_normal(shape).astype(np.float16) for _ in range(3)]
    pairs = [Pair(f"field{i}", image, np.stack([image, image * 2])) for i, image in enumerate(images)]
    foreground, ceiling = options.get("foreground", 0.0), options.get("ceiling")
    return PatchSampler(pairs, patch, 5, foreground, changes, ceiling)


def _both(sampler: PatchSampler, numbers: range) -> None:
    here, there = HostBatches(sampler, CPU), DeviceBatches(sampler, CPU)
    expected, found = here.finish(here.begin(numbers)), there.finish(there.begin(numbers))
    assert found.fields == expected.fields
    for a, b in zip(found[:2], expected[:2], strict=True):
        assert a.shape == b.shape
        assert a.dtype == torch.float32
        assert a.is_contiguous(memory_format=torch.channels_last_3d if a.ndim == 5 else torch.channels_last)
        torch.testing.assert_close(a, b, atol=2e-5, rtol=2e-5)


@settings(deadline=None, max_examples=60)
@given(
    changes=st.builds(
        Augment,
        flip=st.booleans(),
        flip_third=st.booleans(),
        noise=st.sampled_from([0, 0.5]),
        blur=st.sampled_from([0, 0.4, 2.0]),
        intensity=st.sampled_from([0, 0.3]),
        gamma=st.sampled_from([0, 0.5]),
        zoom=st.sampled_from([0, 0.3]),
        rotate=st.booleans(),
    ),
    shape=st.sampled_from([(10, 40, 30), (5, 12, 50), (40, 30), (9, 60)]),
    foreground=st.sampled_from([0.0, 1.0]),
    ceiling=st.sampled_from([None, 1.3]),
    first=st.integers(0, 1000),
)
def test_patches_cut_on_the_device_are_those_of_main_memory(changes, shape, foreground, ceiling, first) -> None:
    """Smaller volumes than patches, too; each patch is changed in a way of its own."""
    patch = (8, 16, 16)[-len(shape) :]
    sampler = _sampler(shape, patch, changes, foreground=foreground, ceiling=ceiling)
    _both(sampler, range(first, first + 5))


def test_a_flat_patch_is_left_as_it_is() -> None:
    image = np.full((8, 20, 20), 2, np.float16)
    sampler = PatchSampler([Pair("flat", image, image[None])], (8, 16, 16), 0, 0.0, Augment(gamma=1.0))
    _both(sampler, range(4))


def test_a_processor_cuts_in_main_memory() -> None:
    batches = make_batches(_sampler((10, 40, 30), (8, 16, 16), Augment()), CPU)
    assert isinstance(batches, HostBatches)
    assert batches.threads == 1


def test_a_gpu_cuts_where_all_fields_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler, gpu = _sampler((10, 40, 30), (8, 16, 16), Augment()), torch.device("cuda")
    monkeypatch.setattr(DeviceBatches, "_upload", lambda self, array: torch.zeros(1))
    for free, kind in ((2**22, DeviceBatches), (2**16, HostBatches)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        assert isinstance(make_batches(sampler, gpu), kind)


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_batches_come_in_order_from_many_threads(threads: int) -> None:
    sampler = _sampler((10, 40, 30), (8, 16, 16), Augment(noise=0.5, rotate=True))
    numbers = [range(i, i + 2) for i in range(0, 12, 2)]
    for found, wanted in zip(prefetched(sampler.batch, numbers, threads), numbers, strict=True):
        np.testing.assert_array_equal(found.input, sampler.batch(wanted).input)


def test_losses_are_read_in_their_order_and_not_too_late() -> None:
    reader = LossReader(CPU, behind=3)
    read = []
    for i in range(8):
        reader.put(torch.tensor([float(i), 0.5]), i, (f"f{i}",))
        read += reader.read()
        assert len(read) == max(0, i - 2)
    read += reader.read(all_=True)
    assert [(loss.value, loss.iteration, loss.fields) for loss in read] == [(i + 0.5, i, (f"f{i}",)) for i in range(8)]
    assert not list(reader.read(all_=True))


def _train_as_on_a_gpu(patched: pytest.MonkeyPatch) -> None:
    """Cut patches on the device, and read losses some iterations later."""
    from napari_mito_predict.training import trainer

    patched.setattr(trainer, "make_batches", DeviceBatches)
    patched.setattr(trainer, "LossReader", lambda device: LossReader(device, behind=4))


def test_a_training_on_a_device_is_the_one_in_main_memory(fields, make_config, monkeypatch) -> None:
    settings = {"iterations": 6, "validate_every": 3, "augment": {"flip": True, "noise": 0.2}, "precision": "32"}
    with monkeypatch.context() as patched:
        _train_as_on_a_gpu(patched)
        there = train(make_config(fields, "there", **settings))
    here = train(make_config(fields, "here", **settings))
    assert [row["iteration"] for row in there.metrics] == [row["iteration"] for row in here.metrics]
    for a, b in zip(there.metrics, here.metrics, strict=True):
        for name in ("train_loss", "val_loss", "val_pcc"):
            assert a.get(name, 0.0) == pytest.approx(b.get(name, 0.0), rel=1e-3, abs=1e-3)


def test_a_loss_that_is_read_late_still_names_its_fields(fields, make_config, monkeypatch) -> None:
    """The iterations after it are lost, which were no good any more; what is on disk was written before."""
    from napari_mito_predict.training import trainer

    _train_as_on_a_gpu(monkeypatch)
    losses = iter([1, 1, float("nan"), *[1] * 100])
    monkeypatch.setattr(trainer, "make_loss", lambda name: lambda a, b: (a - b).square().mean() * next(losses))
    config = make_config(fields, "run", iterations=40, validate_every=40)
    with pytest.raises(TrainingError, match=r"became nan at iteration 2, on patches of field\d"):
        train(config)
    run = Run(config.output)
    assert next(losses) == 1, "it ended long before"
    assert run.status.iteration <= 8
    assert verify_model(run.model_folder).passed
    state = run.load_checkpoint()
    assert state is not None
    assert all(torch.isfinite(t).all() for t in state["model"].values() if t.is_floating_point())


@pytest.mark.parametrize(("kind", "beside"), [("cuda", True), ("mps", False)])
def test_only_what_is_page_locked_is_copied_beside(monkeypatch: pytest.MonkeyPatch, kind: str, beside: bool) -> None:
    """An Apple GPU would read a batch whose memory is long used again."""
    asked = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_, non_blocking: asked.append(non_blocking) or self)
    batches = HostBatches(_sampler((10, 40, 30), (8, 16, 16), Augment()), torch.device(kind))
    batches.finish(batches.begin(range(2)))
    assert asked == [beside] * 2
