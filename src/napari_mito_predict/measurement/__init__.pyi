from .agreement import MeasureAgreement, agreement, concordance
from .dynamics import DynamicsTables, SeriesDynamics, measure_dynamics
from .field_run import FieldRun, Frame
from .fields import density_by_distance, summarise
from .images import measure
from .measured import MeasuredChannel, Measurements, SegmentedPlane
from .measures import DYNAMICS_MEASURES, FIELD_MEASURES, OBJECT_MEASURES, Measure, Structure, measures_of
from .objects import measure_mitochondria, measure_nuclei, measure_puncta
from .progress import Progress
from .segmentation import label_objects, segment, segment_mitochondria, segment_nuclei, segment_puncta
from .series import MeasuredDynamics
from .settings import DynamicsSettings, MeasureSettings, MitochondriaSettings, NucleiSettings, PunctaSettings
from .skeletons import Skeletons, skeletonise
from .tables import write_tables
from .verdicts import Judgement, Origin, judge, judge_dynamics
from .voxels import Voxels

__all__ = [
    "DYNAMICS_MEASURES",
    "FIELD_MEASURES",
    "OBJECT_MEASURES",
    "DynamicsSettings",
    "DynamicsTables",
    "FieldRun",
    "Frame",
    "Judgement",
    "Measure",
    "MeasureAgreement",
    "MeasureSettings",
    "MeasuredChannel",
    "MeasuredDynamics",
    "Measurements",
    "MitochondriaSettings",
    "NucleiSettings",
    "Origin",
    "Progress",
    "PunctaSettings",
    "SegmentedPlane",
    "SeriesDynamics",
    "Skeletons",
    "Structure",
    "Voxels",
    "agreement",
    "concordance",
    "density_by_distance",
    "judge",
    "judge_dynamics",
    "label_objects",
    "measure",
    "measure_dynamics",
    "measure_mitochondria",
    "measure_nuclei",
    "measure_puncta",
    "measures_of",
    "segment",
    "segment_mitochondria",
    "segment_nuclei",
    "segment_puncta",
    "skeletonise",
    "summarise",
    "write_tables",
]
