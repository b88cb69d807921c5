#!/usr/bin/env python3
"""Counts the service accounts in a CSV export, as many systems can write one every night.

An example for the connectors `exec` and `push`; Python 3.9, nothing else. The columns: id, name,
owner, created_at, last_used_at (empty: never), disabled (yes or no). Times are RFC 3339, in UTC.

  ./export.py accounts.csv --place erp:prod | headcount sources validate
"""

import argparse
import csv
import datetime
import json
import os
import sys

COLUMNS = {"id", "name", "owner", "created_at", "last_used_at", "disabled"}

# Since when the exporting system records use; before that, "never" is not known.
TRACKED_SINCE = "2024-01-01T00:00:00Z"


def say(line):
    print(json.dumps(line, ensure_ascii=False))


def observation(place, row):
    used = row["last_used_at"]
    if used:
        usage = {"state": "last_used", "at": used, "resolution_secs": 86400, "lag_secs": 86400}
    else:
        usage = {"state": "never_since", "tracking_start": TRACKED_SINCE, "lag_secs": 86400}
    seen = {
        # From the key that the system never gives to another account, not from its name.
        "id": f"{place}:service-account/{row['id']}",
        "class": "identity",
        "kind": "service-account",
        "name": row["name"],
        "native": row["id"],
        "status": "disabled" if row["disabled"] == "yes" else "active",
        "created_at": row["created_at"] or None,
        "usage": usage,
    }
    if row["owner"]:
        seen["owner_evidence"] = [
            {"ref": row["owner"], "basis": "label", "locator": "column:owner", "kind": "business"}
        ]
    return seen


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("file")
    arguments.add_argument("--place", required=True, help="system and tenant, as in erp:prod")
    arguments.add_argument("--scan", help="a name for this scan; left out, the time")
    given = arguments.parse_args()

    scope = {"place": given.place, "kind": "service-accounts"}
    now = datetime.datetime.now(datetime.timezone.utc)
    say({"type": "begin", "schema": 1, "scan": given.scan or now.strftime("%Y%m%dT%H%M%S.%fZ")})
    try:
        written = os.path.getmtime(given.file)
        count = 0
        with open(given.file, newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            missing = COLUMNS - set(rows.fieldnames or ())
            if missing:
                raise ValueError("columns are missing: " + ", ".join(sorted(missing)))
            for row in rows:
                if None in row.values():
                    raise ValueError(f"line {rows.line_num} is cut")
                say({"type": "observation", "scope": scope,
                     "observation": observation(given.place, row)})
                count += 1
    except (OSError, ValueError, csv.Error) as error:
        # Not read to its end: whatever is missing now is not gone.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        say({"type": "failed", "scope": scope, "error": {
            "cause": "unavailable", "operation": "read the export", "reason": reason}})
        return 1
    # The file is what the system said when it was written, not what it says now.
    as_of = datetime.datetime.fromtimestamp(written, datetime.timezone.utc)
    say({"type": "complete", "scope": scope, "expected": count, "as_of": as_of.isoformat()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
