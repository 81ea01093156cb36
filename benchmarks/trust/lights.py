"""What the traffic light says of each field, before anything is predicted from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_mito_predict import traffic_lights
from napari_mito_predict.errors import MitoPredictError

if TYPE_CHECKING:
    from napari_mito_predict.models import Model
    from trust.images import Field


def lit(field: Field, model: Model) -> dict[str, Any]:
    """Colour and reasons, as JSON has them; what no model can take is red."""
    try:
        (light,) = traffic_lights(field.image, model, channel=field.channel).values()
    except MitoPredictError as error:
        return {"colour": "red", "reasons": [{"code": type(error).__name__, "level": "error"}]}
    reasons = [
        {
            "code": reason.code,
            "level": str(reason.level),
            "values": {name: round(value, 4) for name, value in reason.values.items() if math.isfinite(value)},
        }
        for reason in light.reasons
    ]
    return {"colour": str(light.colour), "reasons": reasons}
