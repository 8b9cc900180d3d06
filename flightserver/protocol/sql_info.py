"""The table that answers GetSqlInfo: what this server can do, as data.

Every id that the protocol defines is answered, none that it does not define is ever sent, and each value sits in the
union member that clients cast it to: drivers fail on a missing id, an unknown id and a wrong member alike. Two
choices differ from the comments in the protocol's own file because every client reads it so: id 528 is a bitmask, id
562 is an int64. A length or count of 0 means "no limit".

What holds for every server is in the tables below; what depends on how this one is set up comes in as `ServerFacts`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum, unique

import numpy as np
import pyarrow as pa

from catalog.identifiers import NAME_LENGTH_MAX
from flightserver.protocol import schemas, substrait
from flightserver.protocol.wire import MESSAGE_SIZE_MAX


@dataclass(frozen=True)
class ServerFacts:
    """What SqlInfo says about one server.

    `transactions` is 0 for none, 1 for transactions, 2 for transactions with savepoints. Timeouts are those of unused
    prepared statements and transactions, in milliseconds, 0 for none. `withheld_functions` are functions of the engine
    that users may not call.
    """

    version: str
    arrow_version: str
    transactions: int = 0
    cancel: bool = True
    ingest_transactions: bool = False
    statement_timeout_ms: int = 0
    transaction_timeout_ms: int = 0
    connections_max: int = 0
    withheld_functions: frozenset[str] = frozenset()


WITH_SAVEPOINTS = 2
"""What `ServerFacts.transactions` says of a server that has transactions with savepoints."""


@unique
class SqlInfo(IntEnum):
    """Ids of facts, under the protocol's names without their `FLIGHT_SQL_` or `SQL_`."""

    SERVER_NAME = 0
    SERVER_VERSION = 1
    SERVER_ARROW_VERSION = 2
    SERVER_READ_ONLY = 3
    SERVER_SQL = 4
    SERVER_SUBSTRAIT = 5
    SERVER_SUBSTRAIT_MIN_VERSION = 6
    SERVER_SUBSTRAIT_MAX_VERSION = 7
    SERVER_TRANSACTION = 8
    SERVER_CANCEL = 9
    SERVER_BULK_INGESTION = 10
    SERVER_INGEST_TRANSACTIONS_SUPPORTED = 11
    SERVER_STATEMENT_TIMEOUT = 100
    SERVER_TRANSACTION_TIMEOUT = 101
    DDL_CATALOG = 500
    DDL_SCHEMA = 501
    DDL_TABLE = 502
    IDENTIFIER_CASE = 503
    IDENTIFIER_QUOTE_CHAR = 504
    QUOTED_IDENTIFIER_CASE = 505
    ALL_TABLES_ARE_SELECTABLE = 506
    NULL_ORDERING = 507
    KEYWORDS = 508
    NUMERIC_FUNCTIONS = 509
    STRING_FUNCTIONS = 510
    SYSTEM_FUNCTIONS = 511
    DATETIME_FUNCTIONS = 512
    SEARCH_STRING_ESCAPE = 513
    EXTRA_NAME_CHARACTERS = 514
    SUPPORTS_COLUMN_ALIASING = 515
    NULL_PLUS_NULL_IS_NULL = 516
    SUPPORTS_CONVERT = 517
    SUPPORTS_TABLE_CORRELATION_NAMES = 518
    SUPPORTS_DIFFERENT_TABLE_CORRELATION_NAMES = 519
    SUPPORTS_EXPRESSIONS_IN_ORDER_BY = 520
    SUPPORTS_ORDER_BY_UNRELATED = 521
    SUPPORTED_GROUP_BY = 522
    SUPPORTS_LIKE_ESCAPE_CLAUSE = 523
    SUPPORTS_NON_NULLABLE_COLUMNS = 524
    SUPPORTED_GRAMMAR = 525
    ANSI92_SUPPORTED_LEVEL = 526
    SUPPORTS_INTEGRITY_ENHANCEMENT_FACILITY = 527
    OUTER_JOINS_SUPPORT_LEVEL = 528
    SCHEMA_TERM = 529
    PROCEDURE_TERM = 530
    CATALOG_TERM = 531
    CATALOG_AT_START = 532
    SCHEMAS_SUPPORTED_ACTIONS = 533
    CATALOGS_SUPPORTED_ACTIONS = 534
    SUPPORTED_POSITIONED_COMMANDS = 535
    SELECT_FOR_UPDATE_SUPPORTED = 536
    STORED_PROCEDURES_SUPPORTED = 537
    SUPPORTED_SUBQUERIES = 538
    CORRELATED_SUBQUERIES_SUPPORTED = 539
    SUPPORTED_UNIONS = 540
    MAX_BINARY_LITERAL_LENGTH = 541
    MAX_CHAR_LITERAL_LENGTH = 542
    MAX_COLUMN_NAME_LENGTH = 543
    MAX_COLUMNS_IN_GROUP_BY = 544
    MAX_COLUMNS_IN_INDEX = 545
    MAX_COLUMNS_IN_ORDER_BY = 546
    MAX_COLUMNS_IN_SELECT = 547
    MAX_COLUMNS_IN_TABLE = 548
    MAX_CONNECTIONS = 549
    MAX_CURSOR_NAME_LENGTH = 550
    MAX_INDEX_LENGTH = 551
    DB_SCHEMA_NAME_LENGTH = 552
    MAX_PROCEDURE_NAME_LENGTH = 553
    MAX_CATALOG_NAME_LENGTH = 554
    MAX_ROW_SIZE = 555
    MAX_ROW_SIZE_INCLUDES_BLOBS = 556
    MAX_STATEMENT_LENGTH = 557
    MAX_STATEMENTS = 558
    MAX_TABLE_NAME_LENGTH = 559
    MAX_TABLES_IN_SELECT = 560
    MAX_USERNAME_LENGTH = 561
    DEFAULT_TRANSACTION_ISOLATION = 562
    TRANSACTIONS_SUPPORTED = 563
    SUPPORTED_TRANSACTIONS_ISOLATION_LEVELS = 564
    DATA_DEFINITION_CAUSES_TRANSACTION_COMMIT = 565
    DATA_DEFINITIONS_IN_TRANSACTIONS_IGNORED = 566
    SUPPORTED_RESULT_SET_TYPES = 567
    SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_UNSPECIFIED = 568
    SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_FORWARD_ONLY = 569
    SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_SENSITIVE = 570
    SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_INSENSITIVE = 571
    BATCH_UPDATES_SUPPORTED = 572
    SAVEPOINTS_SUPPORTED = 573
    NAMED_PARAMETERS_SUPPORTED = 574
    LOCATORS_UPDATE_COPY = 575
    STORED_FUNCTIONS_USING_CALL_SYNTAX_SUPPORTED = 576


@unique
class Convert(IntEnum):
    """Types in the conversion table, under the protocol's names."""

    BIGINT = 0
    BINARY = 1
    BIT = 2
    CHAR = 3
    DATE = 4
    DECIMAL = 5
    FLOAT = 6
    INTEGER = 7
    NUMERIC = 12
    REAL = 13
    SMALLINT = 14
    TIME = 15
    TIMESTAMP = 16
    TINYINT = 17
    VARCHAR = 19


_CASE_KEPT = 0  # the protocol has no word for "case-sensitive"
_CASE_FOLDS_TO_LOWER = 3
_NULLS_SORTED_HIGH = 0  # last in ascending order, first in descending order
_OUTER_JOINS_LIMITED_AND_FULL = 0b110  # the protocol's file says ordinal; the clients that read it take bits
_GROUP_BY_ANY_COLUMNS = 0b11
_GRAMMAR_MINIMUM_AND_CORE = 0b11
_ANSI92_ENTRY = 0b1
_SUBQUERIES_EVERYWHERE = 0b1111
_UNION_AND_UNION_ALL = 0b11
_FORWARD_ONLY = 0b10
_READ_ONLY = 0b10
_ISOLATION_NONE = 0
_ISOLATION_REPEATABLE_READ = 3  # the closest word for snapshot isolation
_SAVEPOINTS = 2

_STRINGS: Mapping[SqlInfo, str] = {
    SqlInfo.SERVER_NAME: "flightserver",
    SqlInfo.SERVER_SUBSTRAIT_MIN_VERSION: substrait.VERSION,
    SqlInfo.SERVER_SUBSTRAIT_MAX_VERSION: substrait.VERSION,
    SqlInfo.IDENTIFIER_QUOTE_CHAR: '"',
    SqlInfo.SEARCH_STRING_ESCAPE: "\\",
    SqlInfo.EXTRA_NAME_CHARACTERS: "",
    SqlInfo.SCHEMA_TERM: "schema",
    SqlInfo.PROCEDURE_TERM: "",
    SqlInfo.CATALOG_TERM: "catalog",
}

_BOOLS: Mapping[SqlInfo, bool] = {
    SqlInfo.SERVER_READ_ONLY: False,
    SqlInfo.SERVER_SQL: True,
    SqlInfo.SERVER_SUBSTRAIT: True,
    SqlInfo.SERVER_BULK_INGESTION: True,
    SqlInfo.DDL_CATALOG: False,
    SqlInfo.DDL_SCHEMA: True,
    SqlInfo.DDL_TABLE: True,
    SqlInfo.ALL_TABLES_ARE_SELECTABLE: True,
    SqlInfo.SUPPORTS_COLUMN_ALIASING: True,
    SqlInfo.NULL_PLUS_NULL_IS_NULL: True,
    SqlInfo.SUPPORTS_TABLE_CORRELATION_NAMES: True,
    SqlInfo.SUPPORTS_DIFFERENT_TABLE_CORRELATION_NAMES: False,
    SqlInfo.SUPPORTS_EXPRESSIONS_IN_ORDER_BY: True,
    SqlInfo.SUPPORTS_ORDER_BY_UNRELATED: True,
    SqlInfo.SUPPORTS_LIKE_ESCAPE_CLAUSE: False,  # the backslash escapes always, and no other character can
    SqlInfo.SUPPORTS_NON_NULLABLE_COLUMNS: True,
    SqlInfo.SUPPORTS_INTEGRITY_ENHANCEMENT_FACILITY: False,
    SqlInfo.CATALOG_AT_START: True,
    SqlInfo.SELECT_FOR_UPDATE_SUPPORTED: False,
    SqlInfo.STORED_PROCEDURES_SUPPORTED: False,
    SqlInfo.CORRELATED_SUBQUERIES_SUPPORTED: True,
    SqlInfo.MAX_ROW_SIZE_INCLUDES_BLOBS: True,
    SqlInfo.DATA_DEFINITION_CAUSES_TRANSACTION_COMMIT: False,
    SqlInfo.DATA_DEFINITIONS_IN_TRANSACTIONS_IGNORED: False,
    SqlInfo.BATCH_UPDATES_SUPPORTED: True,
    SqlInfo.NAMED_PARAMETERS_SUPPORTED: False,
    SqlInfo.LOCATORS_UPDATE_COPY: False,
    SqlInfo.STORED_FUNCTIONS_USING_CALL_SYNTAX_SUPPORTED: False,
}

_NO_LIMIT = 0
_BIGINTS: Mapping[SqlInfo, int] = {
    SqlInfo.MAX_BINARY_LITERAL_LENGTH: _NO_LIMIT,
    SqlInfo.MAX_CHAR_LITERAL_LENGTH: _NO_LIMIT,
    SqlInfo.MAX_COLUMN_NAME_LENGTH: NAME_LENGTH_MAX,
    SqlInfo.MAX_COLUMNS_IN_GROUP_BY: _NO_LIMIT,
    SqlInfo.MAX_COLUMNS_IN_INDEX: _NO_LIMIT,
    SqlInfo.MAX_COLUMNS_IN_ORDER_BY: _NO_LIMIT,
    SqlInfo.MAX_COLUMNS_IN_SELECT: _NO_LIMIT,
    SqlInfo.MAX_COLUMNS_IN_TABLE: _NO_LIMIT,
    SqlInfo.MAX_CURSOR_NAME_LENGTH: _NO_LIMIT,
    SqlInfo.MAX_INDEX_LENGTH: _NO_LIMIT,
    SqlInfo.DB_SCHEMA_NAME_LENGTH: NAME_LENGTH_MAX,
    SqlInfo.MAX_PROCEDURE_NAME_LENGTH: _NO_LIMIT,
    SqlInfo.MAX_CATALOG_NAME_LENGTH: NAME_LENGTH_MAX,
    SqlInfo.MAX_ROW_SIZE: _NO_LIMIT,
    SqlInfo.MAX_STATEMENT_LENGTH: MESSAGE_SIZE_MAX,
    SqlInfo.MAX_STATEMENTS: _NO_LIMIT,
    SqlInfo.MAX_TABLE_NAME_LENGTH: NAME_LENGTH_MAX,
    SqlInfo.MAX_TABLES_IN_SELECT: _NO_LIMIT,
    SqlInfo.MAX_USERNAME_LENGTH: _NO_LIMIT,
}

_BITMASKS: Mapping[SqlInfo, int] = {
    SqlInfo.IDENTIFIER_CASE: _CASE_FOLDS_TO_LOWER,
    SqlInfo.QUOTED_IDENTIFIER_CASE: _CASE_KEPT,
    SqlInfo.NULL_ORDERING: _NULLS_SORTED_HIGH,
    SqlInfo.SUPPORTED_GROUP_BY: _GROUP_BY_ANY_COLUMNS,
    SqlInfo.SUPPORTED_GRAMMAR: _GRAMMAR_MINIMUM_AND_CORE,
    SqlInfo.ANSI92_SUPPORTED_LEVEL: _ANSI92_ENTRY,
    SqlInfo.OUTER_JOINS_SUPPORT_LEVEL: _OUTER_JOINS_LIMITED_AND_FULL,
    SqlInfo.SCHEMAS_SUPPORTED_ACTIONS: 0,
    SqlInfo.CATALOGS_SUPPORTED_ACTIONS: 0,
    SqlInfo.SUPPORTED_POSITIONED_COMMANDS: 0,
    SqlInfo.SUPPORTED_SUBQUERIES: _SUBQUERIES_EVERYWHERE,
    SqlInfo.SUPPORTED_UNIONS: _UNION_AND_UNION_ALL,
    SqlInfo.SUPPORTED_RESULT_SET_TYPES: _FORWARD_ONLY,
    SqlInfo.SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_UNSPECIFIED: 0,
    SqlInfo.SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_FORWARD_ONLY: _READ_ONLY,
    SqlInfo.SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_SENSITIVE: 0,
    SqlInfo.SUPPORTED_CONCURRENCIES_FOR_RESULT_SET_SCROLL_INSENSITIVE: 0,
}

_KEYWORDS = """
    ALL ALTER ANALYZE AND ANTI ANY AS ASC BEGIN BETWEEN BY CASE CAST COLUMN COMMIT CONFLICT CREATE CROSS CURRENT DEFAULT
    DELETE DESC DESCRIBE DISTINCT DO DROP ELSE END ESCAPE EXCEPT EXISTS EXPLAIN EXTRACT FALSE FILTER FIRST FOLLOWING
    FROM FULL GROUP GROUPING HAVING ILIKE IN INNER INSERT INTERSECT INTERVAL INTO IS JOIN KEY LAST LATERAL LEFT LIKE
    LIMIT NATURAL NOT NOTHING NULL NULLS OFFSET ON OR ORDER OUTER OVER PARTITION PRECEDING PRIMARY QUALIFY RANGE
    RECURSIVE RIGHT ROLLBACK ROLLUP ROWS SCHEMA SELECT SEMI SET SETS SHOW SIMILAR SOME TABLE THEN TO TRUE TRY_CAST
    UNBOUNDED UNION UNNEST UPDATE USING VALUES VIEW WHEN WHERE WINDOW WITH WITHIN
"""

_FUNCTIONS: Mapping[SqlInfo, str] = {
    SqlInfo.NUMERIC_FUNCTIONS: """
        abs acos acosh asin asinh atan atan2 atanh cbrt ceil cos cosh cot degrees exp factorial floor gcd isnan iszero
        lcm ln log log10 log2 nanvl pi pow power radians rand random round signum sin sinh sqrt tan tanh trunc
    """,
    SqlInfo.STRING_FUNCTIONS: """
        ascii bit_length btrim char_length character_length chr concat concat_ws contains decode digest encode ends_with
        find_in_set initcap instr left length levenshtein lower lpad ltrim md5 octet_length overlay position
        regexp_count regexp_instr regexp_like regexp_match regexp_replace repeat replace reverse right rpad rtrim sha224
        sha256 sha384 sha512 split_part starts_with strpos substr substr_index substring substring_index to_hex
        translate trim upper
    """,
    SqlInfo.SYSTEM_FUNCTIONS: """
        arrow_cast arrow_try_cast arrow_typeof coalesce greatest ifnull least nullif nvl nvl2 uuid version
    """,
    SqlInfo.DATETIME_FUNCTIONS: """
        current_date current_time current_timestamp date_bin date_format date_part date_trunc datepart datetrunc
        from_unixtime make_date make_time now to_char to_date to_local_time to_time to_timestamp to_timestamp_micros
        to_timestamp_millis to_timestamp_nanos to_timestamp_seconds to_unixtime today
    """,
}

_TEXTS = (Convert.CHAR, Convert.VARCHAR)
_FLOATS = (Convert.FLOAT, Convert.REAL)
_DECIMALS = (Convert.DECIMAL, Convert.NUMERIC)
_INTEGERS = (Convert.TINYINT, Convert.SMALLINT, Convert.INTEGER, Convert.BIGINT)
_NUMBERS = (*_INTEGERS, *_FLOATS, *_DECIMALS)
_FROM_SMALL_INTEGER = (*_NUMBERS, *_TEXTS, Convert.BIT, Convert.BINARY, Convert.TIMESTAMP)
_FROM_DECIMAL = (*_NUMBERS, *_TEXTS, Convert.TIMESTAMP)
_FROM_FLOAT = (*_FROM_DECIMAL, Convert.BIT)

CONVERSIONS: Mapping[Convert, tuple[Convert, ...]] = {
    Convert.TINYINT: _FROM_SMALL_INTEGER,
    Convert.SMALLINT: _FROM_SMALL_INTEGER,
    Convert.INTEGER: (*_FROM_SMALL_INTEGER, Convert.DATE),
    Convert.BIGINT: tuple(Convert),
    Convert.FLOAT: _FROM_FLOAT,
    Convert.REAL: _FROM_FLOAT,
    Convert.DECIMAL: _FROM_DECIMAL,
    Convert.NUMERIC: _FROM_DECIMAL,
    Convert.BIT: (*_INTEGERS, *_FLOATS, *_TEXTS, Convert.BIT),
    Convert.CHAR: tuple(Convert),
    Convert.VARCHAR: tuple(Convert),
    Convert.BINARY: (*_TEXTS, Convert.BINARY),
    Convert.DATE: (*_TEXTS, Convert.INTEGER, Convert.BIGINT, Convert.DATE, Convert.TIMESTAMP),
    Convert.TIME: (*_TEXTS, Convert.TIME),
    Convert.TIMESTAMP: (*_NUMBERS, *_TEXTS, Convert.DATE, Convert.TIME, Convert.TIMESTAMP),
}
"""Which casts between SQL types the engine plans."""


def build(info_ids: Collection[int], facts: ServerFacts) -> pa.Table:
    """Answer GetSqlInfo: the asked ids in ascending order, all of them when none is asked; unknown ids are skipped."""
    asked = frozenset(info_ids)
    members = [
        {info: values[info] for info in sorted(values) if not asked or info in asked} for values in _members(facts)
    ]
    ids = np.array([info for values in members for info in values], np.uint32)
    codes = np.repeat(np.arange(len(members), dtype=np.int8), [len(values) for values in members])
    offsets = np.array([offset for values in members for offset in range(len(values))], np.int32)
    order = np.argsort(ids)
    union_type = schemas.SQL_INFO.field("value").type
    union = pa.Array.from_buffers(
        union_type,
        len(ids),
        [None, pa.py_buffer(codes[order].tobytes()), pa.py_buffer(offsets[order].tobytes())],
        children=[pa.array(list(values.values()), union_type.field(code).type) for code, values in enumerate(members)],
    )
    return pa.table([pa.array(ids[order]), union], schema=schemas.SQL_INFO)


def _members(facts: ServerFacts) -> tuple[Mapping[SqlInfo, object], ...]:
    """Return every fact, one mapping per member of the union in the order of its type codes."""
    transactional = facts.transactions > 0
    strings = {
        **_STRINGS,
        SqlInfo.SERVER_VERSION: facts.version,
        SqlInfo.SERVER_ARROW_VERSION: facts.arrow_version,
    }
    bools = {
        **_BOOLS,
        SqlInfo.SERVER_CANCEL: facts.cancel,
        SqlInfo.SERVER_INGEST_TRANSACTIONS_SUPPORTED: facts.ingest_transactions,
        # Read by JDBC's driver alone, whose commit() and rollback() do nothing: tools must not rely on them.
        SqlInfo.TRANSACTIONS_SUPPORTED: False,
        SqlInfo.SAVEPOINTS_SUPPORTED: facts.transactions == _SAVEPOINTS,
    }
    isolation = _ISOLATION_REPEATABLE_READ if transactional else _ISOLATION_NONE
    bigints = {
        **_BIGINTS,
        SqlInfo.MAX_CONNECTIONS: facts.connections_max,
        SqlInfo.DEFAULT_TRANSACTION_ISOLATION: isolation,
    }
    bitmasks = {
        **_BITMASKS,
        SqlInfo.SERVER_TRANSACTION: facts.transactions,
        SqlInfo.SERVER_STATEMENT_TIMEOUT: facts.statement_timeout_ms,
        SqlInfo.SERVER_TRANSACTION_TIMEOUT: facts.transaction_timeout_ms,
        SqlInfo.SUPPORTED_TRANSACTIONS_ISOLATION_LEVELS: 1 << isolation,
    }
    lists = {
        SqlInfo.KEYWORDS: _KEYWORDS.split(),
        **{
            info: [name for name in names.split() if name not in facts.withheld_functions]
            for info, names in _FUNCTIONS.items()
        },
    }
    maps = {SqlInfo.SUPPORTS_CONVERT: [(source, sorted(targets)) for source, targets in CONVERSIONS.items()]}
    return strings, bools, bigints, bitmasks, lists, maps
