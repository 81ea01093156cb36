"""A batch on real workers in processes of their own, one of which is killed in the middle."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import dask
import numpy as np
import pytest

from napari_mito_predict.errors import ClusterError
from napari_mito_predict.image import open_image
from napari_mito_predict.prediction.batch.cluster import connected, local_cluster, predict_on_cluster
from napari_mito_predict.prediction.batch.inputs import Entry, find_entries
from napari_mito_predict.prediction.batch.local import predict_batch
from napari_mito_predict.prediction.batch.outcome import State, name_taken


def test_a_killed_worker_loses_nothing(record, settings, tmp_path):
    for number in range(12):
        record(f"{number:02}.ome.tif", number)
    (tmp_path / "scans" / "03.ome.tif").write_bytes(b"II*\0")
    entries = find_entries([tmp_path / "scans"])
    refused = name_taken(Entry(tmp_path / "more" / "00.ome.tif"), entries[0])
    outcomes = {}
    with local_cluster(2) as client:
        # A busy machine needs longer than the 15 s after which a worker that was killed would be given up.
        assert dask.config.get("distributed.deploy.lost-worker-timeout") == "10 minutes"
        for outcome in predict_on_cluster([refused, *entries], settings, client):
            outcomes[outcome.entry] = outcome
            if len(outcomes) == 3:
                pid = next(iter(client.run(os.getpid).values()))
                os.kill(pid, signal.SIGKILL)
    assert outcomes.pop(refused.entry) is refused
    assert outcomes.keys() == set(entries)
    failed = [outcome for outcome in outcomes.values() if outcome.state is State.FAILED]
    assert [outcome.entry.path.name for outcome in failed] == ["03.ome.tif"]
    assert failed[0].reason
    images = [path for path in settings.folder.glob("*.ome.tif") if not path.name.startswith(".")]
    assert len(images) == 11
    again = [outcome.state for outcome in predict_batch(entries, settings)]
    assert again.count(State.THERE_ALREADY) == 11
    assert not list(settings.folder.glob(".*"))
    # Results do not depend on where they were computed.
    here = settings.folder.with_name("here")
    here.mkdir()
    (outcome,) = predict_batch(entries[:1], replace(settings, folder=here))
    there = outcomes[entries[0]].files["mitochondria"]
    np.testing.assert_array_equal(open_image(outcome.files["mitochondria"]).read(), open_image(there).read())


def test_nobody_at_the_address(monkeypatch):
    monkeypatch.setattr("napari_mito_predict.prediction.batch.cluster._CONNECT_S", 0.5)
    with pytest.raises(ClusterError, match="no scheduler"), connected("tcp://127.0.0.1:1"):
        pass
