"""Expressions, node by node: what each is in the cluster's text. A node that is in no table here is refused."""

import re
from collections.abc import Callable, Mapping

import pyarrow as pa
from sqlglot import exp

from flightserver.cluster.translation.arithmetic import computed, moved, negative
from flightserver.cluster.translation.kinds import (
    AVERAGE_DIGITS,
    DAY,
    DOUBLE,
    LONG,
    LONG_DIGITS,
    TEXT,
    TRUTH,
    Value,
    as_decimal,
    cast,
    comparable,
    day,
    decimal_of,
    known,
    number,
    ordered,
    refused,
    text,
    united,
)
from flightserver.cluster.translation.scopes import Scope, Translated

SubQuery = Callable[[exp.Expr, Scope], Translated]

_SUM_DIGITS = 10
_INTEGER = pa.int32()
_PARTS_OF_DAYS = frozenset({"YEAR", "MONTH", "DAY"})
_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_COMPARISONS = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_SAME = {exp.NullSafeEQ: "", exp.NullSafeNEQ: "NOT "}
_CASTS: Mapping[object, pa.DataType] = {
    exp.DataType.Type.SMALLINT: pa.int16(),
    exp.DataType.Type.INT: pa.int32(),
    exp.DataType.Type.BIGINT: pa.int64(),
    exp.DataType.Type.DOUBLE: DOUBLE,
    exp.DataType.Type.TEXT: TEXT,
    exp.DataType.Type.VARCHAR: TEXT,
    exp.DataType.Type.DATE: DAY,
}
_LOOSE = (
    *_COMPARISONS,
    *_SAME,
    exp.Is,
    exp.Like,
    exp.In,
    exp.Between,
    exp.Not,
    exp.And,
    exp.Or,
)
"""What must stand in brackets to be an operand: readers of SQL differ in how tight these bind."""


def only(node: exp.Expr, *names: str) -> None:
    """Refuse a node that says more than what is looked at."""
    for name, found in node.args.items():
        if found not in (None, [], False, "") and name not in names:
            raise refused(f"{name.rstrip('_').upper()} in {node.key.upper()}")


class Values:
    """Translates expressions; queries within them are translated by `sub_query`."""

    def __init__(self, sub_query: SubQuery) -> None:
        self._sub_query = sub_query
        self._nodes: dict[type[exp.Expr], Callable[..., Value]] = {
            exp.Column: self._column,
            exp.Literal: lambda node, _: text(node.this) if node.is_string else number(node.this),
            exp.Boolean: lambda node, _: Value("TRUE" if node.this else "FALSE", TRUTH, nullable=False),
            exp.Null: lambda *_: Value("NULL", None),
            exp.Paren: self._brackets,
            exp.Neg: self._negative,
            exp.DPipe: self._joined,
            exp.And: self._connected,
            exp.Or: self._connected,
            exp.Not: lambda node, scope: self._truth(f"(NOT {self.condition(node.this, scope).text})"),
            exp.Is: self._test,
            exp.Between: self._between,
            exp.In: self._in_list,
            exp.Like: self._like,
            exp.Cast: self._cast,
            exp.Case: self._case,
            exp.Coalesce: self._coalesce,
            exp.Nullif: self._nullif,
            exp.Substring: self._substring,
            exp.Extract: self._extract,
            exp.Lower: self._of_text,
            exp.Upper: self._of_text,
            exp.Trim: self._of_text,
            exp.Length: self._length,
            exp.Abs: self._abs,
            exp.Count: self._count,
            exp.Sum: self._sum,
            exp.Avg: self._average,
            exp.Min: self._extreme,
            exp.Max: self._extreme,
            exp.Filter: self._filtered,
            exp.Subquery: self._scalar,
            **dict.fromkeys(_ARITHMETIC, self._arithmetic),
            **dict.fromkeys(_COMPARISONS, self._comparison),
            **dict.fromkeys(_SAME, self._comparison),
        }

    def value(self, node: exp.Expr, scope: Scope) -> Value:
        """What an expression is."""
        found = self._nodes.get(type(node))
        if found is None:
            raise refused(f"{_called(node)} is not on its list")
        return found(node, scope)

    def condition(self, node: exp.Expr, scope: Scope) -> Value:
        """An expression that is true or not."""
        found = self.value(node, scope)
        if found.kind != TRUTH:
            raise refused("a condition that is no truth value")
        return found

    def filter(self, node: exp.Expr, scope: Scope) -> str:
        """A condition on rows: of its parts, which must all hold, each may ask for rows of another query."""
        if isinstance(node, exp.And):
            only(node, "this", "expression")
            return f"({self.filter(node.this, scope)} AND {self.filter(node.expression, scope)})"
        if isinstance(node, exp.Paren):
            return self.filter(node.this, scope)
        is_not = isinstance(node, exp.Not)
        asked = node.this.unnest() if is_not else node
        if isinstance(asked, exp.Exists):
            return self._exists(asked, scope, "NOT EXISTS" if is_not else "EXISTS")
        if isinstance(asked, exp.In) and asked.args.get("query") is not None:
            return self._in_query(asked, scope, is_not=is_not != bool(asked.args.get("negate")))
        return self.condition(node, scope).text

    def _exists(self, node: exp.Exists, scope: Scope, words: str) -> str:
        only(node, "this")
        found = self._sub_query(node.this, scope)
        if found.is_one_row:
            raise refused("EXISTS over an aggregate")
        return f"({words} ({found.text}))"

    def _in_query(self, node: exp.In, scope: Scope, *, is_not: bool) -> str:
        only(node, "this", "query", "negate")
        found = self._sub_query(node.args["query"].unnest(), scope)
        operand = self._operand(node.this, scope)
        if len(found.outputs) != 1:
            raise refused("IN of several columns")
        inner = found.outputs[0].value
        left, right = comparable(operand, inner)
        if right.text != inner.text or left.kind != right.kind or left.is_double:
            raise refused("IN of a query with values of another type")
        if is_not and (operand.nullable or inner.nullable):
            raise refused("NOT IN of a query where there may be NULL: write NOT EXISTS")
        return f"({left.text} {'NOT IN' if is_not else 'IN'} ({found.text}))"

    def _scalar(self, node: exp.Subquery, scope: Scope) -> Value:
        only(node, "this")
        found = self._sub_query(node.this, scope)
        if len(found.outputs) != 1 or not found.is_one_row:
            raise refused("a query as a value that is not one aggregate")
        if found.is_correlated and found.counts:
            raise refused("a query that counts for each row of another")
        value = found.outputs[0].value
        return Value(f"({found.text})", value.kind)

    @staticmethod
    def _truth(written: str) -> Value:
        return Value(written, TRUTH)

    def _operand(self, node: exp.Expr, scope: Scope) -> Value:
        if isinstance(node, _LOOSE):
            raise refused("a condition as an operand without brackets")
        return self.value(node, scope)

    def _column(self, node: exp.Column, scope: Scope) -> Value:
        only(node, "this", "table", "db", "catalog")
        if node.args.get("db") is not None:
            raise refused("a column behind a namespace")
        if not isinstance(node.this, exp.Identifier):
            raise refused("* outside of a list of columns")
        source = node.args.get("table")
        return scope.column(folded(node.this), None if source is None else folded(source))

    def _brackets(self, node: exp.Paren, scope: Scope) -> Value:
        return self.value(node.this, scope)

    def _negative(self, node: exp.Neg, scope: Scope) -> Value:
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            return number(f"-{node.this.this}")
        return negative(self._operand(node.this, scope))

    def _arithmetic(self, node: exp.Binary, scope: Scope) -> Value:
        only(node, "this", "expression", "typed", "safe")
        if isinstance(node.expression, exp.Interval) and isinstance(node, exp.Add | exp.Sub):
            return self._moved(node, scope)
        if isinstance(node.this, exp.DPipe) or isinstance(node.expression, exp.DPipe):
            raise refused("|| beside arithmetic without brackets")
        left, right = self._operand(node.this, scope), self._operand(node.expression, scope)
        return computed(_ARITHMETIC[type(node)], left, right)

    def _moved(self, node: exp.Binary, scope: Scope) -> Value:
        found = node.expression
        only(found, "this", "unit")
        if not isinstance(found.this, exp.Literal) or not re.fullmatch(r"-?\d{1,6}", str(found.this.this)):
            raise refused("an interval that is no whole number of one unit")
        amount = int(found.this.this) * (-1 if isinstance(node, exp.Sub) else 1)
        return moved(self._operand(node.this, scope), amount, str(found.args.get("unit")))

    def _comparison(self, node: exp.Binary, scope: Scope) -> Value:
        only(node, "this", "expression")
        left, right = comparable(self._operand(node.this, scope), self._operand(node.expression, scope))
        if type(node) in _SAME:
            return self._truth(f"({_SAME[type(node)]}({left.text} <=> {right.text}))")
        return self._truth(f"({left.text} {_COMPARISONS[type(node)]} {right.text})")

    def _connected(self, node: exp.Connector, scope: Scope) -> Value:
        only(node, "this", "expression")
        word = "AND" if isinstance(node, exp.And) else "OR"
        left, right = self.condition(node.this, scope), self.condition(node.expression, scope)
        return self._truth(f"({left.text} {word} {right.text})")

    def _test(self, node: exp.Is, scope: Scope) -> Value:
        only(node, "this", "expression", "negate")
        operand, asked = self._operand(node.this, scope), node.expression
        words = "NOT " if node.args.get("negate") else ""
        if isinstance(asked, exp.Null):
            return self._truth(f"({words}({operand.text} IS NULL))")
        if isinstance(asked, exp.Boolean) and operand.kind == TRUTH:
            return self._truth(f"({words}({operand.text} <=> {'TRUE' if asked.this else 'FALSE'}))")
        raise refused("IS with anything but NULL, TRUE and FALSE")

    def _between(self, node: exp.Between, scope: Scope) -> Value:
        only(node, "this", "low", "high", "negate")
        operand = self._operand(node.this, scope)
        low = comparable(operand, self._operand(node.args["low"], scope))
        high = comparable(operand, self._operand(node.args["high"], scope))
        both = f"(({low[0].text} >= {low[1].text}) AND ({high[0].text} <= {high[1].text}))"
        return self._truth(_turned(node, both))

    def _in_list(self, node: exp.In, scope: Scope) -> Value:
        if node.args.get("query") is not None:
            raise refused("IN of a query that is not one of the conditions of WHERE that must all hold")
        only(node, "this", "expressions", "negate")
        operand = self._operand(node.this, scope)
        pairs = [comparable(operand, self.value(item, scope)) for item in node.expressions]
        some = "(" + " OR ".join(f"({left.text} = {right.text})" for left, right in pairs) + ")"
        return self._truth(_turned(node, some))

    def _like(self, node: exp.Like, scope: Scope) -> Value:
        only(node, "this", "expression", "negate")
        operand, pattern = self._operand(node.this, scope), self._operand(node.expression, scope)
        if operand.kind != TEXT or pattern.literal is None or "\\" in pattern.literal:
            raise refused("LIKE with anything but a constant pattern without backslashes")
        return self._truth(_turned(node, f"({operand.text} LIKE {pattern.text})"))

    def _joined(self, node: exp.DPipe, scope: Scope) -> Value:
        only(node, "this", "expression", "safe")
        for side in (node.this, node.expression):
            if isinstance(side, tuple(_ARITHMETIC)):
                raise refused("|| beside arithmetic without brackets")
        left, right = self._operand(node.this, scope), self._operand(node.expression, scope)
        if left.kind != TEXT or right.kind != TEXT:
            raise refused("|| of anything but texts")
        return Value(f"({left.text} || {right.text})", TEXT)

    def _cast(self, node: exp.Cast, scope: Scope) -> Value:
        only(node, "this", "to")
        wanted = node.args["to"]
        operand = self.value(node.this, scope)
        kind = _CASTS.get(wanted.this)
        if wanted.this is exp.DataType.Type.DECIMAL and len(wanted.expressions) == 2:
            precision, scale = (int(str(one.this)) for one in wanted.expressions)
            kind = pa.decimal128(precision, scale)
        elif wanted.expressions:
            kind = None
        if kind is None:
            raise refused(f"a cast to {wanted.sql()}")
        if operand.kind is None:
            return Value(f"CAST(NULL AS {cast(operand, kind).text.rpartition(' AS ')[2]}", kind)
        return _widened(operand, kind)

    def _case(self, node: exp.Case, scope: Scope) -> Value:
        only(node, "this", "ifs", "default")
        of = node.args.get("this")
        subject = None if of is None else self._operand(of, scope)
        conditions = []
        for branch in node.args["ifs"]:
            if subject is None:
                conditions.append(self.condition(branch.this, scope).text)
            else:
                left, right = comparable(subject, self.value(branch.this, scope))
                conditions.append(f"({left.text} = {right.text})")
        otherwise = node.args.get("default")
        results = [self.value(branch.args["true"], scope) for branch in node.args["ifs"]]
        results.append(Value("NULL", None) if otherwise is None else self.value(otherwise, scope))
        chosen = united(results, "CASE")
        branches = " ".join(f"WHEN {one} THEN {got.text}" for one, got in zip(conditions, chosen, strict=False))
        return Value(f"(CASE {branches} ELSE {chosen[-1].text} END)", chosen[0].kind)

    def _coalesce(self, node: exp.Coalesce, scope: Scope) -> Value:
        only(node, "this", "expressions")
        given = [self.value(one, scope) for one in (node.this, *node.expressions)]
        chosen = united(given, "coalesce")
        written = f"coalesce({', '.join(one.text for one in chosen)})"
        return Value(written, chosen[0].kind)

    def _nullif(self, node: exp.Nullif, scope: Scope) -> Value:
        only(node, "this", "expression")
        first = self.value(node.this, scope)
        left, right = comparable(first, self.value(node.expression, scope))
        written = f"(CASE WHEN ({left.text} = {right.text}) THEN NULL ELSE {first.text} END)"
        return Value(written, first.kind)

    def _substring(self, node: exp.Substring, scope: Scope) -> Value:
        only(node, "this", "start", "length")
        operand = self._text(node.this, scope, "substring")
        places = [node.args.get("start"), node.args.get("length")]
        if not all(one is None or (isinstance(one, exp.Literal) and str(one.this).isdecimal()) for one in places):
            raise refused("substring with places that are not constants")
        start, length = (None if one is None else int(str(one.this)) for one in places)
        if start is None or not 1 <= start < 1 << 31 or (length or 0) >= 1 << 31:
            raise refused("substring with a place before the text")
        return Value(f"substring({operand.text}, {start}{'' if length is None else f', {length}'})", TEXT)

    def _text(self, node: exp.Expr, scope: Scope, what: str) -> Value:
        found = self.value(node, scope)
        if found.kind != TEXT:
            raise refused(f"{what} of anything but a text")
        return found

    def _of_text(self, node: exp.Func, scope: Scope) -> Value:
        only(node, "this")
        return Value(f"{node.key}({self._text(node.this, scope, node.key).text})", TEXT)

    def _length(self, node: exp.Length, scope: Scope) -> Value:
        only(node, "this")
        return Value(f"CAST(char_length({self._text(node.this, scope, 'length').text}) AS INT)", _INTEGER)

    def _extract(self, node: exp.Extract, scope: Scope) -> Value:
        only(node, "this", "expression")
        operand, part = self.value(node.expression, scope), str(node.this).upper()
        if operand.kind != DAY or part not in _PARTS_OF_DAYS:
            raise refused("extract of anything but YEAR, MONTH and DAY of a date")
        return Value(f"CAST({part.lower()}({operand.text}) AS INT)", _INTEGER)

    def _abs(self, node: exp.Abs, scope: Scope) -> Value:
        only(node, "this")
        found = known(self.value(node.this, scope), "abs")
        if found.is_whole and found.kind is not None:
            wide = cast(found, pa.decimal128(LONG_DIGITS, 0))
            return cast(Value(f"abs({wide.text})", None), found.kind)
        if not (found.is_decimal or found.is_double):
            raise refused(f"abs of {found.kind}")
        return Value(f"abs({found.text})", found.kind)

    def _count(self, node: exp.Count, scope: Scope) -> Value:
        only(node, "this", "big_int")
        scope.has_aggregates = scope.counts = True
        if isinstance(node.this, exp.Star):
            return Value("count(*)", LONG)
        distinct, operand = self._aggregated(node.this, scope)
        return Value(f"count({distinct}{ordered(operand).text})", LONG)

    def _aggregated(self, node: exp.Expr, scope: Scope) -> tuple[str, Value]:
        scope.has_aggregates = True
        if not isinstance(node, exp.Distinct):
            return "", self.value(node, scope)
        only(node, "expressions")
        if len(node.expressions) != 1:
            raise refused("DISTINCT of several values in an aggregate")
        return "DISTINCT ", known(self.value(node.expressions[0], scope), "DISTINCT")

    def _sum(self, node: exp.Sum, scope: Scope) -> Value:
        only(node, "this")
        distinct, operand = self._aggregated(node.this, scope)
        known(operand, "sum")
        if operand.is_whole:
            wide = cast(operand, pa.decimal128(LONG_DIGITS, 0))
            return Value(f"CAST(sum({distinct}{wide.text}) AS BIGINT)", LONG)
        if operand.is_decimal and operand.kind is not None:
            kind = decimal_of(operand.kind.precision + _SUM_DIGITS, operand.kind.scale)
            return Value(f"sum({distinct}{operand.text})", kind)
        if not operand.is_double or distinct:
            raise refused(f"sum of {operand.kind}")
        return Value(f"sum({operand.text})", DOUBLE)

    def _average(self, node: exp.Avg, scope: Scope) -> Value:
        only(node, "this")
        distinct, operand = self._aggregated(node.this, scope)
        known(operand, "avg")
        if distinct:
            raise refused("avg of DISTINCT values")
        if operand.is_decimal and operand.kind is not None:
            kind = decimal_of(operand.kind.precision + AVERAGE_DIGITS, operand.kind.scale + AVERAGE_DIGITS)
            return Value(f"avg({operand.text})", kind)
        if not (operand.is_whole or operand.is_double):
            raise refused(f"avg of {operand.kind}")
        return Value(f"avg({cast(operand, DOUBLE).text})", DOUBLE)

    def _extreme(self, node: exp.Min | exp.Max, scope: Scope) -> Value:
        only(node, "this")
        _, operand = self._aggregated(node.this, scope)
        known(operand, node.key)
        if operand.kind == TRUTH:
            raise refused(f"{node.key} of truth values")
        return Value(f"{node.key}({ordered(operand).text})", operand.kind)

    def _filtered(self, node: exp.Filter, scope: Scope) -> Value:
        only(node, "this", "expression")
        condition = self.condition(node.expression.this, scope)
        inner = node.this
        if isinstance(inner, exp.Count) and isinstance(inner.this, exp.Star):
            scope.has_aggregates = scope.counts = True
            return Value(f"count(CASE WHEN {condition.text} THEN 1 END)", LONG)
        raise refused("FILTER of anything but count(*)")


def _widened(value: Value, kind: pa.DataType) -> Value:
    """A cast that loses nothing and never fails, or of a constant."""
    if value.kind == kind:
        return value
    if kind == DAY and value.kind == TEXT and value.literal is not None:
        return day(value.literal)
    if pa.types.is_decimal128(kind) and (value.is_whole or value.is_decimal or value.has_point):
        if as_decimal(value).scale > kind.scale:
            raise refused("a cast that rounds")
        return Value(f"CAST({as_decimal(value).text} AS DECIMAL({kind.precision},{kind.scale}))", kind)
    if value.is_whole and kind in (pa.int16(), pa.int32(), LONG):
        return Value(f"CAST({value.text} AS {cast(value, kind).text.rpartition(' AS ')[2]}", kind)
    if kind == DOUBLE and (value.is_whole or value.is_decimal):
        return cast(value, DOUBLE)
    raise refused(f"a cast of {value.kind} to {kind}")


def _turned(node: exp.Expr, written: str) -> str:
    """A condition, or its opposite where the node says NOT."""
    return f"(NOT {written})" if node.args.get("negate") else written


def folded(identifier: exp.Expr) -> str:
    """A name as it is meant."""
    name = str(identifier.this)
    return name if identifier.args.get("quoted") else name.lower()


def _called(node: exp.Expr) -> str:
    name = node.this if isinstance(node, exp.Anonymous) else node.key
    return str(name).upper()
