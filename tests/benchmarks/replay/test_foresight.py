from __future__ import annotations

from benchmarks.replay.foresight import WAYS, foresight
from benchmarks.replay.recording import LONG_KL


def test_a_model_of_curves_foretells_real_trainings_from_stopped_ones_and_their_last_reports_do_not() -> None:
    whole, stopped, last_reports = (foresight(LONG_KL, way) for way in WAYS)
    assert whole > stopped > 0.6
    assert last_reports < stopped - 0.3
