"""The two bases of all errors that a user sees as a message instead of a traceback.

    ValueError   <- BadInputError   <- ConfigError, YamlError, PhotosError, CheckpointError, StudyError
    RuntimeError <- CannotRunError  <- StudyBusyError, StorageError, EngineError

Command lines turn the first into exit code 2, the second into exit code 1.
"""


class BadInputError(ValueError):
    """Something given cannot be used; the message says what, where, and what is allowed."""


class CannotRunError(RuntimeError):
    """What was given is fine, but it cannot be done here and now; the message says why and what to do."""
