"""Makes boto3 calls one after the other.

In:  {"endpoint": URL, "key": {"id", "secret", "token"} | null,
      "calls": [{"service": "iam", "call": "create_user", "with": {…}}, …]}
Out: a list with one entry per call: the answer, or {"error": CODE} when the service refused it.
"""

import json
import sys

from botocore.exceptions import ClientError

import aws

order = json.load(sys.stdin)
answers = []
for step in order["calls"]:
    client = aws.client(step["service"], order["endpoint"], order.get("key"))
    try:
        answer = getattr(client, step["call"])(**step["with"])
        answer.pop("ResponseMetadata", None)
    except ClientError as error:
        answer = {"error": error.response["Error"]["Code"]}
    answers.append(answer)
json.dump(answers, sys.stdout, default=lambda value: value.isoformat())
