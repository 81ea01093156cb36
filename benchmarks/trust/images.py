"""The images of each condition, with what was recorded beside the light."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import tifffile
from skimage.io import imread

from napari_mito_predict.image import ImageSource, from_array, open_image
from napari_mito_predict.image.arrays import ArrayBackend
from napari_mito_predict.simulation import Conditions, simulate_series, simulate_stack
from napari_mito_predict.simulation.acquisition import expose_fluorescence, expose_transmitted, illumination
from trust.changes import CHANGES, Array, Truths
from trust.conditions import CULTURE, NATIVE_UM, REAL, SERIES, STACK, STEP_S, Condition

_CROP = 256
_PAINTING_CROP = 128
"""Its pixels are large: resampled for most models to many more."""
_TPMT = "T PMT"


@dataclass(frozen=True)
class Field:
    """One image.

    Attributes
    ----------
    image : ImageSource
    channel : int
        Of what is given as transmitted light.
    truths : dict
        Structure to what was recorded of it, on the grid of the image without its axes of length 1.
    projected : bool
        The truth is the maximum over the planes.
    """

    image: ImageSource
    channel: int
    truths: Truths
    projected: bool = False

    def truth_for(self, target: str) -> Array | None:
        """Of the structure that a model predicts; of another where there is no other, None where there is none."""
        return self.truths.get(target, next(iter(self.truths.values()), None))

    def comparable(self, prediction: Array) -> Array:
        """The part of a prediction that there is a truth for."""
        found = prediction.squeeze()
        if self.projected:
            return found.max(0)
        (shape,) = {truth.shape for truth in self.truths.values()}
        if found.ndim > len(shape):
            return found[len(found) // 2]  # of a movie in which nothing moves
        return found


def field_of(condition: Condition, name: str, folder: Path) -> Field:
    """The image of one field under a condition; simulated cells are kept in `folder`."""
    if condition.simulated:
        return _simulated(condition, int(name), folder)
    return _READERS[condition.images](condition, name)


def _simulated(condition: Condition, seed: int, folder: Path) -> Field:
    recorded = _kept(condition, seed, folder)
    light, truths = CHANGES[condition.change](recorded[0], {"mitochondria": recorded[1], "dna": recorded[2]})
    true_axes = "TYX" if condition.images == "series" else "ZYX"
    axes = condition.given_as or true_axes
    voxel_um = condition.told_um or _conditions(condition, seed).voxel_size_um
    image = from_array(
        light,
        axes=axes,
        channel_names=["TMRM-T1" if condition.change == "fluorescence" else "ESID-T1"],
        voxel_size_um=voxel_um if axes == "ZYX" else (None, *voxel_um[1:]),
        time_step_s=STEP_S if axes == "TYX" else None,
        name=condition.name,
    )
    # As the simulator's files say of themselves: without it no model of simulated cells could be green.
    info = replace(image.info, simulated=True)
    return Field(ImageSource(ArrayBackend(light, axes, info), name=condition.name), 0, truths)


def _conditions(condition: Condition, seed: int) -> Conditions:
    optics = dict(condition.optics)
    voxel_um = optics.pop("voxel_size_um", NATIVE_UM)
    return replace(Conditions.matched(np.random.default_rng(seed), voxel_size_um=voxel_um), **optics)


def _kept(condition: Condition, seed: int, folder: Path) -> Array:
    """Light, mitochondria and DNA, (3, Z or T, Y, X), simulated once."""
    settings = "-".join(f"{key}={value}" for key, value in sorted(condition.optics.items())) or "matched"
    path = folder / f"{condition.images} {settings} {seed}.npy".replace(" ", "_")
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npy")
        np.save(unfinished, _SIMULATIONS[condition.images](seed, _conditions(condition, seed)))
        unfinished.replace(path)
    recorded: Array = np.load(path)
    return recorded


def _stack(seed: int, conditions: Conditions) -> Array:
    return simulate_stack(seed, conditions, STACK).data[:, 0]


def _culture(seed: int, conditions: Conditions) -> Array:
    return simulate_stack(seed, conditions, CULTURE).data[:, 0]


def _series(seed: int, conditions: Conditions) -> Array:
    return simulate_series(seed, conditions, SERIES[0], STEP_S, SERIES[1:]).data[:, :, 0]


def _empty(seed: int, conditions: Conditions) -> Array:
    """Medium without a cell: what is uneven about the light, and the noise of all detectors."""
    rng = np.random.default_rng(seed)
    light = expose_transmitted(np.ones(STACK), illumination(conditions, STACK[1:], rng), conditions, rng)
    noise = conditions.fluorescence_read_noise
    stains = [expose_fluorescence(np.zeros(STACK), one, conditions.counts_per_photon, rng) for one in noise]
    return np.stack([light, *stains])


_SIMULATIONS: Mapping[str, Callable[[int, Conditions], Array]] = MappingProxyType(
    {"stack": _stack, "culture": _culture, "series": _series, "empty": _empty}
)


def _real(
    condition: Condition, light: Array, truths: Truths, name: str, voxel_um: tuple[float | None, ...] | None
) -> Field:
    """An image whose file says what its light is."""
    light, truths = CHANGES[condition.change](light, truths)
    third = "T" if condition.change == "still" else "Z"
    image = from_array(
        light,
        axes="YX" if light.ndim == 2 else f"{third}YX",
        channel_names=[name],
        voxel_size_um=voxel_um,
        time_step_s=STEP_S if condition.change == "still" else None,
        name=condition.name,
    )
    return Field(image, 0, truths, projected=condition.images == "neurons")


def _h9c2(condition: Condition, name: str) -> Field:
    folder = REAL / "h9c2_brightfield_to_mito"
    truths = {"mitochondria": imread(folder / "target" / f"{name}.png")}
    return _real(condition, imread(folder / "input" / f"{name}.png"), truths, "Bright-field", (None, 0.1, 0.1))


def _mcf7(condition: Condition, name: str) -> Field:
    folder = REAL / "mcf7_brightfield_to_dna"
    light = _middle(tifffile.imread(folder / "input" / f"{name}.tif"))
    truths = {"dna": _middle(tifffile.imread(folder / "target" / f"{name}.tif"))}
    return _real(condition, light, truths, "Bright-field", (None, 0.3112, 0.3112))


def _hela(condition: Condition, name: str) -> Field:
    folder = REAL / "phase_to_nuclei"
    read = {part: _middle(tifffile.imread(folder / f"{name}_{part}.tif")) for part in ("phase", "nuclei")}
    return _real(condition, read["phase"], {"dna": read["nuclei"]}, "Phase contrast", None)


def _neurons(condition: Condition, name: str) -> Field:
    folder = REAL / "phase_stack_to_dapi"
    light = _part(name, tifffile.imread(folder / "motor_neurons_phase_z13.tif"), _CROP)
    truth = _part(name, tifffile.imread(folder / "motor_neurons_dapi_maxproj.tif").squeeze(), _CROP)
    return _real(condition, light, {"dna": truth}, "Phase contrast", None)


def _painting(condition: Condition, name: str) -> Field:
    folder = REAL / "cell_painting_brightfield_mito_dna"
    files = {part: f"BR00143976_C03_f3_{part}.tiff" for part in ("brightfield", "mito", "dna")}
    parts = {part: _part(name, tifffile.imread(folder / file), _PAINTING_CROP) for part, file in files.items()}
    truths = {"mitochondria": parts["mito"], "dna": parts["dna"]}
    return _real(condition, parts["brightfield"], truths, "Bright-field", (None, 0.6, 0.6))


def _part(name: str, pixels: Array, size: int) -> Array:
    """The middle of one of three parts, one above the other, of the left or the right half."""
    side, number = name.split()
    height = pixels.shape[-2] // 3
    width = pixels.shape[-1] // 2
    row = int(number) * height
    column = {"left": 0, "right": width}[side]
    return _middle(pixels[..., row : row + height, column : column + width], size)


def _middle(pixels: Array, size: int = _CROP) -> Array:
    """Of each plane."""
    row = (pixels.shape[-2] - size) // 2
    column = (pixels.shape[-1] - size) // 2
    return pixels[..., row : row + size, column : column + size].copy()


def _tpmt(condition: Condition, name: str) -> Field:
    image = open_image(REAL / "czi" / f"{name}.czi")
    (channel,) = (channel.index for channel in image.channels if channel.name == _TPMT)
    return Field(image, channel, {})


_READERS: Mapping[str, Callable[[Condition, str], Field]] = MappingProxyType(
    {"h9c2": _h9c2, "mcf7": _mcf7, "hela": _hela, "neurons": _neurons, "painting": _painting, "tpmt": _tpmt}
)
