"""Puts a file of CloudTrail records into a bucket, packed as CloudTrail packs them.

In:  {"endpoint": URL, "bucket": NAME, "key": KEY, "records": […]}
Out: {}
"""

import gzip
import json
import sys

import aws

order = json.load(sys.stdin)
body = gzip.compress(json.dumps({"Records": order["records"]}).encode())
aws.client("s3", order["endpoint"]).put_object(
    Bucket=order["bucket"],
    Key=order["key"],
    Body=body,
    ContentType="application/json",
    ContentEncoding="gzip",
)
json.dump({}, sys.stdout)
