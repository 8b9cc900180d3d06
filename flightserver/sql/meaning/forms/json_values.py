"""Parts of texts that are JSON: `->` and `->>`, and the functions that ask for a part along a path.

The engine has none of them. A path is one step after another, each a function of ours; `'$.a.b[0]'` is cut into its
steps here, so it must be a literal.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from flightserver.sql.meaning.forms.depth import CALLS_MAX, refuse_deep
from flightserver.sql.meaning.scopes import Visit
from flightserver.sql.meaning.types import is_whole
from flightserver.sql.meaning.writing import Writing
from flightserver.sql.text import tree
from flightserver.sql.text.tokens import string_value

_OPERATORS = {"->": False, "->>": True}
"""Whether what they yield is a plain text."""

_BY_KEYS: Mapping[str, tuple[bool, str]] = {
    **dict.fromkeys(("json_extract_path", "jsonb_extract_path", "json_get_json"), (False, "{}")),
    **dict.fromkeys(
        ("json_extract_path_text", "jsonb_extract_path_text", "json_as_text", "json_get_str"), (True, "{}")
    ),
    "json_get_int": (True, "TRY_CAST({} AS BIGINT)"),
    "json_get_float": (True, "TRY_CAST({} AS DOUBLE)"),
    "json_get_bool": (True, "TRY_CAST({} AS BOOLEAN)"),
}
"""Functions of a text and steps: whether the last step yields a plain text, and what is made of it."""

_BY_PATH = {"json_extract": False, "json_extract_string": True, "json_value": True}
"""Functions of a text and a path."""

_PLAIN = {
    **dict.fromkeys(("json_array_length", "jsonb_array_length"), "json_length"),
    **dict.fromkeys(("json_typeof", "jsonb_typeof"), "json_kind"),
    "json_valid": "json_is_valid",
}
"""Functions of a text alone, and ours."""

_STEP = re.compile(r"""\.(?:"([^"]+)"|([^."\[\]*]+))|\[(-?\d+)\]""")


def write(writing: Writing) -> None:
    """Write what functions of ours make of it."""
    for node, found in writing.of_kind(tree.Binary):
        if node.operator in _OPERATORS:
            refuse_deep(writing, found)
            _write_operator(writing, node, found)
            writing.keep_name(found, writing.written(node))
    for call, found in writing.of_kind(tree.Call):
        written = _call(writing, call, found)
        if written is not None:
            writing.edits.write(call, written)
            writing.keep_name(found, writing.written(call))


def _write_operator(writing: Writing, node: tree.Binary, found: Visit) -> None:
    function = _step(writing, node.right, found, is_text=_OPERATORS[node.operator])
    text_of = writing.edits.text_of
    writing.edits.write(node, lambda: f"{function}({text_of(node.left)}, {text_of(node.right)})")


def _step(writing: Writing, step: tree.Expression, found: Visit, *, is_text: bool) -> str:
    """The function that takes a step: by a key, or by a place in an array."""
    known = writing.type_of(step, found)
    if not (known == pa.string() or is_whole(known)):
        raise writing.unsupported(
            step, "a step into JSON is a text, for a key, or a whole number, for a place; cast it"
        )
    return f"json_{'item' if is_whole(known) else 'part'}{'_text' if is_text else ''}"


def _call(writing: Writing, call: tree.Call, found: Visit) -> Callable[[], str] | None:
    text_of = writing.edits.text_of
    if call.name in _PLAIN and len(call.arguments) == 1:
        return lambda: f"{_PLAIN[call.name]}({text_of(call.arguments[0])})"
    if call.name in _BY_KEYS and 1 < len(call.arguments) <= CALLS_MAX:
        return _by_keys(writing, call, found)
    if call.name in _BY_PATH and len(call.arguments) == 2:
        steps = _path(writing, call.arguments[1])
        return lambda: _along(text_of(call.arguments[0]), steps, is_text=_BY_PATH[call.name])
    return None


def _by_keys(writing: Writing, call: tree.Call, found: Visit) -> Callable[[], str]:
    is_text, made = _BY_KEYS[call.name]
    value, *steps = call.arguments
    last = len(steps) - 1
    functions = [_step(writing, step, found, is_text=is_text and place == last) for place, step in enumerate(steps)]

    def written() -> str:
        text = writing.edits.text_of(value)
        for function, step in zip(functions, steps, strict=True):
            text = f"{function}({text}, {writing.edits.text_of(step)})"
        return made.format(text)

    return written


def _along(text: str, steps: Sequence[str | int], *, is_text: bool) -> str:
    for place, step in enumerate(steps):
        suffix = "_text" if is_text and place == len(steps) - 1 else ""
        if isinstance(step, int):
            text = f"json_item{suffix}({text}, {step})"
        else:
            quoted = step.replace("'", "''")
            text = f"json_part{suffix}({text}, '{quoted}')"
    return text


def _path(writing: Writing, path: tree.Expression) -> list[str | int]:
    if isinstance(path, tree.Literal) and path.kind == "string":
        text = string_value(writing.text.tokens[path.start])
        steps = [int(m[3]) if m[3] else m[1] or m[2] for m in _STEP.finditer(text)]
        if (
            text.startswith("$")
            and 0 < len(steps) <= CALLS_MAX
            and "$" + "".join(m[0] for m in _STEP.finditer(text)) == text
        ):
            return steps
    raise writing.unsupported(path, "a path into JSON is a literal of up to 16 keys and places, as '$.a.b[0]'")
