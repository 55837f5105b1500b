"""Accounts: passwords are kept as salted hashes, names follow their parts."""

from connectors.servicenow.sandbox.actors import hash_password
from connectors.servicenow.sandbox.history import Writing
from connectors.servicenow.sandbox.records import Records

_SECRETS = {"sys_user": "user_password", "oauth_entity": "client_secret", "api_key": "token"}


def register(records: Records) -> None:
    """Put the rules in force."""
    for table in _SECRETS:
        records.before(table, hash_secret)
    records.before("sys_user", before_user)


def hash_secret(_records: Records, writing: Writing) -> None:
    """Keep a hash in the place of what was written."""
    name = _SECRETS[writing.table.name]
    if writing.changed(name) and writing.new[name]:
        writing.new[name] = hash_password(writing.new[name])


def before_user(_records: Records, writing: Writing) -> None:
    """Keep the full name together with its parts."""
    new = writing.new
    if writing.changed("first_name") or writing.changed("last_name"):
        new["name"] = f"{new['first_name']} {new['last_name']}".strip()
    elif writing.changed("name") and not new["first_name"]:
        new["first_name"], _, new["last_name"] = new["name"].partition(" ")
