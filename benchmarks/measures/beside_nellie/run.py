"""Our measures of mitochondria beside those of Nellie, on the same labels and from image to numbers.

    python benchmarks/measures/beside_nellie/run.py WORK_FOLDER --nellie PYTHON [-o RESULT.json]

PYTHON is the interpreter of an environment of its own with Nellie (Lefebvre et al. 2025, CC BY 4.0), which is run and
never imported here: `pip install --no-deps nellie`, and numpy, scipy, scikit-image, pandas, tifffile, nd2, ome-types,
matplotlib and imagecodecs. WORK_FOLDER keeps what was computed; repeated, the command goes on where it was.

Fields are those of `measures/run.py`: eight simulated stacks and eight planes of series with known geometry. Their
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

What was seen (Nellie 1.0.4, scikit-image 0.26 in both environments):

1. So it is, in each of 1,126 objects, but for junctions in 42 and ends in 4 of them: skan takes the loops out of a
   junction before it counts neighbours, so that a crossing of four branches may be two junctions with a branch between
   them. Counted by neighbours in the image, ours are Nellie's. Of 20 small objects scikit-image leaves no skeleton;
   Nellie gives them a voxel.
2. So it is, to 2e-7 in each of 849 objects without a junction. Sums are larger by 4 % in stacks, 14 % in
   planes, 31 % in real planes.
3. So it is: without the steps within junctions ours are Nellie's. A skeleton of one voxel is a branch of Nellie's.
4. Volume, yes: +18 % in stacks where ours has -3 %, +248 % in planes, where what is out of focus is found as well; with
   its threshold of brightness (`nellie_otsu`, run afterwards) +83 % there. Fewer objects only in planes.

Our segmentation was adjusted on simulated fields of other seeds, and Nellie's was not.
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
from fields import TRUTH, prepare, prepare_real

from napari_mito_predict.measurement import agreement

HERE = Path(__file__).resolve().parent
PROGRAMS = ("ours", "nellie", "nellie_otsu")
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
TOTALS = ("count", "total_size", "total_length", "branches", "branch_points", "largest_part")
TRUE_OF_NELLIE = {"branches": "branches_beyond_junctions", "branch_points": "junctions_by_neighbours"}


def main() -> None:
    """Run both programs on all fields, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nellie", type=Path, required=True, help="interpreter of an environment with Nellie")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    fields = prepare(given.folder)
    real = prepare_real(given.folder)
    for field in fields + real:
        computed(field, "ours", [sys.executable, str(HERE / "run_ours.py")])
        computed(field, "nellie", [str(given.nellie), str(HERE / "run_nellie.py")])
    for field in fields:
        computed(field, "nellie_otsu", [str(given.nellie), str(HERE / "run_nellie.py")], "otsu")
    result = {"nellie": _read(fields[0], "nellie")["version"]}
    for kind, name in (("z", "stacks"), ("t", "planes")):
        of_kind = [field for field in fields if field.name.startswith(kind)]
        result[name] = {
            "same_labels": same_labels(of_kind),
            "end_to_end": end_to_end(of_kind),
            "cost": cost(of_kind),
        }
    if real:
        result["real_planes"] = {"same_labels": same_labels(real)}
    text = json.dumps(result, indent=1)
    print(text)
    if given.output:
        given.output.write_text(text + "\n", encoding="utf-8")


def computed(field: Path, program: str, script: list[str], *options: str) -> None:
    """Measure one field with one program, in a process of its own; not where it is done."""
    output = field / f"{program}.json"
    if output.exists():
        return
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [*script, str(field), str(output), *options]
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
    for name in TOTALS:
        found[name] = {
            program: _agreement([_true(truth, name, program) for truth in truths], values[program], name)
            for program in PROGRAMS
        }
    if truths[0]["drawn_length"]:
        drawn = [truth["drawn_length"] for truth in truths]
        found["drawn_length"] = {name: _agreement(drawn, values[name], "total_length") for name in PROGRAMS}
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


def _true(truth: dict, name: str, program: str) -> float:
    """A measure of the geometry; branches and junctions are counted as the program counts them."""
    if program != "ours" and name in TRUE_OF_NELLIE:
        return float(truth[TRUE_OF_NELLIE[name]])
    measures = truth["measures"]
    if name == "total_size":
        return measures.get("total_area", measures.get("total_volume"))
    return measures[name]


def _agreement(truth: list[float], rows: list[dict[str, float]], name: str) -> dict[str, object]:
    measured = [row[name] for row in rows]
    return asdict(agreement(truth, measured)) | {"truth": truth, "values": measured}


def _dice(field: Path, program: str) -> float:
    truth = tifffile.imread(field / "true_labels.tif") > 0
    found = tifffile.imread(field / f"{program}.tif") > 0
    return float(2 * np.sum(found & truth) / max(1, found.sum() + truth.sum()))


def _table(field: Path, program: str) -> pd.DataFrame:
    return _ours(field) if program == "ours" else _nellies(field, "end_to_end", program)


def _ours(field: Path) -> pd.DataFrame:
    return pd.DataFrame(_read(field, "ours")["objects"]).set_index("label")


def _nellies(field: Path, labels: str, program: str = "nellie") -> pd.DataFrame:
    return pd.DataFrame(_read(field, program)[labels]).set_index("label")


def _read(field: Path, program: str) -> dict:
    return json.loads((field / f"{program}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
