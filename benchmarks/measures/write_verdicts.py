"""Write the verdicts of the study into the cards of the bundled models; weights and samples stay what they are.

python benchmarks/measures/write_verdicts.py RESULT.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from napari_mito_predict._files import atomic_write_text
from napari_mito_predict.models import MeasureVerdict, find_model, read_card
from napari_mito_predict.models.files import CARD, README

STRUCTURES = {"mitochondria": ("mitochondria",), "dna": ("nuclei", "nucleoids")}
"""What is measured on a target; where two targets meet, the one that is measured."""
DIMENSIONS = {"z": 3, "t": 2}
ON = {"z": "simulated stacks that it never saw", "t": "planes of simulated series that it never saw"}


def main() -> None:
    """Write the cards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    result = json.loads(parser.parse_args().result.read_text(encoding="utf-8"))
    for kind, found in result.items():
        for name in found["models"]:
            path = find_model(name)
            card = read_card(path)
            target = card.targets[0].name
            verdicts = tuple(
                _verdict(measure, pairs["predicted_recorded"], target, kind)
                for measure, pairs in found["agreement"].items()
                if measure.partition(".")[0] in STRUCTURES[target]
            )
            judged = card.model_copy(update={"verdicts": verdicts})
            atomic_write_text(path / CARD, judged.to_json())
            atomic_write_text(path / README, judged.to_markdown())
            print(name, sum(verdict.verdict == "supported" for verdict in verdicts), "of", len(verdicts), "supported")


def _verdict(measure: str, found: dict, target: str, kind: str) -> MeasureVerdict:
    limits = found["limits"]
    return MeasureVerdict(
        measure=measure,
        target=target,
        verdict=found["verdict"],
        fields=found["fields"],
        on=ON[kind],
        simulated=True,
        dimensions=DIMENSIONS[kind],
        concordance=_rounded(found["concordance"]),
        bias=_rounded(found["bias"]),
        limits_of_agreement=None if limits is None else (_rounded(limits[0]), _rounded(limits[1])),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


if __name__ == "__main__":
    main()
