from .batch import Job, conditions_for, simulate_files
from .binning import binned
from .conditions import SIMULATOR_VERSION, Conditions
from .czi import SIMULATED_BY, read_provenance, write_czi
from .dynamics import Dynamics
from .events_file import events_path, write_events
from .recording import GroundTruth, SimulatedImage
from .simulator import simulate_series, simulate_stack
from .true_dynamics import TrueDynamics

__all__ = [
    "SIMULATED_BY",
    "SIMULATOR_VERSION",
    "Conditions",
    "Dynamics",
    "GroundTruth",
    "Job",
    "SimulatedImage",
    "TrueDynamics",
    "binned",
    "conditions_for",
    "events_path",
    "read_provenance",
    "simulate_files",
    "simulate_series",
    "simulate_stack",
    "write_czi",
    "write_events",
]
