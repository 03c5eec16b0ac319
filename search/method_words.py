"""What samplers, pruners and their arguments do, in words, for `reference.py`.

Of Optuna's arguments those are left out that only turn its warnings off, and those that it has given up.
"""

from __future__ import annotations

SAMPLERS = {
    "random": "At random.",
    "tpe": "Tree of Parzen estimators: what good trials have and others have not. Source: Bergstra et al. 2011.",
    "grid": "All configurations, in a random order. Each parameter must have finitely many values.",
    "qmc": "A low-discrepancy sequence, which covers the space more evenly than chance.",
    "gp": "Optuna's Gaussian process of complete trials. Needs PyTorch (`EXTRAS=gp`).",
    "cmaes": "An evolution strategy for numbers; other parameters are drawn at random. Needs `EXTRAS=cmaes`. "
    "Source: Hansen 2016, arXiv 1604.00772.",
    "nsgaii": "A genetic algorithm for several objectives. Source: Deb et al. 2002.",
    "nsgaiii": "The same with reference points, for more than three objectives. Source: Deb and Jain 2014.",
    "brute_force": "As `grid`, and a parameter with a condition is tried only where it is met.",
    "curve_gp": "A Gaussian process of all trials' learning curves, stopped and paused ones too. One objective. "
    "[Measured](methods_measured.md#learning-from-curves).",
    "keras_tuner.random": "KerasTuner's `RandomSearchOracle`: at random, no configuration twice.",
    "keras_tuner.bayesian": "KerasTuner's `BayesianOptimizationOracle`: a Gaussian process. Needs `EXTRAS=bayesian`.",
    "keras_tuner.hyperband": "KerasTuner's `HyperbandOracle`: short trials first, the best of them longer.",
    "keras_tuner.grid": "KerasTuner's `GridSearchOracle`: all configurations in turn.",
}
PRUNERS = {
    "none": "Every trial is trained to its end.",
    "asha": "Trials pause at rungs with their checkpoints, and the best of each rung go on. "
    "Source: Li et al. 2020, arXiv 1810.05934.",
    "median": "Stops a trial that is worse than the median of the earlier ones at the same epoch.",
    "percentile": "As `median`, with another share.",
    "successive_halving": "Optuna's asynchronous successive halving: stops what is not among the best at a rung.",
    "hyperband": "Several of `successive_halving` side by side, with first rungs of different lengths. "
    "Source: Li et al. 2018, arXiv 1603.06560.",
    "patient": "Lets another pruner stop a trial only where the trial has not improved for a while.",
    "threshold": "Stops a trial whose objective is out of bounds.",
}
_POPULATION = {
    "population_size": "Configurations of a generation; the first generation is drawn at random.",
    "mutation_prob": "Chance that a parameter is drawn anew; null: one in the number of parameters.",
    "crossover_prob": "Chance that a configuration has two parents.",
    "swapping_prob": "Chance that a parameter is the second parent's.",
}
_STARTUP = "So many trials are drawn at random first."
SAMPLER_ARGUMENTS: dict[str, dict[str, str]] = {
    "tpe": {
        "n_startup_trials": _STARTUP,
        "n_ei_candidates": "Values of a parameter among which the most promising is taken.",
        "multivariate": "Whether parameters are looked at together; null: where there is one objective.",
        "group": "With `multivariate`: whether parameters with the same condition are looked at as a group.",
        "constant_liar": "Whether running trials count as bad, so that workers that ask at the same time get "
        "different things.",
    },
    "qmc": {
        "qmc_type": "`sobol` or `halton`.",
        "scramble": "Whether the sequence is another one for each `search.seed`.",
    },
    "gp": {
        "n_startup_trials": _STARTUP,
        "deterministic_objective": "Whether a configuration would have the same objective again.",
    },
    "cmaes": {
        "n_startup_trials": _STARTUP,
        "consider_pruned_trials": "Whether it learns from stopped trials, by their last report.",
        "popsize": "Trials of a generation; null: 4 + 3 ln of the number of parameters.",
        "use_separable_cma": "Whether parameters are taken to be independent, for many parameters.",
        "with_margin": "For spaces with steps: keeps a least chance for each value.",
        "lr_adapt": "For noisy objectives: adapts its own learning rate.",
    },
    "nsgaii": _POPULATION,
    "nsgaiii": {**_POPULATION, "dividing_parameter": "Density of the reference points."},
    "curve_gp": {
        "n_startup_trials": "So many trials must have reported before it learns; until then it draws at random.",
        "kappa": "Standard deviations from the mean to the bound: the more, the more it looks where little is known.",
    },
}
_WARMUP = {"warmup_epochs": "No trial is stopped before it has done more epochs than these."}
_RANKED = {
    "n_startup_trials": "No trial is stopped before so many are complete.",
    **_WARMUP,
    "interval_steps": "Epochs from one look at a trial to the next.",
    "n_min_trials": "No trial is stopped at an epoch that fewer have reached.",
}
_RUNGS = {
    "min_resource": "Epochs to the first rung; `auto`: by the first complete trial.",
    "reduction_factor": "One in so many goes on from a rung; each is so many times as far as the one before.",
    "bootstrap_count": "So many trials must reach a rung before it stops any.",
}
PRUNER_ARGUMENTS: dict[str, dict[str, str]] = {
    "asha": {
        "min_epochs": "The first rung; null: a third of a training.",
        "reduction_factor": _RUNGS["reduction_factor"],
        "min_agreement": "Where complete trials ranked at a rung otherwise than in the end (Kendall's tau is less than "
        "this), the rung lets all go on; null: no rung is judged.",
    },
    "median": _RANKED,
    "percentile": {
        "percentile": "Share of trials, in percent, of which a trial must be to go on: 25 keeps a quarter.",
        **_RANKED,
    },
    "successive_halving": {**_RUNGS, "min_early_stopping_rate": "The first so many rungs are left out."},
    "hyperband": {
        "min_resource": "Epochs to the first rung of the first bracket.",
        "max_resource": "Epochs of a whole training; `auto`: the study's.",
        "reduction_factor": _RUNGS["reduction_factor"],
        "bootstrap_count": _RUNGS["bootstrap_count"],
    },
    "patient": {
        "patience": "Validations without an improvement that are allowed.",
        "min_delta": "What counts as an improvement is more than this.",
        "wrapped": "The pruner that then decides, e.g. `{name: median}`; null: the trial is stopped.",
    },
    "threshold": {
        "lower": "An objective below this is out of bounds; null: none is.",
        "upper": "An objective above this is out of bounds; null: none is.",
        **_WARMUP,
        "interval_steps": _RANKED["interval_steps"],
    },
}
