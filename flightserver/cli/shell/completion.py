"""What Tab offers: backslash commands, keywords, and the names that the server has.

Behind a point stands a name inside the one before it: a table of a namespace, a column of a table or of its alias.
Behind FROM and its like stands a table, elsewhere a column of the tables that the statement names, or a keyword.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prompt_toolkit.completion import CompleteEvent, Completer
from prompt_toolkit.completion import Completion as Offer
from prompt_toolkit.document import Document

from catalog.errors import DatabaseError
from catalog.identifiers import TableName, display_identifier
from flightserver.cli.shell.meta import COMMANDS
from flightserver.cli.statements import Names
from flightserver.sql.text.tokens import Kind, Token, tokenize

KEYWORDS = (
    *("ADD", "ALL", "ALTER", "AND", "AS", "ASC", "BEGIN", "BETWEEN", "BY", "CASE", "CAST", "COLUMN", "COMMIT"),
    *("COMPACT", "CONFLICT", "CREATE", "CROSS", "DEFAULT", "DELETE", "DESC", "DESCRIBE", "DISTINCT", "DO", "DROP"),
    *("ELSE", "END", "EXCEPT", "EXISTS", "EXPLAIN", "FALSE", "FLUSH", "FROM", "FULL", "GROUP", "HAVING", "IF", "ILIKE"),
    *("IN", "INNER", "INSERT", "INTERSECT", "INTERVAL", "INTO", "IS", "JOIN", "KEY", "KILL", "LEFT", "LIKE", "LIMIT"),
    *("MANIFEST", "NAMESPACE", "NAMESPACES", "NOT", "NOTHING", "NULL", "OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER"),
    *("PARTITION", "PRIMARY", "QUERY", "RELEASE", "RENAME", "REPLACE", "RIGHT", "ROLLBACK", "SAVEPOINT", "SELECT"),
    *("SESSION", "SET", "SHARED", "SHOW", "TABLE", "TABLES", "TEMPORARY", "THEN", "TO", "TRANSACTION", "TRUE"),
    *("TRUNCATE", "UNION", "UPDATE", "USE", "USER", "USING", "VALUES", "VIEW", "WHEN", "WHERE", "WITH"),
)
_BEFORE_TABLES = frozenset(
    {"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "VIEW", "DESCRIBE", "FLUSH", "COMPACT", "TRUNCATE", "MANIFEST"}
)
_BEFORE_NAMESPACES = frozenset({"USE", "NAMESPACE", "SCHEMA"})


class Completion(Completer):
    """Completes words from the names that a function fetches; None when the server does not answer at once."""

    def __init__(self, names: Callable[[], Names | None]) -> None:
        self._names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Offer]:  # noqa: ARG002
        """What can follow the cursor."""
        before = document.text_before_cursor
        word = _word(before)
        for text in offers(before, document.text, self._names() or Names()):
            yield Offer(text, start_position=-len(word))


def offers(before: str, whole: str, names: Names) -> list[str]:
    """The words that what stands before the cursor can go on with; nothing inside strings and comments."""
    if before.startswith("\\"):
        return _command_offers(before, names)
    try:
        tokens = tokenize(before)
    except DatabaseError:
        return []
    word = _word(before)
    context = tokens[:-1] if word else tokens
    last = context[-1] if context else None
    if last is not None and last.text == "." and len(context) > 1:
        return _starting(word, _inside(_name(context[-2]), names, whole))
    if last is not None and last.key in _BEFORE_NAMESPACES:
        return _starting(word, names.namespaces)
    if last is not None and last.key in _BEFORE_TABLES:
        return _starting(word, [*_tables(names), *names.namespaces])
    columns = [column for table in _named_tables(whole, names).values() for column in names.tables[table]]
    found = _starting(word, columns) if word or columns else []
    keywords = [key for key in KEYWORDS if word and key.startswith(word.upper())]
    return [*found, *(key.lower() if word.islower() else key for key in keywords)]


def _command_offers(before: str, names: Names) -> list[str]:
    command, space, argument = before.partition(" ")
    if not space:
        return [each for each in COMMANDS if each.startswith(command)]
    candidates = names.namespaces if command == "\\dt" else _tables(names) if command == "\\d" else []
    return _starting(_word(argument), candidates)


def _tables(names: Names) -> list[str]:
    """Tables as they are written: those of other namespaces with it."""
    return [name.table for name in names.tables if name.namespace == names.current]


def _inside(owner: str, names: Names, whole: str) -> list[str]:
    tables = [name.table for name in names.tables if name.namespace == owner]
    table = _named_tables(whole, names).get(owner)
    return [*tables, *(names.tables[table] if table is not None else ())]


def _named_tables(text: str, names: Names) -> dict[str, TableName]:
    """The tables that a statement names, by the words that stand for their columns: name or alias."""
    try:
        tokens = tokenize(text)
    except DatabaseError:
        return {}
    found: dict[str, TableName] = {}
    for position in range(1, len(tokens)):
        if tokens[position - 1].key in _BEFORE_TABLES | {","}:
            name, behind = _table_at(tokens, position, names)
            if name in names.tables:
                found[name.table] = name
                alias = _alias(tokens[behind : behind + 2])
                if alias:
                    found[alias] = name
    return found


def _table_at(tokens: Sequence[Token], position: int, names: Names) -> tuple[TableName, int]:
    """The table whose name begins at a token, and the position behind it."""
    if len(tokens) > position + 2 and tokens[position + 1].text == ".":
        return TableName(_name(tokens[position]), _name(tokens[position + 2])), position + 3
    return TableName(names.current, _name(tokens[position])), position + 1


def _alias(behind: Sequence[Token]) -> str | None:
    words = [token for token in behind if token.key != "AS"][:1]
    is_alias = bool(words) and words[0].kind in (Kind.WORD, Kind.QUOTED) and words[0].key not in KEYWORDS
    return _name(words[0]) if is_alias else None


def _name(token: Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.kind is Kind.QUOTED else token.text.lower()


def _word(before: str) -> str:
    """The word that is begun before the cursor."""
    start = len(before)
    while start and (before[start - 1].isalnum() or before[start - 1] in "_$"):
        start -= 1
    return before[start:]


def _starting(word: str, candidates: Iterable[str]) -> list[str]:
    found = dict.fromkeys(each for each in candidates if each.lower().startswith(word.lower()))
    return [display_identifier(each) for each in found]
