"""A traffic light beside each checked model, before anything is predicted."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QLabel

from napari_mito_predict import prediction
from napari_mito_predict._widgets.common.facts import prediction_facts
from napari_mito_predict._widgets.common.light_words import light_sentences, red_reason, word_of, worst
from napari_mito_predict._widgets.common.worker import JobState
from napari_mito_predict._widgets.predict import planning
from napari_mito_predict._widgets.predict.sharing import share
from napari_mito_predict.errors import IncompleteImageError
from napari_mito_predict.image import Finding, Level
from napari_mito_predict.prediction.traffic_light import traffic_light

PATIENCE = 60_000
INVERTED = Finding(Level.SEVERE, "contrast-inverted", "mito-z: bright is dark here.", "Invert it.", model="mito-z")
UNFAMILIAR = Finding(Level.WARNING, "unfamiliar", "mito-z never saw the like.", "Fine-tune it.", model="mito-z")
FLAT = Finding(Level.WARNING, "little-contrast", "The light has little contrast.", "Close the aperture.")
NOTE = Finding(Level.INFO, "modality-unknown", "Nobody says what the light is.")
SIMULATED = Finding(Level.WARNING, "simulated-model", "mito-z: simulated.", "Compare.", model="mito-z")


@pytest.fixture
def seen(monkeypatch):
    """What is found in pixels from now on; nothing at first."""
    found = []

    def look(plan, cancel):
        if plan.looked:
            return plan
        return replace(plan, findings=(*plan.findings, *found), looked=True)

    monkeypatch.setattr(prediction, "look", look)
    return found


def plan_anew(dock):
    dock._planned_for = None
    dock._plan()


def planned_anew(dock, qtbot):
    """Wait for the lights of what is chosen now."""
    plan_anew(dock)
    qtbot.waitUntil(lambda: dock._shown is not None and dock._shown.plan.looked, timeout=PATIENCE)


def predicted(dock, qtbot):
    dock.predict.predict.click()
    qtbot.waitUntil(lambda: dock.job.state in (JobState.DONE, JobState.FAILED), timeout=PATIENCE)
    return {prediction_facts(layer).model: layer for layer in dock.run.layers}


def light_of(dock, model):
    return dock.models.rows[model].light


def words(widget):
    """All that is said, folded or not."""
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return "\n".join(getattr(label, "_plain", label.text()) for label in widget.findChildren(QLabel))


def test_a_red_light_says_why_and_forbids_nothing(seen, ready, qtbot, viewer):
    assert light_of(ready, "mito-z").word == "With care"
    assert ready.models.summary.endswith("with care")
    assert ready.predict.predict.text() == "P&redict"
    seen += [UNFAMILIAR, INVERTED]
    planned_anew(ready, qtbot)
    light = light_of(ready, "mito-z")
    assert light.word == "Do not believe"
    assert light.reasons.said == (INVERTED, UNFAMILIAR), "the worst first"
    assert light.reasons.more.text() == "1 more"
    assert light_of(ready, "dna-z").word == "With care"
    assert ready.models.summary.endswith("do not believe")
    assert ready.predict.predict.isEnabled()
    assert ready.predict.predict.text() == "P&redict anyway"
    layers = predicted(ready, qtbot)
    assert ready.predict.light_note.text().startswith(f"Red light, mito-z: {INVERTED.message}")
    assert {name: layer.metadata["light"] for name, layer in layers.items()} == {"mito-z": "red", "dna-z": "amber"}
    facts = prediction_facts(layers["mito-z"])
    assert facts.light.reasons[0] == INVERTED
    ready._compare_step.compare(layers["mito-z"])
    qtbot.waitUntil(lambda: ready.compare.doubt.toolTip() == red_reason(facts.light), timeout=PATIENCE)
    seen[:] = [UNFAMILIAR, replace(FLAT, level=Level.SEVERE)]
    planned_anew(ready, qtbot)
    assert "see below" in words(light_of(ready, "mito-z")), "what makes it red is about the image"
    seen.clear()
    light = np.random.default_rng(1).random((8, 40, 44), np.float32)
    placed = {"scale": (0.29, 0.11, 0.11), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    ready.image.transmitted.choose(viewer.add_image(light, name="brightfield", **placed))
    qtbot.waitUntil(lambda: light_of(ready, "mito-z").word == "With care", timeout=PATIENCE)
    assert ready.predict.predict.text() == "P&redict", "another image, another light"


def test_it_says_that_it_looks_and_drops_what_comes_too_late(ready, qtbot, monkeypatch):
    started, release = threading.Event(), threading.Event()
    found = [INVERTED]

    def look(plan, cancel):
        findings = (*plan.findings, *found)
        if found:
            started.set()
            release.wait(60)
        return replace(plan, findings=findings, looked=True)

    monkeypatch.setattr(prediction, "look", look)
    ready.models.show_plan(None)
    plan_anew(ready)
    qtbot.waitUntil(lambda: ready._shown is not None and started.is_set(), timeout=PATIENCE)
    assert light_of(ready, "mito-z").word == "Looking…"
    assert ready.models.summary.endswith("looking…")
    assert ready.predict.predict.isEnabled(), "nobody has to wait for it"
    disclaimer = ready._shown.plan.outputs["dna"].disclaimer
    assert disclaimer in words(ready.models), "what the file and the model say is known before"
    found.clear()
    plan_anew(ready)
    release.set()
    qtbot.waitUntil(lambda: light_of(ready, "mito-z").word == "With care", timeout=PATIENCE)
    qtbot.waitUntil(lambda: not ready.planning.state.busy, timeout=PATIENCE)
    assert light_of(ready, "mito-z").word == "With care"
    found.append(INVERTED)
    ready._shown = replace(ready._shown, plan=replace(ready._shown.plan, looked=False))
    layers = predicted(ready, qtbot)
    assert light_of(ready, "mito-z").word == "Do not believe", "who presses early gets it with the result"
    assert layers["mito-z"].metadata["light"] == "red"


def test_no_word_is_lost_and_none_is_said_twice(seen, ready, qtbot, monkeypatch):
    seen += [INVERTED, replace(INVERTED, message="dna-z: bright is dark here.", model="dna-z"), FLAT, NOTE]
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
    assert NOTE.message in folded
    assert disclaimer not in folded, "it goes with every showing"
    monkeypatch.setattr(prediction, "look", broken)
    plan = planning.look_at_pixels(ready._shown.plan, lambda: False)
    assert plan.findings[-1].code == "not-looked-at"
    assert "3 planes are missing" in plan.findings[-1].message


def broken(plan, cancel):
    raise IncompleteImageError("3 planes are missing.")


def test_what_is_about_one_model_alone_stands_beside_it():
    found = share([SIMULATED, FLAT], ["mito-z", "real"], {"mito-z": "simulated.", "real": ""})
    assert found.once == (FLAT,)
    assert found.of_model == {"mito-z": (SIMULATED,), "real": ()}
    assert found.same_as == {}


def test_words_of_results_name_models_and_the_worst_reason():
    red, amber = traffic_light("mito-z", [FLAT, INVERTED]), traffic_light("dna-z", [FLAT, INVERTED])
    green = traffic_light("dna-t", [NOTE])
    assert light_sentences([green]) == []
    assert light_sentences([amber, green, red]) == [
        f"Red light, mito-z: {INVERTED.message}",
        "Amber light, dna-z: with care, see Models.",
    ]
    assert red_reason(red) == INVERTED.message
    both = [traffic_light(name, [replace(FLAT, level=Level.SEVERE)]) for name in ("mito-z", "dna-z")]
    assert light_sentences(both) == [f"Red light, mito-z, dna-z: {FLAT.message}"], "the same reason once"
    assert [red_reason(light) for light in (amber, green, None)] == [""] * 3
    assert worst([green, red, amber]) == red
    impossible = traffic_light("mito-t", [replace(INVERTED, level=Level.ERROR, model="mito-t")])
    assert worst([red, impossible]) == impossible
    assert word_of(impossible) == "impossible"
