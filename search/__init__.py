"""Hyperparameter search over `colorgan` trainings."""
