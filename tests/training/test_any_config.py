"""Whatever stands in a training configuration is read, and read again what was written of it, or refused by name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mito_predict.errors import ConfigError
from napari_mito_predict.training.config import TrainingConfig

MINIMAL: dict[str, Any] = {"targets": {"mitochondria": "TMRM"}, "data": {"files": ["a.czi"]}, "output": "run"}
KEYS = sorted(TrainingConfig.model_fields)

numbers = st.integers(-(10**6), 10**6) | st.integers() | st.floats()
plain = st.none() | st.booleans() | numbers | st.text(max_size=12) | st.sampled_from(["paper", "general", "quick"])
nested = ("depth", "base_channels", "kind", "by", "validation", "test", "flip", "files")
names = st.sampled_from([*KEYS, *nested]) | st.text(max_size=8)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=8
)


def _refused(read: Callable[[], object]) -> ConfigError | None:
    """Why something is refused; None where it is not. Any other error is a fault."""
    try:
        read()
    except ConfigError as error:
        return error
    return None


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS) | names, values, min_size=1, max_size=4))
def test_any_values_are_read_or_refused_by_name(changes: dict[str, Any]) -> None:
    found = _refused(lambda: TrainingConfig.parse(MINIMAL | changes))
    if found is None:
        config = TrainingConfig.parse(MINIMAL | changes)
        assert TrainingConfig.parse(config.model_dump(mode="json")) == config


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(names, values, max_size=4), st.binary(max_size=6), st.integers(0, 400))
def test_any_text_is_read_or_refused_with_its_file(changes: dict[str, Any], noise: bytes, place: int) -> None:
    text = yaml.safe_dump(MINIMAL | changes, allow_unicode=True).encode("utf-8", "replace")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_bytes(text[:place] + noise + text[place:])
        found = _refused(lambda: TrainingConfig.load(path))
        assert found is None or found.file == path
