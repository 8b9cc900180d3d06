"""The line editor of the shell: history, statements over several lines, colours."""

from collections.abc import Callable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import PostgresLexer  # type: ignore[import-untyped]

from flightserver.cli.script import is_complete

PROMPT = "flightserver> "
CONTINUATION = "         ...> "


def open_prompt(history: Path) -> Callable[[], str]:
    """A function that returns the next statement or command; it raises KeyboardInterrupt and EOFError."""
    session: PromptSession[str] = PromptSession(
        PROMPT,
        history=FileHistory(str(history)),
        auto_suggest=AutoSuggestFromHistory(),
        lexer=PygmentsLexer(PostgresLexer),
        multiline=Condition(lambda: not is_sendable(get_app().current_buffer.text)),
        prompt_continuation=CONTINUATION,
    )
    return session.prompt


def is_sendable(text: str) -> bool:
    """Tell whether Enter sends the text instead of beginning another line."""
    return text.startswith("\\") or is_complete(text)
