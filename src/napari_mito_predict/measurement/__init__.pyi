from .dynamics import DynamicsTables, measure_dynamics
from .objects import measure_mitochondria, measure_nuclei, measure_puncta
from .progress import Progress
from .segmentation import label_objects, segment_mitochondria, segment_nuclei, segment_puncta
from .settings import DynamicsSettings, MitochondriaSettings, NucleiSettings, PunctaSettings
from .skeletons import Skeletons, skeletonise
from .voxels import Voxels

__all__ = [
    "DynamicsSettings",
    "DynamicsTables",
    "MitochondriaSettings",
    "NucleiSettings",
    "Progress",
    "PunctaSettings",
    "Skeletons",
    "Voxels",
    "label_objects",
    "measure_dynamics",
    "measure_mitochondria",
    "measure_nuclei",
    "measure_puncta",
    "segment_mitochondria",
    "segment_nuclei",
    "segment_puncta",
    "skeletonise",
]
