from .batch import Job, conditions_for, simulate_files
from .binning import binned
from .conditions import SIMULATOR_VERSION, Conditions
from .czi import SIMULATED_BY, read_provenance, write_czi
from .recording import GroundTruth, SimulatedImage
from .simulator import simulate_series, simulate_stack

__all__ = [
    "SIMULATED_BY",
    "SIMULATOR_VERSION",
    "Conditions",
    "GroundTruth",
    "Job",
    "SimulatedImage",
    "binned",
    "conditions_for",
    "read_provenance",
    "simulate_files",
    "simulate_series",
    "simulate_stack",
    "write_czi",
]
