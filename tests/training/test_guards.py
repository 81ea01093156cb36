"""Small guards that nothing else would miss: each test fails when the guard is taken out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_mito_predict.errors import UnwritableOutputError
from napari_mito_predict.training import Run, train
from napari_mito_predict.training.augment import augment
from napari_mito_predict.training.checks import check_shift
from napari_mito_predict.training.config_parts import Augment
from napari_mito_predict.training.pairs import Pair


def _largest_step(run: Run) -> float:
    """How far one iteration moved any weight."""
    paths = [run.path / "checkpoints" / f"{iteration:08d}.pt" for iteration in (0, 1)]
    before, after = (torch.load(path, weights_only=True)["model"] for path in paths)
    return max(float((after[name] - before[name]).abs().max()) for name in before if name.endswith("weight"))


def test_gradients_are_clipped(fields, make_config) -> None:
    """Adam divides by the size of the gradients, but adds 1e-8: gradients clipped to far less hardly move a weight."""
    settings = {"iterations": 1, "validate_every": 1, "learning_rate": 1e-3}
    free = train(make_config(fields, "free", **settings))
    clipped = train(make_config(fields, "clipped", clip_gradient=1e-12, **settings))
    assert _largest_step(free) == pytest.approx(1e-3, rel=0.1)
    assert 0 < _largest_step(clipped) < 1e-6


def _doubled(weight: float) -> Pair:
    """Truth that follows the light as recorded and, `weight` times as strongly, six pixels beside it."""
    rng = np.random.default_rng(0)
    light = gaussian_filter(rng.normal(size=(96, 96)), 1.5)
    light /= light.std()
    truth = light + weight * np.roll(light, 6, axis=1) + 0.5 * rng.normal(size=light.shape)
    return Pair("field", light.astype(np.float16), truth[None].astype(np.float16))


def test_edges_that_match_hardly_better_elsewhere_are_no_shift() -> None:
    """Edges of cells are no edges of organelles: without a start model only a far better match elsewhere counts."""
    found, picture = check_shift(_doubled(1.1), None, ("mitochondria",), along_third=False)
    assert (found, picture) == ([], None)
    found, picture = check_shift(_doubled(2.0), None, ("mitochondria",), along_third=False)
    assert [finding.code for finding in found] == ["shifted"]
    assert found[0].values["X"] == pytest.approx(6, abs=0.5)
    assert picture is not None


def test_a_request_to_stop_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its word it would pause a run that was to be finished; and the folder may be gone by now."""
    with pytest.raises(UnwritableOutputError, match="gone"):
        Run(tmp_path / "gone").request_stop(keep=True)

    def refuse(source: Path, target: Path) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        with pytest.raises(UnwritableOutputError, match="no space left"):
            Run(tmp_path).request_stop(keep=True)
    assert not list(tmp_path.iterdir())
    Run(tmp_path).request_stop(keep=True)
    assert Run(tmp_path).stop_requested == "keep"


def test_half_of_the_patches_stay_clean() -> None:
    """A network that sees noise always forgets what a clean image is."""
    given = np.random.default_rng(0).normal(size=(1, 8, 8)).astype(np.float32)
    changes = Augment(noise=1.0)
    clean = [np.array_equal(augment(given, given, changes, np.random.default_rng(i))[0], given) for i in range(200)]
    assert 70 < sum(clean) < 130
