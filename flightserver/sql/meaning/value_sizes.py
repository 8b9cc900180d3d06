"""How large the values of a query may become, told from its text: by what functions do, and how they are nested.

The engine works on batches of rows, and what a function makes of a batch is in no account of its: `replace` in
`replace` in `replace` makes ten gigabytes of ten letters before anybody can stop it. So the largest value that an
expression may make is estimated beforehand. What is stored counts as `STORED_BYTES`, a literal as what it is; a
function is of a class that says what it makes of its arguments. A query whose values are larger is run with smaller
batches, and beyond `VALUE_BYTES_MAX` it is refused.

A test asks the engine for its functions, and fails for one that is in no class or makes more than its class says.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from catalog.errors import DatabaseError, ErrorKind
from flightserver.sql.text import tree

STORED_BYTES = 64
VALUE_BYTES_MAX = 8 << 20
PARAMETER_BYTES = 64
NUMBER_BYTES = 8
GATHERED_ROWS = 1_000
GATHERED_BYTES_MAX = 1 << 20
"""How many values one of `string_agg` is taken to have, and what they are at most taken to be together."""

SMALL = frozenset(
    {
        *("abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "cos", "cosh", "cot"),
        *("degrees", "exp", "factorial", "floor", "gcd", "iszero", "isnan", "lcm", "ln", "log", "log10", "log2"),
        *("nanvl", "pi", "pow", "power", "radians", "rand", "random", "round", "signum", "sin", "sinh", "sqrt", "tan"),
        *("tanh", "trunc", "ascii", "bit_length", "char_length", "character_length", "length", "octet_length"),
        *("strpos", "position", "instr", "find_in_set", "levenshtein", "regexp_count", "regexp_instr", "regexp_like"),
        *("starts_with", "ends_with", "contains", "chr", "to_hex", "md5", "sha224", "sha256", "sha384", "sha512"),
        *("digest", "uuid", "version", "current_date", "current_time", "current_timestamp", "now", "today"),
        *("date_bin", "date_part", "datepart", "date_trunc", "datetrunc", "from_unixtime", "make_date", "make_time"),
        *("to_date", "to_local_time", "to_time", "to_timestamp", "to_timestamp_micros", "to_timestamp_millis"),
        *("to_timestamp_nanos", "to_timestamp_seconds", "to_unixtime", "file_row_index", "input_file_name"),
        *("array_length", "list_length", "cardinality", "array_has", "list_has", "array_contains", "list_contains"),
        *("array_has_all", "list_has_all", "array_has_any", "list_has_any", "arrays_overlap", "array_position"),
        *("list_position", "array_indexof", "list_indexof", "array_ndims", "list_ndims", "array_dims", "list_dims"),
        *("empty", "array_empty", "list_empty", "array_distance", "list_distance", "cosine_distance", "dot_product"),
        *("inner_product", "array_sum", "list_sum", "array_avg", "list_avg", "array_product", "list_product"),
        *("arrow_typeof", "union_tag", "count", "sum", "avg", "mean", "median", "stddev", "stddev_pop", "stddev_samp"),
        *("var", "var_pop", "var_population", "var_samp", "var_sample", "corr", "covar", "covar_pop", "covar_samp"),
        *("bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "approx_distinct", "approx_median", "grouping"),
        *("approx_percentile_cont", "approx_percentile_cont_with_weight", "percentile_cont", "quantile_cont"),
        *("regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy"),
        *("regr_syy", "cume_dist", "dense_rank", "ntile", "percent_rank", "rank", "row_number"),
    }
)
"""A number, a moment, a truth value, or a text of some letters."""

PARTS = frozenset(
    {
        *("coalesce", "nullif", "ifnull", "nvl", "nvl2", "greatest", "least", "min", "max", "any_value"),
        *("first_value", "last_value", "nth_value", "lag", "lead", "substr", "substring", "substring_index"),
        *("substr_index", "left", "right", "btrim", "ltrim", "rtrim", "trim", "split_part", "array_element"),
        *("array_extract", "list_element", "list_extract", "element_at", "array_any_value", "list_any_value"),
        *("array_max", "list_max", "array_min", "get_field", "array_slice", "list_slice", "array_sort"),
        *("list_sort", "array_distinct", "list_distinct", "array_reverse", "list_reverse", "array_pop_back"),
        *("list_pop_back", "array_pop_front", "list_pop_front", "array_compact", "list_compact", "array_remove"),
        *("list_remove", "array_remove_all", "list_remove_all", "array_remove_n", "list_remove_n", "array_except"),
        *("list_except", "array_intersect", "list_intersect", "flatten", "map_extract", "map_keys", "map_values"),
        *("map_entries", "union_extract", "arrow_cast", "arrow_try_cast", "cast_to_type", "try_cast_to_type"),
        *("array_normalize", "list_normalize", "array_scale", "list_scale", "array_add", "list_add"),
        *(
            "array_subtract",
            "list_subtract",
            "reverse",
            "upper",
            "lower",
            "initcap",
            "decode",
            "arrow_field",
            "arrow_metadata",
            "with_metadata",
        ),
    }
)
"""No more than the largest argument; in capitals some letters take a byte more, but not again and again."""

GATHERED = frozenset(
    {
        *("concat", "overlay", "array_append", "list_append", "array_push_back", "list_push_back", "array_prepend"),
        *("list_prepend", "array_push_front", "list_push_front", "array_cat", "list_cat", "array_concat"),
        *("list_concat", "array_union", "list_union", "arrays_zip", "list_zip", "make_array", "make_list", "struct"),
        *("named_struct", "row", "map", "array_replace", "list_replace", "array_replace_n", "list_replace_n"),
    }
)
"""All arguments, one behind another."""

MULTIPLIED: Mapping[str, int] = {
    "encode": 2,
    "translate": 4,
    **dict.fromkeys(("to_char", "date_format"), 16),
    **dict.fromkeys(("regexp_match", "array_positions", "list_positions"), 24),
    **dict.fromkeys(("string_to_array", "string_to_list"), 24),
}
"""All arguments, and so many times as much: other letters, digits for bytes, names of days, a list's item a letter."""

_Sizes: TypeAlias = tuple[int, ...]


def _first_three(sizes: _Sizes, missing: int) -> tuple[int, ...]:
    """Three arguments; the engine refuses calls in which some are missing."""
    return (*sizes, missing, missing, missing)[:3]


def _replaced(sizes: _Sizes, least: _Sizes) -> int:
    """`replace(text, from, to)`: as often as `from` has room in the text; an empty one is between all letters."""
    text, _, put_in = _first_three(sizes, 1)
    pattern = _first_three(least, 0)[1]
    return text * max(1, -(-put_in // max(pattern, 1))) + put_in


def _matched(sizes: _Sizes, _: _Sizes) -> int:
    """`regexp_replace(text, pattern, to[, flags])`: `to` may name what was matched, a reference takes two letters."""
    text, _pattern, put_in = _first_three(sizes, 1)
    return text * (1 + put_in)


def _separated(sizes: _Sizes, _: _Sizes) -> int:
    """`concat_ws(separator, …)`."""
    return sum(sizes[1:]) + len(sizes) * (sizes[0] if sizes else 0)


def _joined(sizes: _Sizes, _: _Sizes) -> int:
    """`array_to_string(list, separator[, instead of NULL])`: an item may be as small as a byte."""
    return (sizes[0] if sizes else 0) * (1 + sum(sizes[1:]))


def _aggregated(sizes: _Sizes, _: _Sizes) -> int:
    """What an aggregate holds is in the engine's account; what was gathered is not multiplied by gathering it again."""
    return max(sum(sizes), min(GATHERED_ROWS * sum(sizes), GATHERED_BYTES_MAX))


def _exchanged(sizes: _Sizes, _: _Sizes) -> int:
    """`array_replace_all(list, from, to)`: items are at least numbers."""
    return (sizes[0] if sizes else 0) * max(1, sum(sizes[2:]) // NUMBER_BYTES)


MULTIPLYING: Mapping[str, Callable[[_Sizes, _Sizes], int]] = {
    "replace": _replaced,
    "regexp_replace": _matched,
    "concat_ws": _separated,
    **dict.fromkeys(("array_to_string", "list_to_string", "array_join", "list_join"), _joined),
    **dict.fromkeys(("array_replace_all", "list_replace_all"), _exchanged),
    **dict.fromkeys(("string_agg", "array_agg"), _aggregated),
}
"""What sizes multiply to: of the arguments at most, and at least where they are literals."""


def size_of_call(name: str, sizes: _Sizes, least: _Sizes, *, keeps_letters: bool = False) -> int:
    """The bytes of what a function makes of arguments of some sizes, at most and at least.

    `keeps_letters` says that `translate` puts no longer letters in.
    """
    if name in SMALL:
        return STORED_BYTES
    if name in PARTS:
        return max(sizes, default=NUMBER_BYTES)
    if name in MULTIPLYING:
        return MULTIPLYING[name](sizes, least)
    return sum(sizes) * (1 if keeps_letters else MULTIPLIED.get(name, 1))


def refuse_vast(size: int) -> None:
    """Raise RESOURCES for a value that may be too large."""
    if size > VALUE_BYTES_MAX:
        about = f"{size >> 20:,} MB" if size < 1 << 60 else "any amount of memory"
        raise DatabaseError(
            ErrorKind.RESOURCES,
            f"a value of the statement may take {about}, and may take {VALUE_BYTES_MAX >> 20} MB: it multiplies texts"
            " or lists again and again; nest fewer functions, use shorter literals, or keep a step in a table",
        )


class ValueSizes:
    """Estimates the values of expressions: `of_name` of a column, `of_query` of a sub-query's. `largest` of all."""

    def __init__(
        self, written: Callable[[tree.Node], str], of_name: Callable[[tree.Name], int], of_query: Callable[[int], int]
    ) -> None:
        self._written = written
        self._of_name = of_name
        self._of_query = of_query
        self.largest = NUMBER_BYTES

    def of(self, node: tree.Node) -> int:
        """At most how many bytes a value has, a stored one taken for `STORED_BYTES`."""
        size = self._size(node)
        self.largest = max(self.largest, size)
        return size

    def _size(self, node: tree.Node) -> int:
        match node:
            case tree.Name():
                return self._of_name(node)
            case tree.Literal():
                return len(self._letters(node)) if node.kind == "string" else NUMBER_BYTES
            case tree.Query():
                return self._of_query(id(node))
            case tree.Call():
                return self._call(node)
            case tree.Case():
                return self._case(node)
            case _:
                return self._made_of_parts(node, [self.of(part) for part in tree.parts_of(node)])

    @staticmethod
    def _made_of_parts(node: tree.Node, parts: list[int]) -> int:
        match node:
            case tree.Binary(operator="||") | tree.Compound():
                return max(sum(parts), NUMBER_BYTES)
            case tree.Brackets() | tree.ScalarQuery() | tree.Item() | tree.Binary(operator="->" | "->>"):
                return max(parts, default=NUMBER_BYTES)
            case tree.Cast():
                return max(*parts, STORED_BYTES)
            case tree.Parameter():
                return PARAMETER_BYTES
        return NUMBER_BYTES

    def _case(self, case: tree.Case) -> int:
        for condition in (case.operand, *(condition for condition, _ in case.branches)):
            if condition is not None:
                self.of(condition)
        values = [value for _, value in case.branches] + ([case.otherwise] if case.otherwise is not None else [])
        return max(map(self.of, values), default=NUMBER_BYTES)

    def _call(self, call: tree.Call) -> int:
        sizes = tuple(self.of(argument) for argument in call.arguments)
        for part in (*call.order_by, call.condition, call.over):
            if isinstance(part, tree.Node):
                self.of(part)
        name = call.name.rpartition(".")[2]
        least = tuple(map(self._at_least, call.arguments))
        is_ascii = name == "translate" and all(self._written(argument).isascii() for argument in call.arguments[1:])
        return size_of_call(name, sizes, least, keeps_letters=is_ascii)

    def _at_least(self, node: tree.Node) -> int:
        """How many bytes a value surely has."""
        if not isinstance(node, tree.Literal) or node.kind != "string":
            return 0
        letters = self._letters(node)
        return len(letters) // 2 if b"'" in letters or b"\\" in letters else len(letters)

    def _letters(self, node: tree.Literal) -> bytes:
        """What stands between a literal's quotes."""
        return self._written(node).partition("'")[2].removesuffix("'").encode()
