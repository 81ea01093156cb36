"""How large everything is: `full` is what is reported, `quick` takes minutes, `smoke` seconds and means nothing."""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Comparison:
    """One volume on which ways are compared, in one precision; `others` are the ways that are not ours."""

    shape: Shape
    precision: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scale:
    """Sizes of all parts.

    Attributes
    ----------
    network : str
        See `exact_streaming.subject.make_model`.
    comparisons : tuple of Comparison
        In this order.
    windows : tuple of Shape
        Of MONAI's sliding window.
    window_overlaps, window_batches
        Their overlap, and how many at a time.
    piece, piece_overlap
        Of the piecewise way.
    block, block_halo
        What bioimageio.core keeps of one pass, and the usual context around it.
    lengths : tuple of Shape
        Of the volumes in the part `scaling`.
    largest : Shape
        Of the part of this name.
    width, batch, iterations
        Of the network, batch and measurement of training.
    """

    network: str
    comparisons: tuple[Comparison, ...]
    windows: tuple[Shape, ...]
    window_overlaps: tuple[float, ...]
    window_batches: tuple[int, ...]
    piece: Shape
    piece_overlap: int
    block: Shape
    block_halo: int
    lengths: tuple[Shape, ...]
    largest: Shape
    width: int
    batch: int
    iterations: int


_ALL = ("monai", "pieces", "bioimageio")

SCALES = {
    "full": Scale(
        network="random:4:32",
        comparisons=(
            Comparison((32, 512, 512), "32", _ALL),
            Comparison((32, 512, 512), "bf16", ("monai",)),
            # Wider than one piece: at 512 x 512 the piecewise way is one whole pass.
            Comparison((32, 512, 1024), "32", ("pieces",)),
            Comparison((32, 1024, 1024), "bf16"),
        ),
        windows=((32, 128, 128), (32, 256, 256)),
        window_overlaps=(0.25, 0.5),
        window_batches=(1, 4),
        piece=(32, 512, 512),
        piece_overlap=16,
        block=(32, 256, 256),
        block_halo=16,
        lengths=tuple((32, y, 512) for y in (512, 1024, 2048, 4096, 8192)),
        largest=(32, 1834, 1834),
        width=32,
        batch=4,
        iterations=6,
    ),
    "quick": Scale(
        network="random:3:16",
        comparisons=(
            Comparison((32, 256, 256), "32", _ALL),
            Comparison((32, 256, 256), "bf16", ("monai",)),
            Comparison((32, 256, 512), "32", ("pieces",)),
        ),
        windows=((32, 128, 128),),
        window_overlaps=(0.25, 0.5),
        window_batches=(1, 4),
        piece=(32, 256, 256),
        piece_overlap=16,
        block=(32, 128, 128),
        block_halo=16,
        lengths=tuple((32, y, 256) for y in (256, 512, 1024)),
        largest=(32, 600, 600),
        width=8,
        batch=4,
        iterations=3,
    ),
    "smoke": Scale(
        network="random:2:4",
        comparisons=(Comparison((16, 32, 32), "32", _ALL), Comparison((16, 32, 32), "bf16", ("monai",))),
        windows=((16, 16, 16),),
        window_overlaps=(0.25,),
        window_batches=(1, 2),
        piece=(16, 16, 16),
        piece_overlap=4,
        block=(16, 16, 16),
        block_halo=4,
        lengths=((16, 32, 32), (16, 64, 32)),
        largest=(16, 40, 40),
        width=4,
        batch=1,
        iterations=1,
    ),
}


def words(shape: Shape | list[int]) -> str:
    """``32x512x512``."""
    return "x".join(map(str, shape))
