"""JSON in the one form that manifests are written and summed in."""

import json


def canonical(value: object) -> str:
    """JSON with sorted members and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
