"""The one exception of the package."""


class BloomCorrupt(ValueError):  # noqa: N818 - a name for what the file is, not for what the code did
    """A bloom file is damaged, truncated, foreign, or of a newer format; nothing of it may be used."""
