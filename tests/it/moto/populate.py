"""Fills an empty account with one of everything that the connector should find.

In:  {"endpoint": URL, "certificate": PEM}
Out: {"users": {name: id}, "roles": {name: id}, "keys": {label: id}, "groups": {name: id}, …},
     ids as the service gave them.
"""

import json
import sys

import aws

order = json.load(sys.stdin)
iam = aws.client("iam", order["endpoint"])
ids = {"users": {}, "roles": {}, "groups": {}, "keys": {}, "others": {}}


def user(name, path="/", **tags):
    tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    made = iam.create_user(UserName=name, Path=path, Tags=tags)
    ids["users"][name] = made["User"]["UserId"]


def key(label, of, status="Active"):
    made = iam.create_access_key(UserName=of)["AccessKey"]
    ids["keys"][label] = made["AccessKeyId"]
    if status != "Active":
        iam.update_access_key(UserName=of, AccessKeyId=made["AccessKeyId"], Status=status)
    return {"id": made["AccessKeyId"], "secret": made["SecretAccessKey"], "token": None}


def role(name, principal, condition=None, action="sts:AssumeRole", text="", **tags):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition:
        statement["Condition"] = condition
    tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    document = {"Version": "2012-10-17", "Statement": [statement]}
    made = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps(document), Description=text, Tags=tags
    )
    ids["roles"][name] = made["Role"]["RoleId"]
    return made["Role"]["Arn"]


def allow(*actions):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def federated(subject):
    issuer = "token.actions.githubusercontent.com"
    return {
        "principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"},
        "action": "sts:AssumeRoleWithWebIdentity",
        "condition": {
            "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"},
            "StringLike": {f"{issuer}:sub": subject},
        },
    }


# Machines with keys: used, never used, switched off, and two that were made in one second.
user("ci-deploy", path="/machines/", oWnEr="team-payments")
used = key("used", of="ci-deploy")
aws.client("sts", order["endpoint"], used).get_caller_identity()
iam.put_user_policy(
    UserName="ci-deploy", PolicyName="read-artifacts", PolicyDocument=allow("s3:GetObject")
)

user("nightly-export-bot", TEAM="data-platform")
key("unused", of="nightly-export-bot")

user("retired-bot")
key("inactive", of="retired-bot", status="Inactive")

user("twin-bot", Owner="team-twins")
key("twin-unused", of="twin-bot")
twin = key("twin-used", of="twin-bot")
aws.client("sts", order["endpoint"], twin).get_caller_identity()

# Other credentials of a machine.
user("git-mirror-bot", owner="team-source")
made = iam.upload_ssh_public_key(UserName="git-mirror-bot", SSHPublicKeyBody="ssh-ed25519 AAAA")
ids["others"]["ssh-public-key"] = made["SSHPublicKey"]["SSHPublicKeyId"]
made = iam.upload_signing_certificate(
    UserName="git-mirror-bot", CertificateBody=order["certificate"]
)
ids["others"]["signing-certificate"] = made["Certificate"]["CertificateId"]

# A person, and what a group gives to whoever is in it.
user("ana.silva", email="ana@example.com")
iam.create_login_profile(UserName="ana.silva", Password="Correct-Horse-9-Battery")
made = iam.create_group(GroupName="operators")
ids["groups"]["operators"] = made["Group"]["GroupId"]
iam.attach_group_policy(
    GroupName="operators", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
)
iam.add_user_to_group(GroupName="operators", UserName="ana.silva")
iam.add_user_to_group(GroupName="operators", UserName="twin-bot")

# Roles by who may become them.
role("web-server", {"Service": "ec2.amazonaws.com"}, OWNER="team-web")
iam.create_instance_profile(InstanceProfileName="web-server")
iam.add_role_to_instance_profile(InstanceProfileName="web-server", RoleName="web-server")
role(
    "partner-audit",
    {"AWS": "arn:aws:iam::999999999999:root"},
    {"StringEquals": {"sts:ExternalId": "agreed"}},
    text="Yearly audit. Owner: compliance",
)
role("partner-open", {"AWS": "arn:aws:iam::999999999999:root"})
role("open-to-all", {"AWS": "*"})
role("github-release", **federated("repo:acme/shop:ref:refs/heads/main"), Team="team-shop")
role("github-any", **federated("repo:acme/*"))
arn = role("nightly-admin", {"Service": "lambda.amazonaws.com"}, owner="sre")
iam.attach_role_policy(
    RoleName="nightly-admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
)
session = aws.client("sts", order["endpoint"]).assume_role(
    RoleArn=arn, RoleSessionName="nightly-run"
)["Credentials"]
session = {
    "id": session["AccessKeyId"],
    "secret": session["SecretAccessKey"],
    "token": session["SessionToken"],
}
aws.client("sts", order["endpoint"], session).get_caller_identity()
role("policy-writer", {"Service": "lambda.amazonaws.com"})
made = iam.create_policy(PolicyName="write-policies", PolicyDocument=allow("iam:CreatePolicyVersion"))
iam.attach_role_policy(RoleName="policy-writer", PolicyArn=made["Policy"]["Arn"])
made = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
ids["roles"][made["Role"]["RoleName"]] = made["Role"]["RoleId"]

# Whom the account trusts, and a certificate that it serves.
iam.create_open_id_connect_provider(
    Url="https://token.actions.githubusercontent.com",
    ClientIDList=["sts.amazonaws.com"],
    ThumbprintList=["6938fd4d98bab03faadb97b34396831e3780aea1"],
    Tags=[{"Key": "Owner", "Value": "team-platform"}],
)
iam.create_saml_provider(Name="corporate", SAMLMetadataDocument="<EntityDescriptor/>".ljust(1000))
made = iam.upload_server_certificate(
    ServerCertificateName="shop.example.com",
    CertificateBody=order["certificate"],
    PrivateKey="not-a-key",
)
ids["others"]["server-certificate"] = made["ServerCertificateMetadata"]["ServerCertificateId"]

json.dump(ids, sys.stdout)
