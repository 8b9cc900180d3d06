"""The line editor of the shell: history, statements over several lines, completion, colours."""

from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import Completer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.shortcuts import CompleteStyle
from pygments.lexers.sql import PostgresLexer  # type: ignore[import-untyped]

from flightserver.cli.shell.script import is_sendable

PROMPT = "flightserver> "
CONTINUATION = "         ...> "


class Prompt:
    """Asks for statements and commands."""

    def __init__(self, history: Path, completer: Completer) -> None:
        self._history = FileHistory(str(history))
        self._completer = completer

    def ask(self, begun: str) -> str:
        """What is entered, which goes on with what is begun; raises KeyboardInterrupt and EOFError.

        Each question has an editor of its own, so that none begins in the state in which another was interrupted.
        """
        session: PromptSession[str] = PromptSession(
            PROMPT,
            history=self._history,
            auto_suggest=AutoSuggestFromHistory(),
            lexer=PygmentsLexer(PostgresLexer),
            multiline=True,
            prompt_continuation=CONTINUATION,
            completer=self._completer,
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            key_bindings=_bindings(),
        )
        return session.prompt(default=begun)


def _bindings() -> KeyBindings:
    """Enter sends what is complete; Ctrl-C gives up, also when it is pressed twice at once."""
    bindings = KeyBindings()
    is_editing = has_focus(DEFAULT_BUFFER)

    @bindings.add("enter", filter=is_editing)
    def _send(event: KeyPressEvent) -> None:
        if is_sendable(event.current_buffer.text):
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    @bindings.add("c-c", filter=is_editing)
    @bindings.add("<sigint>")
    def _give_up(event: KeyPressEvent) -> None:
        if not event.app.is_done:
            event.app.exit(exception=KeyboardInterrupt(), style="class:aborting")

    return bindings
