"""What a package says of the images trained on is what anybody finds who looks at such an image."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from napari_mito_predict.image.blank import recorded
from napari_mito_predict.models import Normalisation
from napari_mito_predict.networks import build_network
from napari_mito_predict.prediction.appearance import distance, look_at
from napari_mito_predict.prediction.intensities import intensity_percentiles, relative_contrast
from napari_mito_predict.prediction.normalize import measure, normalise
from napari_mito_predict.training.pairs import Pair
from napari_mito_predict.training.summary import look_at_pair, training_images_of

KINDS = (
    Normalisation(),
    Normalisation(kind="robust"),
    Normalisation(kind="range", percentiles=(1, 99)),
    Normalisation(kind="fixed", offset=1000.0, scale=80.0),
)


def light_of(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).normal(1000, 100, shape).astype(np.uint16)


def pair_of(field: str, light: np.ndarray, normalisation: Normalisation) -> Pair:
    given = normalise(light, measure(light, normalisation)).astype(np.float16)
    return Pair(field, given, given[None], relative_contrast(recorded(light)))


@pytest.mark.parametrize("normalisation", KINDS, ids=[kind.kind for kind in KINDS])
@pytest.mark.parametrize("shape", [(16, 48, 96), (140, 150)], ids=["volume", "plane"])
def test_an_image_is_as_far_away_as_its_package_says(shape: tuple[int, ...], normalisation: Normalisation) -> None:
    torch.manual_seed(0)
    network = build_network("unet", {"ndim": len(shape), "depth": 1, "base_channels": 2}).eval()
    lights = [light_of(seed, shape) for seed in range(8)]
    pairs = [pair_of(f"field{i}", light, normalisation) for i, light in enumerate(lights)]
    data: Any = SimpleNamespace(
        fields=SimpleNamespace(groups={"field7": "another"}, validation=("field6",)),
        training=pairs[:6],
        validation=pairs[6:7],
    )
    tested = [look_at_pair(pairs[7], data, network)]
    assert tested[0].field == "another"
    found = training_images_of(data, network, tested)
    assert found is not None
    other = normalise(lights[6], measure(lights[6], normalisation))
    seen = look_at(other, relative_contrast(lights[6]), network)
    wanted = distance(found, np.concatenate([seen.features, tested[0].features]))
    # Half precision.
    np.testing.assert_allclose(found.distances, np.sort(wanted), rtol=0.02, atol=0.02 * found.distances.max())
    first = normalise(lights[0], measure(lights[0], normalisation))
    np.testing.assert_allclose(found.intensities[0], intensity_percentiles(first), atol=0.01)
    np.testing.assert_allclose(found.contrast, [light.std() / light.mean() for light in lights[:6]], rtol=1e-5)


def test_without_other_fields_each_field_is_one() -> None:
    network = build_network("unet", {"ndim": 2, "depth": 1, "base_channels": 2}).eval()
    pairs = [pair_of(f"field{i // 2}", light_of(i, (128, 150)), KINDS[0]) for i in range(12)]
    data: Any = SimpleNamespace(fields=SimpleNamespace(groups={}, validation=()), training=pairs, validation=pairs[:2])
    found = training_images_of(data, network)
    assert found is not None
    assert len(found.distances) == sum(len(look_at_pair(pair, data, network).features) for pair in pairs)
