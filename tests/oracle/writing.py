"""The text of a tree, for one of the databases.

DuckDB's leaves nothing to precedence, and knows neither storage nor users. Ours is written in the same way, or BARE:
with the fewest brackets and blanks, so that it also tells how a text is read.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import TypeVar

from tests.oracle import tree
from tests.oracle.forms import Form, Level
from tests.oracle.tree import Expression, Node

N = TypeVar("N", bound=Node)


class Dialect(Enum):
    """Whose text it is, and how it is written."""

    DUCK = "duck"
    SERVER = "server"
    BARE = "bare"


WRITERS: dict[type, "Callable[[Writer, Node], str]"] = {}
"""How a node of each class is written."""


def writes(sort: type[N]) -> "Callable[[Callable[[Writer, N], str]], Callable[[Writer, N], str]]":
    """Register a function as the one that writes nodes of a class."""

    def register(function: "Callable[[Writer, N], str]") -> "Callable[[Writer, N], str]":
        WRITERS[sort] = function  # type: ignore[assignment]
        return function

    return register


class Writer:
    """Writes trees in a dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.bare = dialect is Dialect.BARE
        self.duck = dialect is Dialect.DUCK

    def text(self, node: Node | None) -> str:
        """The text of a node; nothing for none, and for what the database does not know."""
        return "" if node is None else WRITERS[type(node)](self, node)

    def all(self, nodes: Iterable[Node]) -> str:
        """Nodes with commas between them."""
        return ", ".join(map(self.text, nodes))

    def clause(self, words: str, node: Node | Iterable[Node] | None) -> str:
        """A clause of one or several nodes, if there are any."""
        text = self.text(node) if isinstance(node, Node | None) else self.all(node)
        return f"{words} {text}" if text else ""

    def operand(self, part: Expression, needed: Level) -> str:
        """A part where a level is needed: in brackets where it binds less, or, not BARE, where it is an operator."""
        own = level(part)
        loose = own < needed if self.bare else own is not Level.CLOSED and needed is not Level.OPEN
        return f"({self.text(part)})" if loose else self.text(part)

    def typed(self, text: str, form: Form) -> str:
        """The text of a result, with the type that it must have."""
        return f"CAST({text} AS {form.duck_type})" if self.duck and form.duck_type else text


def level(node: Expression) -> Level:
    """How tight the outermost operator of an expression binds."""
    match node:
        case tree.Literal():
            return Level.MINUS if node.text.startswith("-") else Level.CLOSED
        case tree.Call():
            return node.form.level
        case tree.Exists(negated=True):
            return Level.NOT
        case tree.RowMember():
            return Level.RANGE
        case tree.Member():
            return Level.RANGE if node.words.endswith("IN") else Level.COMPARISON
        case _:
            return Level.CLOSED


def joined(*parts: str) -> str:
    """The parts that are there, with blanks between them."""
    return " ".join(filter(None, parts))


def tight(template: str) -> str:
    """A template without the blanks around symbols."""
    for symbol in ("+", "*", "||", "=", "<>", "<="):
        template = template.replace(f"}} {symbol} {{", f"}}{symbol}{{")
    return template


def direction(text: str, nulls: str, *, down: bool) -> str:
    """A key of an order as text."""
    return joined(text, "DESC" if down else "", f"NULLS {nulls}" if nulls else "")


def ordered(query: tree.Select | tree.SetOperation) -> str:
    """ORDER BY all columns of a query, if it has an order."""
    order = query.order
    if order is None:
        return ""
    downs = (order.downs[at % len(order.downs)] for at in range(len(tree.names(query))))
    return f"ORDER BY {', '.join(direction(str(at + 1), order.nulls, down=down) for at, down in enumerate(downs))}"


# Expressions


@writes(tree.Literal)
def _literal(_: Writer, node: tree.Literal) -> str:
    return node.text


@writes(tree.Column)
def _column(_: Writer, node: tree.Column) -> str:
    return f"{node.source}.{node.name}" if node.source and not node.bare else node.name


@writes(tree.Call)
def _call(writer: Writer, node: tree.Call) -> str:
    text = (writer.duck and node.form.duck_text) or node.form.text
    template = tight(text) if writer.bare else text
    return template.format(*map(writer.operand, node.parts, node.form.operand_levels))


@writes(tree.Aggregate)
def _aggregate(writer: Writer, node: tree.Aggregate) -> str:
    text = node.form.text.format(*map(writer.text, node.parts))
    return writer.typed(f"{text} FILTER (WHERE {writer.text(node.condition)})" if node.condition else text, node.form)


@writes(tree.Key)
def _key(writer: Writer, node: tree.Key) -> str:
    return direction(writer.text(node.value), node.nulls, down=node.down)


@writes(tree.Window)
def _window(writer: Writer, node: tree.Window) -> str:
    partition, order = writer.clause("PARTITION BY", node.partition), writer.clause("ORDER BY", node.order)
    text = node.form.text.format(*map(writer.text, node.parts))
    return writer.typed(f"{text} OVER ({joined(partition, order, node.frame)})", node.form)


@writes(tree.Scalar)
def _scalar(writer: Writer, node: tree.Scalar) -> str:
    return f"({writer.text(node.query)})"


@writes(tree.Exists)
def _exists(writer: Writer, node: tree.Exists) -> str:
    return f"{'NOT ' if node.negated else ''}EXISTS ({writer.text(node.query)})"


@writes(tree.Member)
def _member(writer: Writer, node: tree.Member) -> str:
    return f"{writer.operand(node.value, Level.CONCAT)} {node.words} ({writer.text(node.query)})"


@writes(tree.RowMember)
def _row_member(writer: Writer, node: tree.RowMember) -> str:
    if not writer.duck:
        return f"({writer.all(node.values)}) {'NOT IN' if node.negated else 'IN'} ({writer.text(node.query)})"
    names = [f"m{at + 1}" for at in range(len(node.values))]
    test = " IS NOT FALSE" if node.negated else ""
    values = map(writer.text, node.values)
    same = [f"(rows_in.{name} = ({value})){test}" for name, value in zip(names, values, strict=True)]
    rows = f"({writer.text(node.query)}) AS rows_in({', '.join(names)})"
    return f"{'NOT ' * node.negated}EXISTS (SELECT 1 FROM {rows} WHERE {' AND '.join(same)})"


# Queries


@writes(tree.Output)
def _output(writer: Writer, node: tree.Output) -> str:
    return f"{writer.text(node.value)} AS {node.name}"


@writes(tree.Page)
def _page(_: Writer, node: tree.Page) -> str:
    if node.in_words:
        offset = "" if node.offset is None else f"OFFSET {node.offset} ROWS"
        return joined(offset, "" if node.limit is None else f"FETCH FIRST {node.limit} ROWS ONLY")
    limit = "" if node.limit is None else f"LIMIT {node.limit}"
    return joined(limit, "" if node.offset is None else f"OFFSET {node.offset}")


@writes(tree.Named)
def _named(_: Writer, node: tree.Named) -> str:
    return f"{node.name} AS {node.alias}"


@writes(tree.Series)
def _series(_: Writer, node: tree.Series) -> str:
    return f"generate_series({node.first}, {node.last}) AS {node.alias} ({node.column})"


@writes(tree.Derived)
def _derived(writer: Writer, node: tree.Derived) -> str:
    columns = f"({', '.join(node.columns)})" if node.columns else ""
    return f"({writer.text(node.query)}) AS {node.alias}{columns}"


@writes(tree.Lateral)
def _lateral(writer: Writer, node: tree.Lateral) -> str:
    return f"LATERAL ({writer.text(node.query)}) AS {node.alias}"


@writes(tree.Join)
def _join(writer: Writer, node: tree.Join) -> str:
    rule = f"USING ({', '.join(node.using)})" if node.using else writer.clause("ON", node.on)
    right = f"({writer.text(node.right)})" if isinstance(node.right, tree.Join) else writer.text(node.right)
    return joined(writer.text(node.left), node.words, right, rule)


@writes(tree.Select)
def _select(writer: Writer, node: tree.Select) -> str:
    keys = writer.all(node.group)
    return joined(
        "SELECT DISTINCT" if node.distinct else "SELECT",
        writer.all(node.outputs),
        writer.clause("FROM", node.source),
        writer.clause("WHERE", node.where),
        "" if not keys else f"GROUP BY ROLLUP ({keys})" if node.rollup else f"GROUP BY {keys}",
        writer.clause("HAVING", node.having),
        ordered(node),
        writer.text(node.page),
    )


@writes(tree.SetOperation)
def _set_operation(writer: Writer, node: tree.SetOperation) -> str:
    plain = (tree.Select,) if writer.bare else ()
    left, right = (
        writer.text(part)
        if isinstance(part, plain) and part.order is None and part.page is None
        else f"({writer.text(part)})"
        for part in (node.left, node.right)
    )
    return joined(left, node.words, right, ordered(node), writer.text(node.page))


@writes(tree.Row)
def _row(writer: Writer, node: tree.Row) -> str:
    return f"({writer.all(node.values)})"


@writes(tree.Values)
def _values(writer: Writer, node: tree.Values) -> str:
    return f"VALUES {writer.all(node.rows)}"


@writes(tree.Common)
def _common(writer: Writer, node: tree.Common) -> str:
    return f"{node.name} AS ({writer.text(node.query)})"


@writes(tree.With)
def _with(writer: Writer, node: tree.With) -> str:
    return f"WITH {writer.all(node.common)} {writer.text(node.query)}"


# Changes


@writes(tree.Assignment)
def _assignment(writer: Writer, node: tree.Assignment) -> str:
    return f"{node.name} = {writer.text(node.value)}"


@writes(tree.Conflict)
def _conflict(writer: Writer, node: tree.Conflict) -> str:
    target = f"ON CONFLICT ({', '.join(node.key)})"
    if not node.assignments:
        return f"{target} DO NOTHING"
    return joined(target, "DO UPDATE SET", writer.all(node.assignments), writer.clause("WHERE", node.where))


@writes(tree.Insert)
def _insert(writer: Writer, node: tree.Insert) -> str:
    target = f"INSERT INTO {node.table} ({', '.join(node.columns)})"
    return joined(target, writer.text(node.query), writer.text(node.conflict), returning(writer, node))


@writes(tree.Update)
def _update(writer: Writer, node: tree.Update) -> str:
    if writer.bare and node.source is not None and node.where is not None and not node.returning:
        return _merge(writer, node, f"UPDATE SET {writer.all(node.assignments)}")
    return joined(
        f"UPDATE {node.table} AS {node.alias} SET",
        writer.all(node.assignments),
        writer.clause("FROM", node.source),
        writer.clause("WHERE", node.where),
        returning(writer, node),
    )


@writes(tree.Delete)
def _delete(writer: Writer, node: tree.Delete) -> str:
    if writer.bare and node.source is not None and node.where is not None and not node.returning:
        return _merge(writer, node, "DELETE")
    return joined(
        f"DELETE FROM {node.table} AS {node.alias}",
        writer.clause("USING", node.source),
        writer.clause("WHERE", node.where),
        returning(writer, node),
    )


def returning(writer: Writer, node: tree.Change) -> str:
    """The rows that a change gives back."""
    return writer.clause("RETURNING", node.returning)


def _merge(writer: Writer, node: tree.Update | tree.Delete, action: str) -> str:
    """A change by another source as MERGE: at most one row of it meets each row of the table."""
    return joined(
        f"MERGE INTO {node.table} AS {node.alias}",
        writer.clause("USING", node.source),
        writer.clause("ON", node.where),
        f"WHEN MATCHED THEN {action}",
    )


# Definitions and storage


@writes(tree.Definition)
def _definition(_: Writer, node: tree.Definition) -> str:
    return f"{node.name} {node.kind.value}"


@writes(tree.CreateTable)
def _create_table(writer: Writer, node: tree.CreateTable) -> str:
    words = "" if writer.duck else node.words
    key = f", PRIMARY KEY ({', '.join(node.key)})" if node.key else ""
    return f"{joined('CREATE', words, 'TABLE')} {node.table} ({writer.all(node.columns)}{key})"


@writes(tree.CreateView)
def _create_view(writer: Writer, node: tree.CreateView) -> str:
    return f"CREATE VIEW {node.name} AS {writer.text(node.query)}"


@writes(tree.AddColumn)
def _add_column(writer: Writer, node: tree.AddColumn) -> str:
    column, default = writer.text(node.column), writer.clause("DEFAULT", node.default)
    return joined(f"ALTER TABLE {node.table} ADD COLUMN", column, default)


@writes(tree.Storage)
def _storage(writer: Writer, node: tree.Storage) -> str:
    return "" if writer.duck else f"{node.words} TABLE {node.table}"


@writes(tree.ByAnother)
def _by_another(writer: Writer, node: tree.ByAnother) -> str:
    return "" if writer.duck else writer.text(node.change)
