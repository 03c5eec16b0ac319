"""Real searches in simulated time: the project's driver, samplers and pruners against recorded trainings."""
