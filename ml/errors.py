"""What stops a run, told in one sentence to the person who started it."""


class Refused(ValueError):
    """Input that can't be trained on; nothing was trained. Exit status 2."""


class Broken(RuntimeError):
    """A run that had to stop (no memory, a loss that is no number); the last checkpoint stands. Exit status 3."""
