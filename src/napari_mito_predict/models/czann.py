"""Models for ZEN and arivis: a ``.czann`` file, which is metadata, the network as ONNX, and a text.

The format is ZEISS's, see https://pypi.org/project/czmodel (specification 2.1.0). Those programs give a network tiles
of 0 to 1 and never the whole image, so that fixed constants take the place of its normalisation.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import tempfile
import uuid
import warnings
import zipfile
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_mito_predict._files import atomic_path
from napari_mito_predict.errors import ForeignModelError, MissingExtraError, ModelMismatchError
from napari_mito_predict.models.package import read_package

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard, Target
    from napari_mito_predict.models.package import Model
    from napari_mito_predict.networks import Network
    from napari_mito_predict.networks.tile import TileNetwork

TILE: Final = 1024
"""Pixels along y and x of the tiles that ZEN cuts, as in the examples of the specification."""
_LONGEST_OVERLAP = 512
_OPSET = 18
"""Of ONNX, as the specification recommends."""
_RELIABLE = 0.9
"""Mean correlation below which predictions with fixed constants are others."""
_MEASURED = (
    "On real cells, constants of the same field cost mito-2d-h9c2 0.09 of a PCC of 0.66, those of other fields 0.17; "
    "images half a standard deviation brighter than their constants cost it 0.01, a whole one 0.24."
)
"""From `benchmarks/zen_normalisation.py`."""


@dataclass(frozen=True)
class FixedCost:
    """What fixed constants change, against normalising each image by itself.

    Each image was predicted with the constants of the others.

    Attributes
    ----------
    images : int
        How many there were.
    correlation, worst : float
        Pearson correlation of the two predictions of an image: mean, and lowest.
    shift : float
        Mean difference in brightness between the two, without its sign, in z-scores of the training truth.
    """

    images: int
    correlation: float
    worst: float
    shift: float


@dataclass(frozen=True)
class FixedInput:
    """What stands in for the normalisation by the whole image; see `napari_mito_predict.prediction.zen`.

    Attributes
    ----------
    offset, scale : float
        ``(x - offset) / scale`` is what the network gets, with x from 0 to 1.
    white : int
        The pixel value that becomes 1: the largest one of the pixel type.
    images : int
        From how many images the constants are.
    cost : FixedCost or None
        None where there was one image only.
    note : str
        What else the user should know, in a sentence; empty for nothing.
    """

    offset: float
    scale: float
    white: int
    images: int
    cost: FixedCost | None = None
    note: str = ""

    def __str__(self) -> str:
        """Constants and what they cost, in sentences."""
        constants = (
            f"Fixed constants of {_counted(self.images, 'image')}: pixel value {self.offset * self.white:.4g} becomes "
            f"0, and {self.scale * self.white:.4g} more becomes 1 ({self.white} is the largest value)."
        )
        return " ".join(filter(None, (constants, self._cost_text(), self.note, _MEASURED)))

    def _cost_text(self) -> str:
        cost = self.cost
        if cost is None:
            return "What they cost here was not measured: that takes two images or more."
        found = (
            "Against normalising each image by itself, predictions with the constants of the other images correlate at "
            f"{cost.correlation:.2f} on average and {cost.worst:.2f} at worst, and differ in mean brightness by "
            f"{cost.shift:.2f} z-scores ({cost.images} images)."
        )
        if cost.correlation >= _RELIABLE:
            return found
        return (
            f"{found} That is too little to rely on: these images differ too much in brightness or contrast for fixed "
            "constants. Record with the same light and exposure."
        )


def require_tiles(model: Model) -> None:
    """Refuse a model that cannot do with tiles of single planes.

    Raises
    ------
    ModelMismatchError
        It takes stacks or several channels, or looks at the whole field at once.
    ForeignModelError
        It is the finished graph of another program.
    """
    network = model.network
    if model.card.weights.file != "weights.safetensors":
        raise ForeignModelError(
            f"{model.name} is a finished graph of another program, which is not written anew for ZEN. Export it for "
            "ZEN with the program it is from."
        )
    if network.ndim != 2 or model.third_axes:
        raise ModelMismatchError(
            f"{model.name} predicts from stacks, and ZEN is given models of single planes. Train a model of single "
            "planes for ZEN; or predict with this one here, and open the prediction, an OME-TIFF, in ZEN."
        )
    if network.in_channels != 1:
        raise ModelMismatchError(
            f"{model.name} takes {network.in_channels} channels, and only models of one can be exported for ZEN."
        )
    if network.contexts != 0:
        raise ModelMismatchError(
            f"{model.name} looks at the whole field at once, and ZEN gives a network tiles, of which each would get "
            "another answer. Train a U-Net of single planes for ZEN; or predict with this one here, and open the "
            "prediction, an OME-TIFF, in ZEN."
        )


def tile_network(model: Model, fixed: FixedInput) -> TileNetwork:
    """Make the network as ZEN runs it, on the CPU: ``(N, Y, X, 1)`` to ``(N, Y, X, targets)``, float32 from 0 to 1."""
    from napari_mito_predict.networks.tile import TileNetwork

    ranges = [output_range(target) for target in model.card.targets]
    return TileNetwork(model.network, fixed.offset, fixed.scale, ranges).eval()


def output_range(target: Target) -> tuple[float, float]:
    """Which z-scores become 0 and 1: the display range, and as much again on either side of it.

    So the display range is the middle third. At the display range itself, predictions would be clipped.
    """
    low, high = target.contrast_limits
    width = high - low
    return low - width, high + width


def overlap_of(network: Network) -> tuple[int, int]:
    """By how much tiles have to overlap along y and x so that no seam is seen; even numbers.

    A border of half the receptive field, in whole steps of the network's stride, on both sides of a seam; at most half
    a tile, as what is further away counts for little.
    """
    borders = [
        ceil(field / 2 / stride) * stride for field, stride in zip(network.receptive_field, network.stride, strict=True)
    ]
    y, x = (min(2 * border, _LONGEST_OVERLAP) for border in borders)
    return y, x


def write_czann(package: Path, final: Path, fixed: FixedInput | None) -> None:
    """Write a model as a ``.czann`` file: complete, or not at all; one that is there is replaced.

    The same model and constants give the same bytes.

    Parameters
    ----------
    package : Path
        The model.
    final : Path
        The file.
    fixed : FixedInput or None
        Made by `napari_mito_predict.prediction.zen.fixed_input`.

    Raises
    ------
    MissingExtraError
        czmodel or onnx is not installed.
    ModelMismatchError, ForeignModelError
        The model cannot be exported, see `require_tiles`; or there are no constants.
    UnwritableOutputError
        The file cannot be written.
    """
    czmodel = _needed("czmodel")
    onnx = _needed("onnx")
    model = read_package(package)
    require_tiles(model)
    if fixed is None:
        raise ForeignModelError(
            f"ZEN cannot normalise by the whole image, so that {model.name} needs fixed constants instead. Give one or "
            "more images like those that ZEN will predict from: same microscope, light, exposure and pixel type."
        )
    graph = _graph(onnx, tile_network(model, fixed), _tile_of(model.network))
    metadata = _metadata(czmodel, model, graph)
    shapes = [_shape(value) for value in (graph.graph.input[0], graph.graph.output[0])]
    _needed("czmodel.core.util.common").validate_metadata(metadata, *shapes)
    members = {
        "model.json": json.dumps(metadata.to_czann_dict(), indent=2).encode(),
        "model.model": graph.SerializeToString(),
        "license.txt": _text(model.card, fixed).encode(),
    }
    with atomic_path(final) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def _needed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"Exporting models for ZEN needs the packages czmodel and onnx, which could not be imported ({error}). "
            "Install them with: pip install napari-mito-predict[czann]"
        ) from error


def _tile_of(network: Network) -> tuple[int, int]:
    """Size of the tiles along y and x, which the network's stride divides."""
    y, x = (ceil(TILE / stride) * stride for stride in network.stride)
    return y, x


def _graph(onnx: Any, network: TileNetwork, tile: tuple[int, int]) -> Any:
    """The network as an ONNX model for tiles of one size, and any number of them at once."""
    import torch

    # torch recommends its other exporter. That one needs more packages, and writes paths of this machine into the file.
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        path = str(Path(folder, "network.onnx"))
        torch.onnx.export(
            network,
            (torch.zeros(1, *tile, 1),),
            path,
            dynamo=False,
            opset_version=_OPSET,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
        )
        graph = onnx.load(path)
    onnx.checker.check_model(graph)
    return graph


def _shape(value: Any) -> list[int]:
    """Sizes of an input or output without its batch dimension; 0 for any size."""
    return [size.dim_value for size in value.type.tensor_type.shape.dim][1:]


def _metadata(czmodel: Any, model: Model, graph: Any) -> Any:
    content = hashlib.sha256(graph.SerializeToString()).hexdigest()
    tile = _tile_of(model.network)
    return czmodel.ModelMetadata(
        model_type=czmodel.ModelType.REGRESSION,
        input_shape=[*tile, 1],
        output_shape=[*tile, len(model.targets)],
        model_id=str(uuid.uuid5(uuid.NAMESPACE_OID, content)),
        model_name=model.name,
        min_overlap=list(overlap_of(model.network)),
        scaling=_scaling(model.card),
    )


def _scaling(card: ModelCard) -> tuple[float, float] | None:
    """Pixel size along x and y in metres, as the format has it; None where it is not known."""
    _, y_um, x_um = card.input.voxel_size_um
    if y_um is None or x_um is None:
        return None
    return x_um * 1e-6, y_um * 1e-6


def _text(card: ModelCard, fixed: FixedInput) -> str:
    """What goes with the model for people, in the one place that the format has for it."""
    lines = [
        f"{card.name}, as a model for ZEN and arivis. It was not tried in either of them.",
        card.disclaimer,
        "",
        str(fixed),
        *_light_lines(card, fixed),
        f"In: pixel value / {fixed.white} is x; the network gets (x - {fixed.offset:.9g}) / {fixed.scale:.9g}.",
    ]
    for target in card.targets:
        low, high = output_range(target)
        lines.append(
            f"Out, {target.name}: z-score {low:.9g} becomes 0 and {high:.9g} becomes 1; beyond, it is clipped. Show it "
            "from 1/3 to 2/3 of the full range."
        )
    return "\n".join([*lines, "", card.to_markdown()])


def _light_lines(card: ModelCard, fixed: FixedInput) -> list[str]:
    """How to record for these constants, where what they stand for can be seen in an image."""
    if card.input.normalisation.kind != "zscore":
        return []
    mean = fixed.offset * fixed.white
    return [f"Record with the light so that the mean pixel value of an image is near {mean:.4g}."]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
