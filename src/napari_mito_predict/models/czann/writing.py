"""Writing a ``.czann`` file."""

from __future__ import annotations

import hashlib
import importlib
import json
import tempfile
import uuid
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mito_predict._files import atomic_path
from napari_mito_predict.errors import ForeignModelError, MissingExtraError
from napari_mito_predict.models.czann.tiles import output_range, overlap_of, require_tiles, tile_network, tile_of
from napari_mito_predict.models.package import read_package

if TYPE_CHECKING:
    from napari_mito_predict.models.card import ModelCard
    from napari_mito_predict.models.czann.fixed import FixedInput
    from napari_mito_predict.models.package import Model
    from napari_mito_predict.networks.tile import TileNetwork

_OPSET = 18
"""Of ONNX, as the specification recommends."""


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
    graph = _graph(onnx, tile_network(model, fixed), tile_of(model.network))
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
    tile = tile_of(model.network)
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
    y_um, x_um = card.input.voxel_size_um[1:]
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
