"""boto3 clients for the server under test; nothing here can reach AWS."""

import boto3
from botocore.config import Config

# moto accepts any key that it does not know as long as policies are not enforced.
STRANGER = {"id": "AKIAIOSFODNN7EXAMPLE", "secret": "not-a-secret", "token": None}


def client(service, endpoint, key=None):
    key = key or STRANGER
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
        aws_session_token=key.get("token"),
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )
