"""Volumes and results in the memory of a GPU: up once as they are, down once as they are wanted, nothing in between.

What is done here is what `prepare`, `normalize`, `resample` and `assembly` do in main memory, by the same rules and to
the same numbers. It is chosen where everything fits on the device, and given up where memory gets short.
"""

from napari_mito_predict.prediction.on_device.store import DeviceStore

__all__ = ["DeviceStore"]
