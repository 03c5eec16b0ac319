"""Population based training against as many trainings that copy nothing: is it worth a study's trials?

Members of the quickstart's default architecture begin with random rates and weights. After each two epochs the worst
quarter goes on from the state of a member of the best, with its rate and L1 weight a fifth smaller or a quarter larger
(truncation selection of Jaderberg et al. 2017, arXiv:1711.09846). The best member is measured as it is, on photos that
chose nothing; then its numbers, as they changed from epoch to epoch, train fresh seeds, which says whether they were
good or the member was lucky.

`python -m benchmarks.population MEMBERS SEED COPY EPOCHS STEPS` is one population, in a process of its own.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import optuna

from benchmarks.processes import ROOT, run_python
from benchmarks.report import Options, Report
from colorgan.checkpoint import Checkpoint
from colorgan.config import TrainConfig
from colorgan.photos import open_photos
from search.parameter import CategoricalParameter, is_number
from search.space import Params, Space
from search.study import read_study

STUDY = ROOT / "studies" / "quickstart.yaml"
METRIC = "valid/delta_e"
COLUMNS = ("copy", "seed", "best member, valid", "best member, unseen photos", "its numbers on fresh seeds", "copies")
REPEATS, FRESH_SEEDS, FRESH = 2, 4, 2**30
INTERVAL, SMOOTH = 2, 2  # epochs
FACTORS = (0.8, 1.25)


def run(options: Options) -> Report:
    repeats, members, epochs, steps = (1, 4, 3, 2) if options.quick else (REPEATS, options.trials, 6, 60)
    jobs = [(seed, copy) for seed in range(repeats) for copy in (0, 1)]

    def one(job: tuple[int, int]) -> tuple[str | float, ...]:
        arguments = ["-m", "benchmarks.population", *map(str, (members, *job, epochs, steps))]
        found = run_python(arguments, threads=1).result
        return ("yes" if job[1] else "no", job[0], *found)

    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(one, jobs))
    return Report(
        "population", COLUMNS, sorted(rows), [f"Delta E; {members} members, {epochs} epochs of {steps} steps"]
    )


@dataclass(frozen=True)
class Member:
    """One training.

    Attributes:
        number: Its own, and that of its checkpoint.
        numbers: What it trains with until the next comparison, and trained with before, each for `INTERVAL` epochs.
    """

    number: int
    numbers: tuple[Params, ...]


class Population:
    """Members that take turns on one trainer."""

    def __init__(self, folder: Path, *, epochs: int, steps: int, seed: int) -> None:
        from colorgan.trainer import Trainer  # imports the backend

        study = read_study(STUDY)
        free = {path: one for path, one in study.space.items() if not path.endswith(".filters")}
        self.space = Space(
            free, study.train.with_values({"schedule.epochs": epochs, "schedule.steps_per_epoch": steps})
        )
        self.epochs, self._folder, self._chance = epochs, folder, random.Random(seed)  # noqa: S311 - no secret
        self._seed = seed
        photos = open_photos(self.space.base.data)
        self.trainer = Trainer(self.space.base, photos)
        self.unseen = photos.confirm

    def begin(self, members: int) -> list[Member]:
        """Returns members with random numbers."""
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=self._seed))
        return [Member(number, (self.space.suggest(study.ask()),)) for number in range(members)]

    def train(self, member: Member, until: int) -> float:
        """Trains a member on from its checkpoint, and returns its objective."""
        self._load(self.space.to_config(member.numbers[-1], seed=member.number), member.number)
        self._train(until)
        self.trainer.save(self._file(member.number))
        return self._objective()

    def train_anew(self, member: Member, seed: int) -> float:
        """Returns the objective of a training with a member's numbers on another seed."""
        self.trainer.reset(self.space.to_config(member.numbers[0], seed=seed))
        for place, numbers in enumerate(member.numbers):
            if place:
                self.trainer.save(self._file(-1))
                self._load(self.space.to_config(numbers, seed=seed), -1)
            self._train(min((place + 1) * INTERVAL, self.epochs))
        return self._objective()

    def compare(self, members: Sequence[Member], objectives: Sequence[float], *, copy: bool) -> Iterator[Member]:
        """Yields the members as they go on: the worst from the state of one of the best where they `copy`."""
        order = sorted(range(len(members)), key=objectives.__getitem__)
        quarter = max(1, len(members) // 4)
        best, worst = order[:quarter], set(order[-quarter:]) if copy else set()
        for place, member in enumerate(members):
            if place not in worst:
                yield replace(member, numbers=(*member.numbers, member.numbers[-1]))
                continue
            source = members[self._chance.choice(best)]
            Checkpoint.load(self._file(source.number)).save(self._file(member.number))
            yield replace(member, numbers=(*source.numbers, self._changed(source.numbers[-1])))

    def restore(self, member: Member) -> None:
        """Gives the trainer a member's last state."""
        self.trainer.restore(Checkpoint.load(self._file(member.number)))

    def _changed(self, numbers: Params) -> Params:
        found = dict(numbers)
        for path, parameter in self.space.parameters.items():
            if isinstance(parameter, CategoricalParameter):
                continue  # a change of the factor tenfold is no small step
            value = numbers[path]
            if is_number(value):
                value *= self._chance.choice(FACTORS)
                found[path] = min(max(value, float(parameter.low)), float(parameter.high))
        return found

    def _load(self, config: TrainConfig, number: int) -> None:
        file = self._file(number)
        if file.exists():
            self.trainer.restore(replace(Checkpoint.load(file), config=config))
        else:
            self.trainer.reset(config)

    def _train(self, until: int) -> None:
        epochs = self.trainer.epochs()
        while self.trainer.epoch < until:
            next(epochs)

    def _objective(self) -> float:
        return fmean(result.metrics[METRIC] for result in self.trainer.history[-SMOOTH:])

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.npz"


def main() -> None:
    members, seed, copy, epochs, steps = map(int, sys.argv[1:])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        population = Population(Path(temporary), epochs=epochs, steps=steps, seed=seed)
        now, copies = population.begin(members), 0
        ends = [*range(INTERVAL, epochs, INTERVAL), epochs]
        for end in ends:
            objectives = [population.train(member, end) for member in now]
            if end < epochs:
                before, now = now, list(population.compare(now, objectives, copy=bool(copy)))
                copies += sum(new.numbers[:-1] != old.numbers for new, old in zip(now, before, strict=True))
        best = now[min(range(members), key=objectives.__getitem__)]
        population.restore(best)
        trainer = population.trainer
        unseen = trainer.validator.measure(population.unseen, trainer._predict)[METRIC]
        anew = fmean(population.train_anew(best, FRESH + seed * FRESH_SEEDS + one) for one in range(FRESH_SEEDS))
        print(json.dumps([min(objectives), unseen, anew, copies]))


if __name__ == "__main__":
    main()
