"""Whether patches go with the network: divisible by its stride, and no more in a batch than any computer holds."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final

from napari_mito_predict.errors import TrainingDataError
from napari_mito_predict.models import find_model, read_card
from napari_mito_predict.training.presets import default_patch

if TYPE_CHECKING:
    from napari_mito_predict.training.config import TrainingConfig

_MOST_VOXELS: Final = 2**28
"""Of a part of a batch that is computed at once: 1 GiB of numbers, before the network makes any of its own."""
_DEFAULT_DEPTH: Final = 4


def patch_of(config: TrainingConfig, ndim: int) -> tuple[int, ...]:
    """Patch size for fields of `ndim` dimensions.

    Raises
    ------
    TrainingDataError
        The one asked for has another number of sizes, or does not go with the network.
    UnknownModelError, DamagedModelError, InvalidModelError
        There is no such start model, or it cannot be used.
    """
    patch = config.patch or default_patch(config.preset, ndim)
    if len(patch) != ndim:
        raise TrainingDataError(f"'patch' has {len(patch)} sizes, but the fields are {ndim}-D.")
    problem = patch_problem(patch, _stride(config), config.batch_size // (config.devices * config.accumulate))
    if problem:
        raise TrainingDataError(problem)
    return patch


def patch_problem(patch: tuple[int, ...], stride: int, at_a_time: int) -> str:
    """Why such patches cannot be trained on; empty where they can.

    Parameters
    ----------
    patch : tuple of int
        ``(D, Y, X)`` or ``(Y, X)``, in voxels.
    stride : int
        Of the network, along each axis.
    at_a_time : int
        Patches computed at once.
    """
    if any(size % stride for size in patch):
        nearest = [max(1, round(size / stride)) * stride for size in patch]
        return (
            f"'patch' is {list(patch)}, and has to be divisible by {stride} along each axis for this network; nearest "
            f"is {nearest}."
        )
    if at_a_time * prod(patch) > _MOST_VOXELS:
        return (
            f"{at_a_time} patches of {' x '.join(map(str, patch))} are {at_a_time * prod(patch):,} voxels at once, and "
            f"at most {_MOST_VOXELS:,} are taken. Choose a smaller 'patch' or 'batch_size', or a larger 'accumulate'."
        )
    if at_a_time == 1 and all(size == stride for size in patch):
        return (
            f"a single patch of {list(patch)} leaves one voxel at the coarsest level of this network, and nothing can "
            f"be normalised by one number. Choose a 'patch' such as {[2 * size for size in patch]}, or a larger batch."
        )
    return ""


def _stride(config: TrainingConfig) -> int:
    if config.network is not None:
        return config.network.stride
    if config.start_from is None:
        return stride_of("unet", _DEFAULT_DEPTH)
    architecture = read_card(find_model(config.start_from)).architecture
    return stride_of(architecture.kind, architecture.arguments.get("depth", _DEFAULT_DEPTH))


def stride_of(kind: str, depth: int) -> int:
    """By what sizes have to be divisible for a network of `depth`, whose levels are one more in a U-Net."""
    if kind == "unet":
        return 1 << depth
    return 1 << (depth - 1)
