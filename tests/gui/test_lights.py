"""A traffic light beside each checked model, before anything is predicted: what it says, and that it forbids nothing."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel

from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.predict import planning, work
from napari_mito_predict._widgets.predict.sharing import share
from napari_mito_predict.errors import IncompleteImageError
from napari_mito_predict.image import Finding, Level

PATIENCE = 60_000
INVERTED = Finding(Level.SEVERE, "contrast-inverted", "mito-z: bright is dark here.", "Invert it.", model="mito-z")
UNFAMILIAR = Finding(Level.WARNING, "unfamiliar", "mito-z never saw the like.", "Fine-tune it.", model="mito-z")
FLAT = Finding(Level.WARNING, "little-contrast", "The light has little contrast.", "Close the aperture.")


@pytest.fixture
def seen(monkeypatch):
    """What is found in pixels from now on; nothing at first."""
    found = []

    def look(plan, should_stop):
        return replace(plan, findings=(*plan.findings, *found))

    for module in (planning, work):
        monkeypatch.setattr(module, "look_at_pixels", look)
    return found


def planned_anew(dock, qtbot):
    """Wait for the lights of what is chosen now."""
    dock._planned_for = None
    dock._plan()
    qtbot.waitUntil(lambda: dock._shown is not None and not dock.planning.state.busy, timeout=PATIENCE)


def light_of(dock, model):
    return dock.models.rows[model].light


def words(widget):
    """All that is said, folded or not."""
    return "\n".join(getattr(label, "_plain", label.text()) for label in widget.findChildren(QLabel))


def test_a_red_light_says_why_and_forbids_nothing(seen, ready, qtbot):
    assert light_of(ready, "mito-z").word == "With care"
    assert ready.models.summary.endswith("with care")
    assert ready.predict.predict.text() == "P&redict"
    seen += [UNFAMILIAR, INVERTED, FLAT]
    planned_anew(ready, qtbot)
    light = light_of(ready, "mito-z")
    assert light.word == "Do not believe"
    assert light.reasons.said == (INVERTED, UNFAMILIAR), "the worst first"
    assert light.reasons.more.text() == "1 more"
    assert light_of(ready, "dna-z").word == "With care"
    assert ready.models.summary.endswith("do not believe")
    assert ready.predict.predict.isEnabled()
    assert ready.predict.predict.text().endswith("anyway")
    ready.predict.predict.click()
    qtbot.waitUntil(lambda: ready.job.state in (JobState.DONE, JobState.FAILED), timeout=PATIENCE)
    assert ready.predict.light_note.text().startswith(f"Red light, mito-z: {INVERTED.message}")
    by_model = {prediction_facts(layer).model: layer for layer in ready.run.layers}
    assert {name: layer.metadata["light"] for name, layer in by_model.items()} == {"mito-z": "red", "dna-z": "amber"}
    assert INVERTED in prediction_facts(by_model["mito-z"]).record.findings
    ready.predict.remove.click()
    assert ready.predict.light_note.isHidden()


def test_other_images_have_other_lights(seen, ready, qtbot, viewer):
    seen.append(INVERTED)
    planned_anew(ready, qtbot)
    seen.clear()
    other = viewer.add_image(
        np.random.default_rng(1).random((8, 40, 44), np.float32),
        name="brightfield",
        scale=(0.29, 0.11, 0.11),
        units=("um",) * 3,
        axis_labels=("z", "y", "x"),
    )
    ready.image.transmitted.choose(other)
    qtbot.waitUntil(lambda: light_of(ready, "mito-z").word == "With care", timeout=PATIENCE)
    assert ready.predict.predict.text() == "P&redict"


def test_it_says_that_it_looks_and_drops_what_comes_too_late(ready, qtbot, monkeypatch):
    slow, started, release = threading.Event(), threading.Event(), threading.Event()
    slow.set()

    def look(plan, should_stop):
        if not slow.is_set():
            return plan
        started.set()
        release.wait(60)
        return replace(plan, findings=(*plan.findings, INVERTED))

    for module in (planning, work):
        monkeypatch.setattr(module, "look_at_pixels", look)
    ready.models.show_plan(None)
    ready._planned_for = None
    ready._plan()
    qtbot.waitUntil(lambda: ready._shown is not None and started.is_set(), timeout=PATIENCE)
    assert light_of(ready, "mito-z").word == "Looking…"
    assert ready.models.summary.endswith("looking…")
    assert ready.predict.predict.isEnabled(), "nobody has to wait for it"
    slow.clear()
    ready._planned_for = None
    ready._plan()
    release.set()
    qtbot.waitUntil(lambda: light_of(ready, "mito-z").word == "With care", timeout=PATIENCE)
    qtbot.wait(100)
    assert light_of(ready, "mito-z").word == "With care"


def test_who_presses_early_gets_the_light_with_the_result(ready, qtbot, seen):
    seen.append(INVERTED)
    ready._shown = replace(ready._shown, looked=False)
    ready.predict.predict.click()
    qtbot.waitUntil(lambda: ready.job.state in (JobState.DONE, JobState.FAILED), timeout=PATIENCE)
    assert light_of(ready, "mito-z").word == "Do not believe"
    assert INVERTED in prediction_facts(ready.run.layers[0]).record.findings


def test_pixels_that_cannot_be_looked_at_are_a_reason(ready, monkeypatch):
    from napari_mito_predict import prediction

    def broken(plan, cancel):
        raise IncompleteImageError("3 planes are missing.")

    monkeypatch.setattr(prediction, "look", broken, raising=False)
    plan = planning.look_at_pixels(ready._shown.plan, lambda: False)
    assert [finding.code for finding in plan.findings].count("not-looked-at") == 1
    assert "3 planes are missing" in plan.findings[-1].message


def test_no_word_is_lost_and_none_is_said_twice(seen, ready, qtbot):
    note = Finding(Level.INFO, "modality-unknown", "Nobody says what the light is.")
    seen += [INVERTED, replace(INVERTED, message="dna-z: bright is dark here.", model="dna-z"), FLAT, note]
    planned_anew(ready, qtbot)
    said = words(ready.models)
    for finding in ready._shown.plan.findings:
        assert finding.message.removeprefix(f"{finding.model}: ") in said
        assert finding.fix in said
    assert said.count("bright is dark") == 1
    assert "as for mito-z" in words(light_of(ready, "dna-z"))
    disclaimer = ready._shown.plan.outputs["dna"].disclaimer
    assert said.count(disclaimer) == 1
    assert f"mito-z, dna-z: {disclaimer}" in said
    folded = words(ready.models.shared.folded)
    assert note.message in folded
    assert disclaimer not in folded, "it goes with every showing"


def test_findings_of_one_model_alone_stand_beside_it():
    simulated = Finding(Level.WARNING, "simulated-model", "mito-z: simulated.", "Compare.", model="mito-z")
    found = share([simulated, FLAT], ["mito-z", "real"], {"mito-z": "simulated.", "real": ""})
    assert found.once == (FLAT,)
    assert found.of_model == {"mito-z": (simulated,), "real": ()}
    assert found.same_as == {}
