"""What recorded trainings say by themselves, as tables; no search is asked."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.replay.curve_models import MODELS, cross_validate
from benchmarks.replay.foresight import WAYS
from benchmarks.replay.foresight import foresight as foretold
from benchmarks.replay.markdown import table
from benchmarks.replay.noise import OBJECTIVES, compared, smoothed
from benchmarks.replay.recording import LONG, LONG_KL, SHORT, Recorded, Recording, by_configuration
from benchmarks.replay.sensitivity import shares
from benchmarks.replay.surrogate import Surrogate, recorded_surrogate


def recording(recording: Recording) -> str:
    """Returns what was recorded, and what the surrogate makes of it."""
    surrogate, trainings = recorded_surrogate(recording), recording.read()
    failed = sum(one.state != "complete" for one in trainings)
    pairs = int(surrogate.paired.sum())
    seconds = surrogate.training_seconds()
    best, default = surrogate.optimum(), surrogate.value(surrogate.default())
    at = ", ".join(f"{path} {value:.3g}" for path, value in best[1].items())
    return (
        f"{len(trainings)} trainings of {len(by_configuration(trainings))} configurations, {pairs} of them with two "
        f"seeds; {failed or 'none'} failed. A training of average architecture takes {seconds:.0f} simulated seconds. "
        f"The surrogate's optimum is {best[0]:.2f} ({at}), the default configuration has {default:.2f}."
    )


def models(surrogate: Surrogate) -> str:
    """Returns how well models of curves foretell configurations left out."""
    rows = []
    for name, make in MODELS.items():
        found = cross_validate(make, surrogate.points, surrogate.curves, last=surrogate.last)
        rows.append([name, f"{found.rmse:.2f}", f"{found.r2:.2f}", f"{found.slope:.2f}" if name != "mean" else ""])
    return table(["", "RMSE of Delta E", "R2", "slope"], rows)


def importance(complete: Sequence[Recorded], surrogate: Surrogate) -> str:
    """Returns which parameters matter, by the recording and by the surrogate."""
    columns = ["parameter", "PED-ANOVA", "variance of Delta E: alone", "with others", "of colourfulness: with others"]
    rows = [
        [
            f"`{one.path}`",
            f"{one.ped_anova:.0%}{'' if one.stands_out else ' (as by chance)'}",
            f"{max(0.0, one.alone):.0%}",
            f"{one.in_all:.0%}",
            f"{one.colour:.0%}",
        ]
        for one in shares(complete, surrogate)
    ]
    return table(columns, rows)


def smoothing(surrogate: Surrogate, several: Sequence[int]) -> str:
    """Returns how far seeds and configurations differ, by the epochs that the objective is a mean of."""
    rows = []
    for epochs in several:
        one = smoothed(surrogate, epochs)
        numbers = (one.seeds, one.good_seeds, one.configurations)
        rows.append([str(epochs), *(f"{number:.2f}" for number in numbers), f"{one.reliability:.0%}"])
    columns = ["smooth_epochs", "seeds alone", "in the better half", "configurations", "reliable in the better half"]
    return table(columns, rows)


def metrics() -> str:
    """Returns how much of each metric is the configurations' and not the seeds'."""
    short, long = (compared(LONG, epoch=epoch, smooth_epochs=smooth) for epoch, smooth in ((6, 2), (24, 4)))
    rows = [
        [f"`{name}`", *(f"{share:.0%}" for one in (short[name], long[name]) for share in (one.in_all, one.reliability))]
        for name in OBJECTIVES
    ]
    return table(["objective", "6 epochs, all", "the better half", "24 epochs, all", "the better half"], rows)


def foresight() -> str:
    """Returns how much of recorded trainings `curve_gp`'s model foretells."""
    names = {SHORT: "6 epochs", LONG: "24 epochs", LONG_KL: "24 epochs"}
    rows = [
        [name, f"`{recording.metric}`", *(f"{foretold(recording, way):.2f}" for way in WAYS)]
        for recording, name in names.items()
    ]
    return table(["trainings of", "objective", *WAYS], rows)
