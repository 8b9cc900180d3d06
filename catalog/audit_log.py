"""The audit log as it is stored: read in order, checked, and cut at its beginning.

Records come in with the batches of what they tell of (`AtomicWrite.audit`), or by themselves (`record`).
"""

from collections.abc import Iterator

from catalog.audit import AuditRecord, Finding, Link, Verdict, decode, findings, split
from catalog.keyvalue import AUDIT_BASE, AtomicWrite, Family, KeyValueStore

RETENTION = "RETENTION"
"""The action of a record that says where the log was cut."""


class AuditLog:
    """The log of a data folder."""

    def __init__(self, keyvalue: KeyValueStore) -> None:
        self._keyvalue = keyvalue

    def record(self, record: AuditRecord) -> None:
        """Add a record by itself, durably."""
        batch = AtomicWrite()
        batch.audit(record.encode())
        self._keyvalue.commit(batch)

    def records(self) -> Iterator[tuple[int, AuditRecord]]:
        """All records with their numbers, oldest first."""
        _, _, stored = self._keyvalue.audit_log()
        for key, value in stored:
            yield int.from_bytes(key, "big"), decode(split(value)[1])

    def check(self) -> tuple[list[Finding], Link]:
        """All that is wrong with the log, and where it ends.

        Who has noted that place elsewhere sees later that nothing before it was changed.
        """
        base, head, stored = self._keyvalue.audit_log()
        return list(findings(base, head, stored, RETENTION)), head

    def cut(self, before: int, at: int) -> int:
        """Delete records from before a moment (microseconds since 1970), up to the first that is not; tell how many.

        The newest record stays. What remains says where it was cut.
        """
        _, head, stored = self._keyvalue.audit_log()
        last, count = None, 0
        for key, value in stored:
            digest, body = split(value)
            number = int.from_bytes(key, "big")
            if number >= head.number or decode(body).at >= before:
                break
            last, count = Link(number, digest), count + 1
        if last is not None:
            batch = AtomicWrite()
            batch.delete_range(Family.AUDIT, bytes(8), Link(last.number + 1, b"").key)
            batch.put(Family.META, AUDIT_BASE, last.encode())
            system = AuditRecord(at, "", "", RETENTION, None, Verdict.ALLOWED, rows=count, detail=str(last))
            batch.audit(system.encode())
            self._keyvalue.commit(batch)
        return count
