"""The query engine's failures as this database's errors: the kind from the message's form, the text without the engine.

DataFusion raises ValueError or a bare Exception whose text begins with the kind of failure. Inner names, nested
prefixes and file paths are taken out; what remains is one line.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from catalog.errors import DatabaseError, ErrorKind
from catalog.full_disk import disk_full, is_full

MESSAGE_CHARACTERS_MAX = 500

_KINDS: tuple[tuple[str, ErrorKind], ...] = (
    (r"SQL error|ParserError|TokenizerError|RecursionLimitExceeded", ErrorKind.SYNTAX),
    (r"Resources exhausted|ResourcesExhausted|exceeded the allowable limit", ErrorKind.RESOURCES),
    (r"failed to match any signature", ErrorKind.INVALID),
    (r"SanityCheckPlan", ErrorKind.UNSUPPORTED),
    (r"Optimizer rule '(?:simplify_expressions|type_coercion)' failed", ErrorKind.INVALID),
    (r"Optimizer rule '(?:scalar_subquery_to_join|decorrelate_predicate_subquery)' failed", ErrorKind.UNSUPPORTED),
    (
        r"No field named (?:\"\$|__correlated_sq)|a mixed of outer references|single expression req",
        ErrorKind.UNSUPPORTED,
    ),
    (r"table '[^']*' not found|No field named|Invalid function|No table named", ErrorKind.NOT_FOUND),
    (r"not implemented|NotImplemented|not supported|unsupported", ErrorKind.UNSUPPORTED),
    (r"Parquet error|Parquet argument error|Object Store error", ErrorKind.CORRUPT),
    (r"Internal error|panicked", ErrorKind.INTERNAL),
)

_NOISE = re.compile(
    r"(DataFusion error|Error during planning|SQL error|Schema error|Arrow error|Execution error|Optimizer rule '[^']*'"
    r" failed|External error|Cast error|Compute error|Invalid argument error|Parser error|type_coercion|caused by"
    r"|Internal error|Io error|Please try increasing the config: `[^`]*`"
    r"|Parquet error|This feature is not implemented|Context)\s*:?\s*",
    re.IGNORECASE,
)
_PARSER = re.compile(r"(?:ParserError|TokenizerError)\(\"(.*?)\"\)", re.DOTALL)
_RAISED = re.compile(r"PyErr \{ type: .*?, value: \w+\((['\"])(.*?)\1\), traceback: .*", re.DOTALL)
"""What a function of ours raises while constants are worked out, with a traceback."""

_SIGNATURE = re.compile(r"Function ('[^']*') failed to match any signature.*", re.DOTALL)
_SUB_QUERY = re.compile(
    r"Physical plan does not support logical expression (?:InSubquery|ScalarSubquery|Exists|SetComparison|Outer).*"
    r"|single expression required.*",
    re.DOTALL,
)
_OUTER_COLUMN = re.compile(r"No field named \"\$.*", re.DOTALL)
"""A sub-query uses a column of the outer query where it has a name that rewriting gave it."""

_LOST_COLUMN = re.compile(r"No field named __correlated_sq.*", re.DOTALL)
_WINDOW_COLUMN = re.compile(r".*should not contain a mixed of outer references.*", re.DOTALL)
_TIED = re.compile(r".*Optimizer rule '(?:scalar_subquery_to_join|decorrelate_predicate_subquery)' failed.*", re.DOTALL)
_SORTED_TWICE = re.compile(r"Conflicting ordering requirements in aggregate functions.*", re.DOTALL)
_NOT_SEEN_SORTED = re.compile(r".*SanityCheckPlan.*", re.DOTALL)
_SYNTAX_NODE = re.compile(r"Unsupported ast node (?:in sqltorel: )?(\w+) .*", re.DOTALL)
_PATHS = re.compile(r"(?:file://)?/?(?:[\w.~%@+=-]+/)+[\w.~%@+=-]*\.(?:parquet|arrow|bloom|dv|json)")
_RELATION = re.compile(r"\bmain\.(?:\$default\.)?|\$default\.|storage\.files\.(?:b[0-9a-f]{32}|t\d+)\.")

_ADVICE = {
    ErrorKind.RESOURCES: "the statement needs more memory or disk than it may use; make it smaller, or raise"
    " memory_limit_mb or spill_limit_mb on the server",
    ErrorKind.CORRUPT: "a stored file is damaged: {}; put it back from a copy of the data folder",
}
"""What is said instead of, or around, the engine's own words."""


def translate(error: BaseException) -> DatabaseError:
    """The database error for an engine error."""
    if isinstance(error, DatabaseError):
        return error
    if isinstance(error, pa.ArrowCancelled):
        return DatabaseError(ErrorKind.CANCELLED, "the statement was cancelled")
    if isinstance(error, KeyError):  # the library looks the type of a result's column up, and has no entry for some
        return DatabaseError(ErrorKind.UNSUPPORTED, "a column of the result has a type that cannot be sent; cast it")
    if is_full(error):
        return disk_full()
    text = _RAISED.sub(r"\2", str(error))
    kind = next((kind for pattern, kind in _KINDS if re.search(pattern, text, re.IGNORECASE)), ErrorKind.INVALID)
    return DatabaseError(kind, _ADVICE.get(kind, "{}").format(_clean(text)))


@contextmanager
def engine_errors() -> Iterator[None]:
    """Translate what the engine raises inside the block."""
    try:
        yield
    except DatabaseError:
        raise
    except Exception as error:
        raise translate(error) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise DatabaseError(ErrorKind.INTERNAL, "the query engine failed on this statement") from error
        raise


def _clean(text: str) -> str:
    parsed = _PARSER.search(text)
    if parsed:
        text = parsed.group(1)
    text = text.split("\n\nbacktrace", 1)[0].split("This issue was likely caused by a bug", 1)[0]
    if not any(known.search(text) for known in (_OUTER_COLUMN, _LOST_COLUMN, _WINDOW_COLUMN)):
        text = _TIED.sub("a sub-query at this place may not use columns of the outer query; write a join", text)
    text = _RELATION.sub("", _PATHS.sub("a stored file", _NOISE.sub("", text)))
    text = _SIGNATURE.sub(r"function \1 takes no arguments of these types; cast them", text)
    text = _SUB_QUERY.sub("a sub-query at this place is not supported; write it as a join", text)
    text = _OUTER_COLUMN.sub("a sub-query at this place may not use columns of the outer query; write EXISTS", text)
    text = _LOST_COLUMN.sub("a sub-query in a set operation may not use columns of the outer query; write a join", text)
    text = _WINDOW_COLUMN.sub("a window in a sub-query may not use columns of the outer query; write a join", text)
    text = _SORTED_TWICE.sub("aggregates of one SELECT may not sort in two ways; use a sub-query for each", text)
    text = _NOT_SEEN_SORTED.sub(
        "the engine cannot join, compare or number by a column that is a constant here; put the constant into a query"
        " around this one",
        text,
    )
    text = _SYNTAX_NODE.sub(lambda found: f"{found[1].upper()} is not supported", text)
    line = " ".join(text.split()).strip(" :,")
    return line[: MESSAGE_CHARACTERS_MAX - 1] + "…" if len(line) > MESSAGE_CHARACTERS_MAX else line
