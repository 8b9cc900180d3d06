"""What may run, as the gate bounds it, and what may be kept for clients, as the ledger does: one rule for every kind.

What a client can have again by asking again gives way to what is newer. What would be lost is firm: there is room for
so much of it, and no more begins before some of it has ended. A stream whose client takes nothing is both.
"""

import math
from collections.abc import Mapping

from flightserver.activity.entries import Kind, LedgerLimits, Rule
from flightserver.activity.gate import GateLimits
from flightserver.settings import Settings

RESULTS_MAX = 1_000
FETCHED_RESULTS_MAX = 500
RETRY_SECONDS = 60.0
"""A result that was sent, or whose fetch broke off, is there for a retry and not for later."""

PREPARED_STATEMENTS_MAX = 10_000
TRANSACTIONS_MAX = 10_000
TEMPORARY_TABLES_MAX = 1_000

LEFT_ALONE_SECONDS = 10.0
"""What its client has left alone for so long gives way when its memory is needed."""


def gate_limits(settings: Settings) -> GateLimits:
    """How many statements a server with these settings runs."""
    return GateLimits(settings.statements_max, settings.statements_user_max, settings.queue_max, settings.queue_wait_s)


def ledger_limits(settings: Settings) -> LedgerLimits:
    """The bounds of a server with these settings."""
    return LedgerLimits(settings.kept_user_mb << 20, settings.kept_mb << 20, _rules(settings))


def _rules(settings: Settings) -> Mapping[Kind, Rule]:
    stream_seconds, streams_max = settings.stream_idle_timeout_s, settings.streams_user_max
    return {
        Kind.FETCHED_RESULT: Rule(RETRY_SECONDS, FETCHED_RESULTS_MAX, 0.0),
        Kind.OUTGOING_STREAM: Rule(stream_seconds, streams_max, LEFT_ALONE_SECONDS, firm=True),
        Kind.RESULT: Rule(settings.result_lifetime_s, RESULTS_MAX, LEFT_ALONE_SECONDS),
        Kind.TRANSACTION: Rule(settings.transaction_idle_timeout_s, TRANSACTIONS_MAX, LEFT_ALONE_SECONDS),
        Kind.PREPARED_STATEMENT: Rule(settings.session_idle_timeout_s, PREPARED_STATEMENTS_MAX, LEFT_ALONE_SECONDS),
        Kind.INCOMING_STREAM: Rule(stream_seconds, streams_max, firm=True),
        Kind.TEMPORARY_TABLE: Rule(math.inf, TEMPORARY_TABLES_MAX, firm=True),
    }
