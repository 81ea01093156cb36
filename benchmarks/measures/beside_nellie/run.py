"""Our measures of mitochondria beside those of Nellie, on the same labels and from image to numbers.

    python benchmarks/measures/beside_nellie/run.py WORK_FOLDER --nellie PYTHON [-o RESULT.json]

PYTHON is the interpreter of an environment of its own with Nellie (Lefebvre et al. 2025, CC BY 4.0), which is run and
never imported here: `pip install --no-deps nellie`, and numpy, scipy, scikit-image, pandas, tifffile, nd2, ome-types,
matplotlib and imagecodecs. WORK_FOLDER keeps what was computed; repeated, the command goes on where it was.

Fields are those of `measures/run.py`: eight simulated stacks and eight planes of series with known geometry, of which the
recorded TMRM channel is measured.

What was expected before the first run, from what Nellie says of itself:

1. On the same labels sizes, voxels of skeletons, their ends and their junctions are equal: both programs take
   scikit-image, and the same neighbourhood.
2. Lengths differ by definition. Nellie adds the radius at each end of a branch, and leaves out the steps next to
   junctions; of an object without a junction its length is ours and the radii at both ends, or the thickness where that
   is more. The sum over a field is larger than ours by about a tenth.
3. Nellie has no more branches than we do: what is shorter than a junction is none.
4. From image to numbers Nellie finds wider objects (its finest scale is half of 0.25 um, and holes are filled), and so
   more volume and fewer objects.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import pandas as pd
import tifffile
from fields import TRUTH, prepare

from napari_mito_predict.measurement import agreement

HERE = Path(__file__).resolve().parent
PROGRAMS = ("ours", "nellie")
COUNTED = {
    "size": "size",
    "skeleton_voxels": "skeleton_voxels",
    "end_points": "end_points",
    "ends_by_neighbours": "end_points",
    "branch_points": "branch_points",
    "junctions_by_neighbours": "branch_points",
    "branches": "branches",
    "branches_beyond_junctions": "branches",
}
"""What is compared with what of Nellie."""
TOTALS = ("count", "total_size", "total_length", "branches", "branch_points", "end_points", "largest_part")


def main() -> None:
    """Run both programs on all fields, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nellie", type=Path, required=True, help="interpreter of an environment with Nellie")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    fields = prepare(given.folder)
    for field in fields:
        computed(field, "ours", sys.executable)
        computed(field, "nellie", str(given.nellie))
    result = {"nellie": _read(fields[0], "nellie")["version"]}
    for kind, name in (("z", "stacks"), ("t", "planes")):
        of_kind = [field for field in fields if field.name.startswith(kind)]
        result[name] = {
            "same_labels": same_labels(of_kind),
            "end_to_end": end_to_end(of_kind),
            "cost": cost(of_kind),
        }
    text = json.dumps(result, indent=1)
    print(text)
    if given.output:
        given.output.write_text(text + "\n", encoding="utf-8")


def computed(field: Path, program: str, python: str) -> None:
    """Measure one field with one program, in a process of its own; not where it is done."""
    output = field / f"{program}.json"
    if output.exists():
        return
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [python, str(HERE / f"run_{program}.py"), str(field), str(output)]
    done = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    print(output.relative_to(field.parent), flush=True)


def same_labels(fields: list[Path]) -> dict[str, object]:
    """How many objects have the same numbers, and what becomes of the sums."""
    pairs = [(_ours(field), _nellies(field, "same_labels").add_suffix("_nellie")) for field in fields]
    both = pd.concat([ours.join(nellies, how="outer") for ours, nellies in pairs], ignore_index=True)
    # scikit-image leaves nothing of some small objects; Nellie gives them a voxel.
    without = both["skeleton_voxels"] == 0
    lined = both[~without]
    found: dict[str, object] = {"objects": len(both), "objects_without_skeleton": int(without.sum())}
    for name, nellies in COUNTED.items():
        rows = _rows(name, both)
        differ = ~np.isclose(rows[name], rows[f"{nellies}_nellie"], rtol=1e-6)
        found[name] = {
            "objects_that_differ": int(differ.sum()),
            "ours": float(rows[name].sum()),
            "nellie": float(rows[f"{nellies}_nellie"].sum()),
        }
    plain = lined[(lined["junctions_by_neighbours"] == 0)]
    expected = np.maximum(plain["length"] + plain["end_radii"], plain["thickness"])
    found["length_without_junctions"] = {
        "objects": len(plain),
        "largest_relative_difference": float(np.abs(plain["length_nellie"] / expected - 1).max()),
    }
    found["length"] = {
        "ours": float(lined["length"].sum()),
        "ours_and_end_radii": float((lined["length"] + lined["end_radii"]).sum()),
        "nellie": float(lined["length_nellie"].sum()),
    }
    return found


def _rows(name: str, both: pd.DataFrame) -> pd.DataFrame:
    """Objects of which both programs say something: a skeleton of one voxel has no branch here, and one there."""
    least = {"size": 0, "branches": 2, "branches_beyond_junctions": 2}.get(name, 1)
    return both[both["skeleton_voxels"] >= least]


def end_to_end(fields: list[Path]) -> dict[str, object]:
    """Bias and concordance of each program against the geometry; of lengths against the lines that were drawn, too."""
    found: dict[str, object] = {}
    truths = [json.loads((field / TRUTH).read_text(encoding="utf-8")) for field in fields]
    values = {program: [totals(_table(field, program)) for field in fields] for program in PROGRAMS}
    known = [_true_totals(truth["measures"]) for truth in truths]
    for name in TOTALS:
        if name in known[0]:
            found[name] = _agreements([row[name] for row in known], values, name)
    if truths[0]["drawn_length"]:
        found["drawn_length"] = _agreements([truth["drawn_length"] for truth in truths], values, "total_length")
    found["dice"] = {program: [_dice(field, program) for field in fields] for program in PROGRAMS}
    return found


def totals(objects: pd.DataFrame) -> dict[str, float]:
    """Measures of a field."""
    return {
        "count": float(len(objects)),
        "total_size": float(objects["size"].sum()),
        "total_length": float(objects["length"].sum()),
        "branches": float(objects["branches"].sum()),
        "branch_points": float(objects["branch_points"].sum()),
        "end_points": float(objects["end_points"].sum()),
        "largest_part": float(objects["size"].max() / objects["size"].sum()),
    }


def cost(fields: list[Path]) -> dict[str, object]:
    """Median processor time of each step, and most memory beyond what the program itself takes."""
    found: dict[str, object] = {}
    for program in PROGRAMS:
        runs = [_read(field, program) for field in fields]
        steps = {step: float(np.median([run["cpu_s"][step] for run in runs])) for step in ("segment", "measure")}
        found[program] = steps | {"peak_mib": float(np.median([run["peak_mib"] for run in runs]))}
    return found


def _true_totals(measures: dict[str, float]) -> dict[str, float]:
    size = measures.get("total_area", measures.get("total_volume"))
    return {name: measures[name] for name in TOTALS if name in measures} | {"total_size": size}


def _agreements(truth: list[float], values: dict[str, list[dict[str, float]]], name: str) -> dict[str, object]:
    rows: dict[str, object] = {"truth": truth}
    for program in PROGRAMS:
        measured = [row[name] for row in values[program]]
        rows[program] = asdict(agreement(truth, measured)) | {"values": measured}
    return rows


def _dice(field: Path, program: str) -> float:
    truth = tifffile.imread(field / "true_labels.tif") > 0
    found = tifffile.imread(field / f"{program}.tif") > 0
    return float(2 * np.sum(found & truth) / max(1, found.sum() + truth.sum()))


def _table(field: Path, program: str) -> pd.DataFrame:
    return _ours(field) if program == "ours" else _nellies(field, "end_to_end")


def _ours(field: Path) -> pd.DataFrame:
    return pd.DataFrame(_read(field, "ours")["objects"]).set_index("label")


def _nellies(field: Path, labels: str) -> pd.DataFrame:
    return pd.DataFrame(_read(field, "nellie")[labels]).set_index("label")


def _read(field: Path, program: str) -> dict:
    return json.loads((field / f"{program}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
