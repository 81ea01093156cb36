"""Models of bioimage.io are read so that they give what their packages say, or are refused by name."""

from __future__ import annotations

import copy
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from napari_mito_predict.errors import ForeignModelError, TrainingError, UntrustedModelError
from napari_mito_predict.models import Target, load_model, verify_model
from napari_mito_predict.models.importers import Told, read_foreign
from napari_mito_predict.models.library import import_model
from napari_mito_predict.models.normalised import normalised
from napari_mito_predict.models.weights import forward
from napari_mito_predict.prediction import predict

Z_SCORE = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}}


def test_what_a_package_says_is_what_the_card_says(packages: Any) -> None:
    card = read_foreign(packages.make(), Told()).card
    assert (card.name, card.title) == ("a-tiny-model", "A tiny model")
    assert [target.name for target in card.targets] == ["membrane"]
    assert (card.licence, card.authors, card.attribution) == ("MIT", ("Jane Doe",), "Doe 2026 doi:10.1000/1")
    assert (card.simulated, card.training.pairs) == (None, None)
    assert card.input.third_axes == ()
    assert not card.input.sampling_known
    assert (card.input.normalisation.kind, card.input.normalisation.clip_percentiles) == ("zscore", None)
    assert (card.origin.format, card.origin.source) == ("bioimage.io", "tiny.zip")
    assert "z-scores of the training truth" not in card.to_markdown()


def test_what_the_user_says_goes_before(packages: Any) -> None:
    told = Told(
        name="mine", title="Mine", licence="CC-BY-4.0", modality="phase contrast", simulated=False,
        voxel_size_um=(None, 0.3, 0.3), trained_on="HeLa", targets=(Target(name="membrane", stain="CAAX"),),
    )  # fmt: skip
    card = read_foreign(packages.make(), told).card
    assert (card.name, card.licence, card.targets[0].stain) == ("mine", "CC-BY-4.0", "CAAX")
    assert card.input.voxel_size_um == (None, 0.3, 0.3)
    assert card.cells == "real: HeLa"
    with pytest.raises(ForeignModelError, match="2 targets are named, and it gives 1 images"):
        read_foreign(packages.make(), Told(targets=told.targets * 2))


@pytest.mark.parametrize(
    ("given", "found"),
    [("bcyx", "bcyx"), ("byxc", "byxc"), ("yx", "yx"), ("cyx", "yx"), ("bcxy", "bcyx"), ("bczyx", "bczyx"),
     ("bcyxz", "bcyxz"), ("zyx", "czyx")],
)  # fmt: skip
def test_any_order_of_axes(packages: Any, tools: Any, given: str, found: str) -> None:
    sizes = {"b": 1, "c": 1, "z": 8, "y": 24, "x": 32}
    network = tools.Ordered(tools.Tiny(3 if "z" in given else 2), given, found)
    raw = tools.noise(tuple(sizes[letter] for letter in given))
    path = packages.make(network, raw, letters=given, out_letters=found)
    model = read_foreign(path, Told())
    assert model.card.input.third_axes == (("z",) if "z" in given else ())
    assert model.network.stride == (4,) * model.network.ndim  # that it gives its test output was found out


def test_a_time_axis(packages: Any, tools: Any) -> None:
    raw = tools.noise((1, 1, 8, 24, 32))
    model = read_foreign(packages.make(tools.Tiny(3), raw, letters="bctyx"), Told())
    assert model.card.input.third_axes == ("t",)


@pytest.mark.parametrize("channels", [1, 3])
def test_into_a_package_of_ours_and_predicted(packages: Any, tools: Any, channels: int) -> None:
    """Tiled, in half precision as far as it is asked for, and the same as the network itself."""
    network = tools.Tiny(2, channels)
    path = packages.make(network, channels=channels, halo=2, size={"min": 8, "step": 1})
    info = import_model(path, Told(name="membranes"))
    assert info.card.weights.file == "network.torchscript"
    assert verify_model(info.path).passed
    image = tools.noise((90, 110), seed=5)
    result = predict(image, "membranes", device="cpu", precision="bf16", tile=(1, 32, 32))
    with torch.inference_mode():
        expected = network(tools.z_score(torch.from_numpy(image.astype(np.float64))).float()[None, None])[0].numpy()
    found = np.stack([prediction.data for prediction in result.values()])
    assert np.abs(found - expected).max() <= 1e-4 * expected.std()


def test_a_stack_goes_plane_by_plane_through_a_model_of_planes(packages: Any, tools: Any) -> None:
    network = tools.Tiny(2)
    import_model(packages.make(network, halo=2), Told(name="planes"))
    stack = tools.noise((3, 24, 32))
    result = predict(stack, "planes", device="cpu", precision="32")["membrane"].data
    with torch.inference_mode():
        expected = network(tools.z_score(torch.from_numpy(stack))[:, None])[:, 0].numpy()
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_a_fixed_size_is_applied_window_by_window(packages: Any, tools: Any) -> None:
    network = tools.Tiny(2)
    path = packages.make(network, tools.noise((1, 1, 24, 24)), size=24, halo=4)
    import_model(path, Told(name="windows"))
    model = load_model("windows")
    assert model.network.stride == (16, 16)
    image = tools.noise((70, 61), seed=3)
    result = predict(image, model, device="cpu", precision="32")["membrane"].data
    with torch.inference_mode():
        expected = network(tools.z_score(torch.from_numpy(image))[None, None])[0, 0].numpy()
    inside = (slice(4, -4), slice(4, -4))  # at its edges an image is mirrored, where the network adds zeros
    np.testing.assert_allclose(result[inside], expected[inside], atol=1e-4)


def test_sizes_that_are_not_taken_are_filled_up(packages: Any, tools: Any) -> None:
    foreign = read_foreign(packages.make(size={"min": 20, "step": 8}, given=tools.noise((1, 1, 28, 36))), Told())
    for shape in ((3, 5), (20, 21), (40, 33)):
        assert forward(foreign.network, tools.noise((1, *shape))).shape == (1, *shape)


def test_copies_share_nothing_but_the_file(packages: Any, tools: Any) -> None:
    network = read_foreign(packages.make(), Told()).network
    image = tools.z_score(torch.from_numpy(tools.noise((1, 1, 24, 32))))
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        half = copy.deepcopy(network)(image)
    with torch.inference_mode():
        torch.testing.assert_close(half, network(image), rtol=0, atol=0)


PREPROCESSING: dict[str, tuple[list[dict[str, Any]], Any, str]] = {
    "none": ([], lambda x: x, "fixed"),
    "scale_linear": (
        [{"id": "scale_linear", "kwargs": {"gain": 0.01, "offset": -3.0}}],
        lambda x: 0.01 * x - 3,
        "fixed",
    ),
    "fixed": (
        [{"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 1000.0, "std": 200.0}}],
        lambda x: (x - 1000) / 200,
        "fixed",
    ),
    "range": (
        [
            {"id": "scale_range", "kwargs": {"axes": ["channel", "y", "x"], "min_percentile": 2, "max_percentile": 98}},
            {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}},
        ],
        lambda x: ((x - x.quantile(0.02)) / (x.quantile(0.98) - x.quantile(0.02))).clip(0, 1),
        "range",
    ),
}


@pytest.mark.parametrize("name", PREPROCESSING)
def test_preprocessing(packages: Any, name: str) -> None:
    steps, process, kind = PREPROCESSING[name]
    foreign = read_foreign(packages.make(preprocessing=steps, process=process), Told())
    assert foreign.card.input.normalisation.kind == kind


@pytest.mark.parametrize(
    ("step", "after"),
    [
        ({"id": "sigmoid"}, torch.sigmoid),
        ({"id": "clip", "kwargs": {"min": -0.2, "max": 0.1}}, lambda y: y.clip(-0.2, 0.1)),
        ({"id": "scale_linear", "kwargs": {"gain": 2.0, "offset": 1.0}}, lambda y: 2 * y + 1),
        (
            {"id": "scale_linear", "kwargs": {"axis": "channel", "gain": [2.0, 3.0], "offset": [0.0, 1.0]}},
            lambda y: y * torch.tensor([2.0, 3.0]).reshape(1, 2, 1, 1) + torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1),
        ),
        ({"id": "softmax", "kwargs": {"axis": "channel"}}, lambda y: y.softmax(1)),
    ],
)
def test_postprocessing(packages: Any, tools: Any, step: dict[str, Any], after: Any) -> None:
    path = packages.make(tools.Tiny(2, 2), channels=2, postprocessing=[step], after=after)
    assert [target.name for target in read_foreign(path, Told()).card.targets] == ["channel0", "channel1"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"preprocessing": [{"id": "binarize", "kwargs": {"threshold": 1.0}}]}, "'binarize' cannot be done"),
        (
            {"preprocessing": [{"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}}, Z_SCORE]},
            "statistics of what was proc",
        ),
        (
            {"preprocessing": [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["x"]}}]},
            "for each y, not for the whole image",
        ),
        (
            {"preprocessing": [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"], "eps": 0.1}}]},
            "adds 0.1 to its divisor",
        ),
        ({"preprocessing": [{"id": "clip", "kwargs": {"min_percentile": 1}}]}, "clips at percentiles"),
        ({"preprocessing": [{"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}]}, "values of the type uint8"),
        ({"postprocessing": [{"id": "binarize", "kwargs": {"threshold": 1.0}}]}, "'binarize' cannot be done"),
        ({"postprocessing": [{"id": "zero_mean_unit_variance"}]}, "statistics of what was processed"),
        ({"postprocessing": [{"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}]}, "turned into whole numbers"),
        (
            {"postprocessing": [{"id": "scale_mean_variance", "kwargs": {"reference_tensor": "raw"}}]},
            "'scale_mean_variance' cannot be done",
        ),
    ],
)
def test_processing_that_is_refused(packages: Any, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ForeignModelError, match=said) as raised:
        read_foreign(packages.make(**changed), Told())
    assert "tiny.zip" in str(raised.value)


def _two_channels(description: dict[str, Any]) -> None:
    description["inputs"][0]["axes"][1]["channel_names"] = ["a", "b"]


def _two_inputs(description: dict[str, Any]) -> None:
    second = copy.deepcopy(description["inputs"][0])
    description["inputs"].append(second | {"id": "second"})


def _smaller_output(description: dict[str, Any]) -> None:
    description["outputs"][0]["axes"][2]["size"]["offset"] = -4


def _coarser_output(description: dict[str, Any]) -> None:
    description["outputs"][0]["axes"][2]["scale"] = 2.0


def _square(description: dict[str, Any]) -> None:
    for tensor in description["inputs"] + description["outputs"]:
        tensor["axes"][3]["size"] = {"tensor_id": "raw", "axis_id": "y"}


def _index(description: dict[str, Any]) -> None:
    for tensor in description["inputs"] + description["outputs"]:
        tensor["axes"][2] = {"type": "index", "id": "y", "size": 24}


def _tensorflow(description: dict[str, Any]) -> None:
    entry = {"source": "weights.pt", "tensorflow_version": "2.10.0"}
    description["weights"] = {"tensorflow_saved_model_bundle": entry}


def _no_test(description: dict[str, Any]) -> None:
    del description["inputs"][0]["test_tensor"]


def _elsewhere(description: dict[str, Any]) -> None:
    description["weights"]["torchscript"]["source"] = "https://example.com/weights.pt"


def _another_test(description: dict[str, Any]) -> None:
    description["inputs"][0]["preprocessing"] = []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_two_channels, "images of 2 channels"),
        (_two_inputs, "takes 2 tensors"),
        (_smaller_output, "not on the grid of its input"),
        (_coarser_output, "not on the grid of its input"),
        (_square, "depends on another axis"),
        (_index, "none of z, y, x and time"),
        (_tensorflow, "TensorFlow or Keras only"),
        (_no_test, "no test tensors"),
        (_elsewhere, "nothing is downloaded"),
        (_another_test, "does not give the output of its own test"),
    ],
)
def test_models_that_are_refused(packages: Any, tools: Any, change: Any, said: str) -> None:
    description = packages.description()
    files = packages.files(tools.Tiny(), packages.description(), tools.noise((1, 1, 24, 32)))
    change(description)
    files["rdf.yaml"] = yaml.safe_dump(description).encode()
    with pytest.raises(ForeignModelError, match=said) as raised:
        read_foreign(packages.write(files), Told())
    assert "tiny.zip" in str(raised.value)


def test_format_0_4(packages: Any, tools: Any) -> None:
    files = packages.files(tools.Tiny(), packages.description(), tools.noise((1, 1, 24, 32)))
    shape = {"reference_tensor": "raw", "scale": [1, 1, 1, 1], "offset": [0, 0, 0, 0]}
    description = packages.description() | {
        "format_version": "0.4.10",
        "timestamp": "2022-01-01T00:00:00",
        "tags": ["a"],
        "test_inputs": ["test_input.npy"],
        "test_outputs": ["test_output.npy"],
        "inputs": [
            {
                "name": "raw", "axes": "bcyx", "data_type": "float32",
                "shape": {"min": [1, 1, 8, 8], "step": [0, 0, 4, 4]},
                "preprocessing": [{"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "yx"}}],
            }
        ],
        "outputs": [{"name": "membrane", "axes": "bcyx", "data_type": "float32", "shape": shape, "halo": [0, 0, 2, 2]}],
    }  # fmt: skip
    files["rdf.yaml"] = yaml.safe_dump(description).encode()
    foreign = read_foreign(packages.write(files), Told())
    assert foreign.network.receptive_field == (8, 8)


def test_a_folder_and_its_description_are_read_too(packages: Any, tmp_path: Path) -> None:
    folder = tmp_path / "unzipped"
    with zipfile.ZipFile(packages.make()) as archive:
        archive.extractall(folder)
    for path in (folder, folder / "rdf.yaml"):
        assert read_foreign(path, Told()).card.name == "a-tiny-model"


def test_a_network_in_onnx(packages: Any, tools: Any) -> None:
    onnx = pytest.importorskip("onnx", reason="writes the network of this test: pip install onnx")
    pytest.importorskip("onnxruntime", reason="runs the network of this test: pip install onnxruntime")
    network = tools.Tiny()
    description = packages.description(halo=2)
    files = packages.files(network, description, tools.noise((1, 1, 24, 32)))
    description["weights"] = {"onnx": {"source": "weights.onnx", "opset_version": 15}}
    files |= {"rdf.yaml": yaml.safe_dump(description).encode(), "weights.onnx": _as_onnx(network, onnx)}
    info = import_model(packages.write(files), Told(name="in-onnx"))
    assert info.card.weights.file == "network.onnx"
    assert verify_model(info.path).passed
    image = tools.noise((40, 52), seed=2)
    found = predict(image, "in-onnx", device="cpu", tile=(1, 16, 16))["membrane"].data
    with torch.inference_mode():
        expected = network(tools.z_score(torch.from_numpy(image))[None, None])[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def _as_onnx(network: Any, onnx: Any, domain: str = "", external: bool = False) -> bytes:
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    state = {name.replace(".", "_"): tensor.numpy() for name, tensor in network.state_dict().items()}
    convolution = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "first_weight", "first_bias"], ["a"], **convolution),
        helper.make_node("Relu", ["a"], ["b"], domain=domain),
        helper.make_node("Conv", ["b", "last_weight", "last_bias"], ["y"], **convolution),
    ]
    kind = onnx.TensorProto.FLOAT
    tensors = [numpy_helper.from_array(array, name) for name, array in state.items()]
    if external:
        tensors[0].data_location = onnx.TensorProto.EXTERNAL
        tensors[0].external_data.add(key="location", value="../../secret")
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", kind, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("y", kind, ["n", 1, "h", "w"])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"domain": "com.acme"}, "'Relu' of 'com.acme'"), ({"external": True}, "weights in another file")],
)
def test_onnx_that_reaches_elsewhere(packages: Any, tools: Any, changed: dict[str, Any], said: str) -> None:
    onnx = pytest.importorskip("onnx", reason="writes the network of this test: pip install onnx")
    from napari_mito_predict.errors import InvalidModelError
    from napari_mito_predict.models.graphs.onnx_file import check_onnx

    with pytest.raises(InvalidModelError, match=said):
        check_onnx(_as_onnx(tools.Tiny(), onnx, **changed), "tiny.onnx")


PROGRAM = """
import torch
open({marker!r}, "w").close()

class Net(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = torch.nn.Conv2d(1, width, 3, padding=1)
        self.last = torch.nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))
"""


@pytest.mark.parametrize("trust", [False, True])
def test_a_program_is_run_only_when_it_is_trusted(packages: Any, tools: Any, tmp_path: Path, trust: bool) -> None:
    marker = tmp_path / "was run"
    source = PROGRAM.format(marker=str(marker)).encode()
    network = tools.Tiny()
    stream = io.BytesIO()
    torch.save(network.state_dict(), stream)
    description = packages.description()
    files = packages.files(network, description, tools.noise((1, 1, 24, 32)))
    architecture = {"source": "net.py", "callable": "Net", "kwargs": {"width": 4}, "sha256": tools.sha256(source)}
    entry = {"source": "state.pt", "pytorch_version": "2.1.0", "architecture": architecture}
    description["weights"] = {"pytorch_state_dict": entry}
    del files["weights.pt"]
    files |= {"rdf.yaml": yaml.safe_dump(description).encode(), "net.py": source, "state.pt": stream.getvalue()}
    path = packages.write(files)
    if not trust:
        with pytest.raises(UntrustedModelError, match=r"program in Python \('Net' of 'net.py'\)"):
            import_model(path)
        assert not marker.exists()
        return
    info = import_model(path, Told(trust=True))
    assert marker.exists()
    marker.unlink()
    assert verify_model(info.path).passed  # by its graph
    assert not marker.exists()


def test_nothing_is_trained_in_a_graph(packages: Any) -> None:
    from napari_mito_predict.training.start import start_model

    import_model(packages.make(), Told(name="graph"))
    with pytest.raises(TrainingError, match="graph"):
        start_model("graph", 2)


def test_values_are_as_in_the_package(packages: Any, tools: Any) -> None:
    raw = tools.noise((1, 1, 24, 32))
    foreign = read_foreign(packages.make(given=raw), Told())
    np.testing.assert_array_equal(foreign.sample_input, normalised(raw[0], foreign.card.input.normalisation))
