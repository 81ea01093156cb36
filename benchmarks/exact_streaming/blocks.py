"""bioimageio.core's prediction block by block: blocks with a halo, which is cut off.

The model description is written to a temporary folder: the weights as a state dictionary, the architecture imported
from our package, sizes in steps of the network's stride. A block's shape, as bioimageio.core counts it, is what we call
a block with its halo. At the volume's border it adds the halo by reflection, where one whole pass has the zeros of its
convolutions: so errors are given for the inside of the volume, too. It has no setting for precision: float32 only.

Measured with bioimageio.core 0.11 (bioimageio.spec 0.5.12), which needs pydantic < 2.13.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from exact_streaming.not_measured import NotMeasured

if TYPE_CHECKING:
    from exact_streaming.subject import Subject
    from napari_mito_predict.networks.unet import UNet


def blocks(subject: Subject, precision: str, settings: dict[str, Any]) -> Callable[[], np.ndarray]:
    """`settings`: block (what is kept), halo in y and x; without a halo, all that the network looks at."""
    if precision != "32":
        raise NotMeasured("bioimageio.core predicts in float32 only")
    try:
        from bioimageio.core import create_prediction_pipeline
        from bioimageio.core.digest_spec import create_sample_for_model
    except ImportError as error:
        raise NotMeasured("not installed: pip install bioimageio.core") from error
    network = subject.network
    halo = settings["halo"] or subject.reach
    folder = tempfile.TemporaryDirectory(prefix="bioimageio-")
    description = describe(network, Path(folder.name), halo)
    pipeline = create_prediction_pipeline(description, devices=["cpu"], weights_format="pytorch_state_dict")

    def predict(_keep: Any = folder) -> np.ndarray:
        volume = subject.normalised
        z, y, x = (min(n, size) for n, size in zip(volume.shape, settings["block"], strict=True))
        if y + 2 * halo > volume.shape[1] or x + 2 * halo > volume.shape[2]:
            raise NotMeasured(f"it takes no volume smaller than a block with its halo of {halo}")
        shape = {"batch": 1, "channel": 1, "z": z, "y": y + 2 * halo, "x": x + 2 * halo}
        sample = create_sample_for_model(description, inputs={"raw": volume[None, None]})
        given = pipeline.predict_sample_with_fixed_blocking(sample, input_block_shape={"raw": shape})
        return np.ascontiguousarray(given.members["predicted"].data.values[0, 0], np.float32)

    return predict


def describe(network: UNet, folder: Path, halo: int) -> Any:
    """A bioimage.io model of the network, its files in `folder`."""
    from bioimageio.spec.model import v0_5 as spec

    stride = network.stride[0]
    arguments = {
        "ndim": 3,
        "depth": network.depth,
        "base_channels": network.get_submodule("net_recurse.sub_2conv_more.conv1").out_channels,
        "convs_per_level": network.convs_per_level,
        "in_channels": network.in_channels,
        "out_channels": network.out_channels,
    }
    least = -(-2 * halo // stride) * stride + stride
    torch.save(network.state_dict(), folder / "weights.pt")
    for name in ("in", "out"):
        np.save(folder / f"{name}.npy", np.ones((1, 1, stride, least, least), np.float32))
    (folder / "README.md").write_text("# Benchmark\n\n## Validation\n\nNone: it measures speed.\n", encoding="utf-8")

    def channel(name: str) -> Any:
        return spec.ChannelAxis(channel_names=[spec.Identifier(name)])

    def size_as(axis: str) -> Any:
        return spec.SizeReference(tensor_id=spec.TensorId("raw"), axis_id=spec.AxisId(axis))

    smallest = {"z": stride, "y": least, "x": least}
    given = [
        spec.SpaceInputAxis(id=spec.AxisId(a), size=spec.ParameterizedSize(min=n, step=stride))
        for a, n in smallest.items()
    ]
    made = [spec.SpaceOutputAxisWithHalo(id=spec.AxisId(a), size=size_as(a), halo=halo) for a in "yx"]
    return spec.ModelDescr(
        name="benchmark",
        description="A U-Net for measuring speed",
        authors=[spec.Author(name="napari-mito-predict developers")],
        cite=[spec.CiteEntry(text="napari-mito-predict", url="https://github.com")],
        license="BSD-3-Clause",
        documentation=spec.FileDescr(source=folder / "README.md"),
        inputs=[
            spec.InputTensorDescr(
                id=spec.TensorId("raw"),
                axes=[spec.BatchAxis(), channel("raw"), *given],
                test_tensor=spec.FileDescr(source=folder / "in.npy"),
            )
        ],
        outputs=[
            spec.OutputTensorDescr(
                id=spec.TensorId("predicted"),
                axes=[
                    spec.BatchAxis(),
                    channel("predicted"),
                    spec.SpaceOutputAxis(id=spec.AxisId("z"), size=size_as("z")),
                    *made,
                ],
                test_tensor=spec.FileDescr(source=folder / "out.npy"),
            )
        ],
        weights=spec.WeightsDescr(
            pytorch_state_dict=spec.PytorchStateDictWeightsDescr(
                source=folder / "weights.pt",
                pytorch_version=torch.__version__.split("+")[0],
                architecture=spec.ArchitectureFromLibraryDescr(
                    callable="UNet", import_from="napari_mito_predict.networks.unet", kwargs=arguments
                ),
            )
        ),
    )
