"""Loss functions, by their names in the configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    Loss = Callable[[Tensor, Tensor], Tensor]

_WINDOW = 7
_C1, _C2 = 0.01**2, 0.03**2
_RANGE = 6.0
"""Range of intensities L: truth is z-scored, and nearly all of it lies within six standard deviations."""


def make_loss(name: str) -> Loss:
    """Loss by its name in the configuration: ``mse`` (the paper's), ``l1``, ``mse+dssim`` or ``mse+pcc``."""
    losses: dict[str, Loss] = {
        "mse": functional.mse_loss,
        "l1": functional.l1_loss,
        "mse+dssim": _mse_and_dssim,
        "mse+pcc": _mse_and_pcc,
    }
    return losses[name]


def pearson_distance(prediction: Tensor, truth: Tensor) -> Tensor:
    """``1 - PCC``, averaged over patches and targets.

    How bright a structure is in a patch depends on what else the image holds, since its truth is z-scored as a whole;
    the correlation within a patch does not depend on that.

    Parameters
    ----------
    prediction, truth : Tensor, (N, C, [D,] Y, X)
    """
    a, b = (t.float().flatten(2) for t in (prediction, truth))
    a, b = (t - t.mean(-1, keepdim=True) for t in (a, b))
    return (1 - functional.cosine_similarity(a, b, dim=-1)).mean()


def dssim(prediction: Tensor, truth: Tensor) -> Tensor:
    """Structural dissimilarity ``(1 - SSIM) / 2``, averaged over 7-voxel windows of the last two axes.

    SSIM of Wang et al. 2004 with uniform windows, population variances and L = 6 standard deviations.

    Parameters
    ----------
    prediction, truth : Tensor, (N, C, [D,] Y, X)
        Z-scores; windows lie wholly inside.
    """
    a, b = (t.float().reshape(-1, 1, *t.shape[-2:]) for t in (prediction, truth))
    size = min(_WINDOW, *a.shape[-2:])

    def mean(image: Tensor) -> Tensor:
        return functional.avg_pool2d(image, size, stride=1)

    mean_a, mean_b = mean(a), mean(b)
    var_a = mean(a * a) - mean_a**2
    var_b = mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = _C1 * _RANGE**2, _C2 * _RANGE**2
    ssim = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return (1 - ssim.mean()) / 2


def _mse_and_dssim(prediction: Tensor, truth: Tensor) -> Tensor:
    return functional.mse_loss(prediction, truth) + dssim(prediction, truth)


def _mse_and_pcc(prediction: Tensor, truth: Tensor) -> Tensor:
    return functional.mse_loss(prediction, truth) + pearson_distance(prediction, truth)
