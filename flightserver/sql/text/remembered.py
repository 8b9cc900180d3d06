"""Answers about texts that come again and again, such as those of dashboards and prepared statements."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

TEXTS_MAX = 1024
TEXT_LENGTH_MAX = 4096
"""Longer texts are seldom sent twice, and would cost memory."""

Answer = TypeVar("Answer")


def remembered(function: Callable[[str], Answer]) -> Callable[[str], Answer]:
    """Remember what a function of one text answers, which must be a value that nobody changes. Errors are not kept."""
    known = lru_cache(TEXTS_MAX)(function)

    @wraps(function)
    def answer(text: str) -> Answer:
        return known(text) if len(text) <= TEXT_LENGTH_MAX else function(text)

    return answer
