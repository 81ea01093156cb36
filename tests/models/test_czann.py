"""Models for ZEN: what is in the file, that its graph is our network, and what is refused."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_mito_predict.errors import (
    ForeignModelError,
    ImageError,
    MissingExtraError,
    ModelMismatchError,
    OutputExistsError,
    UnsupportedImageError,
    UnwritableOutputError,
)
from napari_mito_predict.image import from_array
from napari_mito_predict.models import Architecture, Model, ModelCard, Normalisation, Target, load_model, save_model
from napari_mito_predict.models.czann import TILE, FixedCost, FixedInput, output_range, overlap_of, require_tiles
from napari_mito_predict.models.library import export_model
from napari_mito_predict.prediction.zen import fixed_input, predict_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mito_predict.image import ImageSource
    from napari_mito_predict.networks.unet import UNet

FIXED = FixedInput(offset=0.25, scale=0.05, white=65535, images=1)
REASON = "pip install napari-mito-predict[czann] onnxruntime"


def lively(network: UNet) -> UNet:
    """Give it random weights with which the output varies as much as the input; so it does in a trained network."""
    import torch

    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            torch.nn.init.normal_(module.bias, std=0.1)
    return network.eval()


@pytest.fixture
def save(tmp_path: Path, plane_card: ModelCard, plane_network: UNet) -> Callable[..., Path]:
    """Write a model of single planes, its card changed as asked for."""

    def write(**changes: Any) -> Path:
        card = plane_card.model_copy(update=changes)
        sample = np.random.default_rng(0).standard_normal((1, 16, 16), dtype=np.float32)
        save_model(tmp_path / card.name, card, lively(plane_network), sample)
        return tmp_path / card.name

    return write


@pytest.fixture
def package(save: Callable[..., Path]) -> Path:
    """A model of single planes with one target."""
    return save()


@pytest.fixture
def exporting() -> None:
    """Skip where what writes and runs the files is not installed."""
    for module in ("czmodel", "onnx", "onnxruntime"):
        pytest.importorskip(module, reason=REASON)


def cells(seed: int = 0, *, brightness: float = 9000, shape: tuple[int, int] = (40, 48)) -> ImageSource:
    """Noise as a camera of 16 bits might record it."""
    values = np.random.default_rng(seed).normal(brightness, 1500, shape)
    return from_array(values.clip(0, 65535).astype(np.uint16), axes="YX", channel_names=["BF"], name=f"cells{seed}")


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def run_graph(path: Path, tile: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the graph in the file gives for one tile (Y, X, 1)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(members(path)["model.model"], providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.type, given.shape[1:]) == ("tensor(float)", [TILE, TILE, 1])
    result: NDArray[np.float32] = session.run(None, {given.name: tile[None]})[0][0]
    return result


def whole(model: Model, image: NDArray[np.floating]) -> NDArray[np.float32]:
    """What our network gives for a normalised image (Y, X): (targets, Y, X)."""
    from napari_mito_predict.models.weights import forward

    return forward(model.network, image[None].astype(np.float32))


# ---------------------------------------------------------------- the file
@pytest.mark.usefixtures("exporting")
def test_the_graph_is_our_network_between_the_documented_maps(package: Path, tmp_path: Path) -> None:
    path = export_model(package, tmp_path / "out", file_format="czann", fixed=FIXED)
    assert path == tmp_path / "out.czann"
    recorded = np.random.default_rng(1).integers(10_000, 24_000, (TILE, TILE)).astype(np.uint16)
    found = run_graph(path, (recorded[..., None] / 65535).astype(np.float32))
    model = load_model(package)
    expected = whole(model, (recorded / 65535 - FIXED.offset) / FIXED.scale)[0]
    low, high = output_range(model.card.targets[0])
    np.testing.assert_allclose(found[..., 0], np.clip((expected - low) / (high - low), 0, 1), atol=1e-4)
    assert found.std() > 0.02
    assert found.dtype == np.float32


@pytest.mark.usefixtures("exporting")
def test_zeiss_reads_back_what_was_written(save: Callable[..., Path], plane_card: ModelCard, tmp_path: Path) -> None:
    from czmodel import ModelType
    from czmodel.core.util._extract_model import extract_czann_model

    known = plane_card.input.model_copy(update={"voxel_size_um": (None, 0.11, 0.12), "estimated_pixel_um": None})
    package = save(name="Mitochondrien-Größe", input=known)
    path = export_model(package, tmp_path, file_format="czann", fixed=FIXED)
    assert path == tmp_path / "Mitochondrien-Größe.czann"
    metadata, graph = extract_czann_model(str(path), tmp_path / "unpacked")
    assert metadata.model_type is ModelType.REGRESSION
    assert metadata.input_shape == metadata.output_shape == [TILE, TILE, 1]
    assert metadata.model_name == "Mitochondrien-Größe"
    assert metadata.scaling == pytest.approx((0.12e-6, 0.11e-6))  # x, y, in metres
    assert Path(graph).name == "model.model"
    written = json.loads(members(path)["model.json"])
    assert written["FormatVersion"] == "2.1.0"
    assert all(overlap % 2 == 0 for overlap in written["MinOverlap"])


@pytest.mark.usefixtures("exporting")
def test_the_graph_is_one_that_old_programs_run(package: Path, tmp_path: Path) -> None:
    import onnx

    path = export_model(package, tmp_path / "out.czann", file_format="czann", fixed=FIXED)
    graph = onnx.load_model_from_string(members(path)["model.model"])
    assert [(opset.domain, opset.version) for opset in graph.opset_import] == [("", 18)]
    assert graph.ir_version <= 8
    assert len(graph.graph.input) == len(graph.graph.output) == 1
    assert graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value in (0, 1)  # any number of tiles, or one
    assert not any(tensor.external_data for tensor in graph.graph.initializer)


@pytest.mark.usefixtures("exporting")
def test_the_same_model_and_constants_give_the_same_bytes(package: Path, tmp_path: Path) -> None:
    first = export_model(package, tmp_path / "a.czann", file_format="czann", fixed=FIXED)
    second = export_model(package, tmp_path / "b.czann", file_format="czann", fixed=FIXED)
    assert first.read_bytes() == second.read_bytes()
    other = FixedInput(0.3, 0.05, 65535, 1)
    third = export_model(package, tmp_path / "c.czann", file_format="czann", fixed=other)
    ids = {json.loads(members(path)["model.json"])["Id"] for path in (first, second, third)}
    assert len(ids) == 2


@pytest.mark.usefixtures("exporting")
def test_nothing_of_this_machine_is_in_the_file(package: Path, tmp_path: Path) -> None:
    path = export_model(package, tmp_path / "out.czann", file_format="czann", fixed=FIXED)
    assert sorted(members(path)) == ["license.txt", "model.json", "model.model"]
    strangers = (str(tmp_path), str(Path.home()), sys.prefix, str(Path(__file__).parents[2]), "site-packages")
    for name, content in members(path).items():
        assert not [each for each in strangers if each.encode() in content and len(each) > 1], name


@pytest.mark.usefixtures("exporting")
def test_licence_attribution_and_maps_are_told_to_people(package: Path, tmp_path: Path) -> None:
    cost = FixedCost(images=4, correlation=0.757, worst=0.062, shift=0.31)
    fixed = FixedInput(0.25, 0.05, 255, 4, cost)
    path = export_model(package, tmp_path / "out.czann", file_format="czann", fixed=fixed)
    text = members(path)["license.txt"].decode()
    assert "GPL-3.0-only" in text
    assert "Images of somebody, doi:10.1000/1" in text
    assert "not tried in either of them" in text
    assert "(x - 0.25) / 0.05" in text
    assert "the mean pixel value of an image is near 63.75" in text
    assert "z-score -8 becomes 0 and 13 becomes 1" in text  # the display range is -1 to 6
    assert "correlate at 0.76 on average and 0.06 at worst" in text


@pytest.mark.usefixtures("exporting")
def test_a_simulated_model_says_so_in_zen_too(save: Callable[..., Path], tmp_path: Path) -> None:
    path = export_model(save(simulated=True), tmp_path / "out.czann", file_format="czann", fixed=FIXED)
    assert "Trained on simulated cells" in members(path)["license.txt"].decode().splitlines()[1]


@pytest.mark.usefixtures("exporting")
def test_each_target_is_a_channel_with_a_range_of_its_own(plane_card: ModelCard, tmp_path: Path) -> None:
    from napari_mito_predict.networks.unet import UNet

    targets = (*plane_card.targets, Target(name="dna", stain="Hoechst", contrast_limits=(-0.5, 0.5)))
    arguments = {"ndim": 2, "depth": 1, "base_channels": 2, "out_channels": 2}
    card = plane_card.model_copy(
        update={"targets": targets, "architecture": Architecture(kind="unet", arguments=arguments)}
    )
    package = tmp_path / "two"
    save_model(package, card, lively(UNet(**arguments)), np.zeros((1, 16, 16), np.float32))
    path = export_model(package, tmp_path / "two.czann", file_format="czann", fixed=FIXED)
    tile = np.random.default_rng(2).random((TILE, TILE, 1), np.float32)
    found = run_graph(path, tile)
    expected = whole(load_model(package), (tile[..., 0] - FIXED.offset) / FIXED.scale)
    for channel, (low, high) in enumerate(map(output_range, targets)):
        clipped = np.clip((expected[channel] - low) / (high - low), 0, 1)
        np.testing.assert_allclose(found[..., channel], clipped, atol=1e-4)


# ---------------------------------------------------------------- tiles
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_beyond_the_border_a_tile_does_not_matter(depth: int) -> None:
    """A seam in the middle of the overlap is as far from both edges as the network looks, on its stride grid."""
    import torch

    from napari_mito_predict.networks.unet import UNet

    network = lively(UNet(ndim=2, depth=depth, base_channels=2))
    border = overlap_of(network)[0] // 2
    step = network.stride[0]
    assert border % step == 0
    plane = torch.randn(1, 1, step, 2 * border + 16 * step)
    start, stop = 4 * step, 4 * step + 2 * border + step
    with torch.inference_mode():
        expected = network(plane)[..., start + border : stop - border]
        found = network(plane[..., start:stop])[..., border:-border]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert expected.std() > 0.1


def test_a_deep_network_has_an_overlap_that_leaves_something_of_a_tile() -> None:
    from napari_mito_predict.networks.unet import UNet

    assert overlap_of(UNet(ndim=2, depth=6, base_channels=1)) == (512, 512)


@pytest.mark.parametrize(("limits", "expected"), [((-1, 6), (-8, 13)), ((2, 2), (1, 3))], ids=["usual", "none"])
def test_any_display_range_gives_a_range_of_values(limits: tuple[float, float], expected: tuple[float, float]) -> None:
    assert output_range(Target(name="dna", stain="Hoechst", contrast_limits=limits)) == expected


# ---------------------------------------------------------------- constants
def test_constants_are_those_of_the_image_in_the_0_to_1_of_its_pixel_type(package: Path) -> None:
    values = np.random.default_rng(0).integers(20, 200, (40, 48)).astype(np.uint8)
    image = from_array(values, axes="YX", channel_names=["BF"], name="cells")
    fixed = fixed_input(package, [image])
    assert (fixed.white, fixed.images, fixed.cost) == (255, 1, None)
    low, high = np.percentile(values, (0.1, 99.9))
    clipped = values.clip(low, high)
    assert fixed.offset * 255 == pytest.approx(clipped.mean())
    assert fixed.scale * 255 == pytest.approx(clipped.std())
    assert "was not measured" in str(fixed)


@pytest.mark.parametrize(
    ("normalisation", "offset", "scale"),
    [
        (Normalisation(kind="fixed", offset=500, scale=125), 500, 125),
        (Normalisation(kind="range", percentiles=(0, 100)), 0, 255),
        (Normalisation(kind="robust"), 127, 128),
        (Normalisation(clip_percentiles=None), 127.5, np.arange(256).std()),
    ],
    ids=["fixed", "range", "robust", "unclipped"],
)
def test_constants_are_what_the_model_normalises_by(
    save: Callable[..., Path], plane_card: ModelCard, normalisation: Normalisation, offset: float, scale: float
) -> None:
    package = save(input=plane_card.input.model_copy(update={"normalisation": normalisation}))
    values = np.random.default_rng(0).permutation(np.repeat(np.arange(256), 4)).reshape(32, 32).astype(np.uint8)
    image = from_array(values, axes="YX", channel_names=["BF"], name="cells")
    fixed = fixed_input(package, [image])
    assert fixed.offset * 255 == pytest.approx(offset, abs=1)
    assert fixed.scale * 255 == pytest.approx(scale, abs=1)


def test_of_several_images_the_middle_counts(package: Path) -> None:
    images = [cells(seed, brightness=brightness) for seed, brightness in enumerate((9000, 9500, 60_000))]
    fixed = fixed_input(package, images)
    assert fixed.offset * 65535 == pytest.approx(9500, abs=100)


def test_images_that_are_alike_cost_nothing_and_others_much(package: Path) -> None:
    alike = fixed_input(package, [cells(0), cells(1), cells(2)]).cost
    different = fixed_input(package, [cells(0), cells(1, brightness=30_000), cells(2, brightness=3000)])
    assert alike is not None
    assert alike.images == 3
    assert alike.worst > 0.98
    assert alike.shift < 0.05
    assert different.cost is not None
    assert different.cost.worst < different.cost.correlation < 0.9
    assert "too little to rely on" in str(different)


def test_a_time_series_is_measured_in_its_middle(package: Path) -> None:
    frames = np.stack([cells(seed, brightness=brightness).read()[0] for seed, brightness in enumerate((1e4, 2e4, 3e4))])
    movie = from_array(frames, axes="TYX", channel_names=["BF"], name="movie")
    assert fixed_input(package, [movie]).offset * 65535 == pytest.approx(2e4, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (TILE + 5, 17)])
def test_any_size_of_image_will_do(package: Path, shape: tuple[int, int]) -> None:
    images = [cells(seed, shape=shape) for seed in range(2)]
    if shape == (1, 1):
        with pytest.raises(ImageError, match="contrast"):
            fixed_input(package, images)
    else:
        assert fixed_input(package, images).cost is not None


def test_what_is_predicted_for_the_cost_is_in_z_scores(package: Path) -> None:
    model = load_model(package)
    tile = cells().read()[0]
    fixed = fixed_input(model, [cells()])
    expected = whole(model, (tile / 65535 - fixed.offset) / fixed.scale)
    np.testing.assert_allclose(predict_tile(model, fixed, tile), expected, atol=1e-3)


def test_other_pixels_than_those_of_the_model_are_told(save: Callable[..., Path], plane_card: ModelCard) -> None:
    known = plane_card.input.model_copy(update={"voxel_size_um": (None, 0.1, 0.1), "estimated_pixel_um": None})
    image = from_array(cells().read()[0], axes="YX", channel_names=["BF"], voxel_size_um=(None, 0.2, 0.2), name="a")
    assert "Pixels are 0.2 x 0.2 um" in str(fixed_input(save(input=known), [image]))


def test_what_is_said_of_real_cells_is_what_was_measured() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "results" / "zen_normalisation.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    levels = [field["levels"]["PCC, each image by itself"] for field in found["fields"].values()]
    mean = found["mean of the fields"]
    ways = (
        "all images of the field",
        "all images of the other fields",
        "its own, half a standard deviation brighter",
        "its own, one standard deviation brighter",
    )
    same, other, half, one = (f"{mean[way]['loss of PCC']:.2f}" for way in ways)
    said = str(FIXED)
    assert f"cost mito-2d-h9c2 {same} of a PCC of {np.mean(levels):.2f}, those of other fields {other}" in said
    assert f"cost it {half}, a whole one {one}" in said


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize("values", [np.float32, np.uint32, np.int16])
def test_pixels_of_which_nobody_knows_how_zen_scales_them_are_refused(package: Path, values: type) -> None:
    image = from_array(cells().read()[0].astype(values), axes="YX", channel_names=["BF"], name="cells")
    with pytest.raises(UnsupportedImageError, match="8 and 16 bits"):
        fixed_input(package, [image])


def test_images_of_two_pixel_types_are_refused(package: Path) -> None:
    small = from_array((cells().read()[0] >> 8).astype(np.uint8), axes="YX", channel_names=["BF"], name="small")
    with pytest.raises(UnsupportedImageError, match="uint16 and uint8"):
        fixed_input(package, [cells(), small])


def test_no_image_is_an_error_that_says_what_images_are_for(package: Path) -> None:
    with pytest.raises(ImageError, match="images like those"):
        fixed_input(package, [])


@pytest.mark.usefixtures("exporting")
def test_without_constants_nothing_is_written(package: Path, tmp_path: Path) -> None:
    with pytest.raises(ForeignModelError, match="same microscope, light, exposure"):
        export_model(package, tmp_path / "new" / "out.czann", file_format="czann")
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("exporting")
def test_a_model_of_stacks_is_refused_with_what_to_do(tiny_card: ModelCard, tiny_network: UNet, tmp_path: Path) -> None:
    package = tmp_path / "tiny"
    save_model(package, tiny_card, tiny_network, np.zeros((1, 8, 8, 8), np.float32))
    with pytest.raises(ModelMismatchError, match="Train a model of single planes"):
        export_model(package, tmp_path / "out.czann", file_format="czann", fixed=FIXED)
    with pytest.raises(ModelMismatchError, match="Train a model of single planes"):
        fixed_input(package, [cells()])
    assert not (tmp_path / "out.czann").exists()


def test_a_network_that_looks_at_the_whole_field_is_refused(plane_card: ModelCard) -> None:
    from napari_mito_predict.networks import build_network

    network = build_network("gvtnet", {"ndim": 2})
    with pytest.raises(ModelMismatchError, match="looks at the whole field"):
        require_tiles(Model(plane_card, network))


def test_a_network_of_several_channels_is_refused(plane_card: ModelCard) -> None:
    from napari_mito_predict.networks import build_network

    network = build_network("unet", {"ndim": 2, "depth": 1, "base_channels": 2, "in_channels": 2})
    with pytest.raises(ModelMismatchError, match="2 channels"):
        require_tiles(Model(plane_card, network))


def test_a_graph_of_another_program_is_refused(plane_card: ModelCard, plane_network: UNet) -> None:
    weights = plane_card.weights.model_copy(update={"file": "network.onnx"})
    with pytest.raises(ForeignModelError, match="another program"):
        require_tiles(Model(plane_card.model_copy(update={"weights": weights}), plane_network))


@pytest.mark.parametrize("missing", ["czmodel", "onnx"])
def test_a_missing_package_is_named(
    package: Path, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"napari-mito-predict\[czann\]"):
        export_model(package, tmp_path / "out.czann", file_format="czann", fixed=FIXED)
    assert not (tmp_path / "out.czann").exists()


@pytest.mark.usefixtures("exporting")
def test_what_is_there_is_replaced_only_when_asked(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.czann"
    path.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        export_model(package, path, file_format="czann", fixed=FIXED)
    assert path.read_bytes() == b"mine"
    export_model(package, path, file_format="czann", fixed=FIXED, overwrite=True)
    assert zipfile.is_zipfile(path)


@pytest.mark.usefixtures("exporting")
def test_a_failed_write_leaves_what_was_there(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.czann"
    path.write_bytes(b"mine")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(UnwritableOutputError, match="No space left"):
        export_model(package, path, file_format="czann", fixed=FIXED, overwrite=True)
    assert path.read_bytes() == b"mine"
    assert [each.name for each in tmp_path.iterdir() if ".partial." in each.name] == []
