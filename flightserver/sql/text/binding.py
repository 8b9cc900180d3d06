"""How strongly operators bind: as in DataFusion's parser, but IN, `||`, `->`, `^` and their kin as in PostgreSQL."""

OR, AND, NOT, CUSTOM, IS, COMPARE, MEMBER = 5, 10, 15, 16, 17, 19, 20
OTHER, XOR, ADD, MULTIPLY, ZONE, CARET, TIGHT = 21, 24, 30, 40, 41, 45, 50

BINDS = {
    "OR": OR,
    "AND": AND,
    "XOR": XOR,
    **dict.fromkeys(("@", "?"), CUSTOM),
    **dict.fromkeys(("=", "==", "<>", "!=", "<", ">", "<=", ">=", "<=>", "~", "!"), COMPARE),
    **dict.fromkeys(("|", "&", "#", "||", "->", "->>"), OTHER),
    "^": CARET,
    **dict.fromkeys(("+", "-"), ADD),
    **dict.fromkeys(("*", "/", "%", "DIV"), MULTIPLY),
    "AT": ZONE,
    **dict.fromkeys(("::", "["), TIGHT),
    "IS": IS,
    **dict.fromkeys(("LIKE", "ILIKE", "SIMILAR", "RLIKE", "REGEXP"), MEMBER),
    **dict.fromkeys(("IN", "BETWEEN"), MEMBER),
    "COLLATE": TIGHT,
}
"""The strength of each operator; what is none has none."""
