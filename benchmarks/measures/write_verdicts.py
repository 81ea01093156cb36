"""Write the verdicts of the study into the cards of the bundled models; weights and samples stay what they are.

python benchmarks/measures/write_verdicts.py RESULT.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from napari_mito_predict.judging import judge_measures
from napari_mito_predict.judging.values import FieldValues
from napari_mito_predict.measurement import Structure
from napari_mito_predict.models import find_model, read_card
from napari_mito_predict.models.judged import write_verdicts

TARGETS = {Structure.MITOCHONDRIA: "mitochondria", Structure.NUCLEI: "dna", Structure.NUCLEOIDS: "dna"}
"""Where two structures meet, the one that is measured counts."""
DIMENSIONS = {"z": 3, "t": 2}
ON = {"z": "simulated stacks that it never saw", "t": "planes of simulated series that it never saw"}


def main() -> None:
    """Write the cards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    result = json.loads(parser.parse_args().result.read_text(encoding="utf-8"))
    for kind, found in result.items():
        measures = judge_measures([_field(values, DIMENSIONS[kind]) for values in found["fields"]])
        for name in found["models"]:
            path = find_model(name)
            target = read_card(path).targets[0].name
            judged = [measure for measure in measures if measure.target == target]
            verdicts = [measure.as_verdict(ON[kind], simulated=True) for measure in judged]
            write_verdicts(path, verdicts)
            print(name, sum(verdict.verdict == "supported" for verdict in verdicts), "of", len(verdicts), "supported")


def _field(values: dict, dimensions: int) -> FieldValues:
    return FieldValues(
        str(values["seed"]),
        dimensions,
        "um",
        simulated=True,
        recorded=values["recorded"],
        predicted=values["predicted"],
        targets=TARGETS,
    )


if __name__ == "__main__":
    main()
