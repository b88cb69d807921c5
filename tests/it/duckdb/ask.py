"""Asks DuckDB about a Parquet file: its path and the SQL are the arguments, the rows leave as JSON."""

import json
import sys

import duckdb

path, sql = sys.argv[1:]
connection = duckdb.connect()
# A prepared statement cannot make a view; the path is the test's own.
connection.execute(f"CREATE VIEW inventory AS SELECT * FROM read_parquet('{path}')")
rows = connection.execute(sql).fetchall()
print(json.dumps(rows, default=str))
