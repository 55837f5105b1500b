"""What POST /seed of the admin port does: switches, issues in bulk, requests, moves, accounts."""

from collections.abc import Callable, Mapping
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.jira.sandbox import issues
from connectors.jira.sandbox.bulk import load
from connectors.jira.sandbox.caps import CAPS
from connectors.jira.sandbox.definition import Transition
from connectors.jira.sandbox.desk_create import raise_request
from connectors.jira.sandbox.limits import Throttle
from connectors.jira.sandbox.moving import move_issue
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import Site, desk_call
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import ApiError, Json, Row


class Seeding:
    """Carries out a seed document, whose keys are taken in this order.

    - `index_lag_seconds`: how long a write takes to reach the search.
    - `bursts` (Cloud): whether the limits per endpoint hold; `bucket` (Data Center): requests per
      second of a user, 0 for no limit.
    - `accounts`: `[{name, active?, zone?, password?}]`, changes to accounts.
    - `issue_limits`: `{comment: 3}` and the like, the most of each that an issue holds on Cloud.
    - `bulk`: `{project, type, count, status?, summary?}`, issues without a history, a million if
      asked for.
    - `requests`: `[{reporter, type, fields, on_behalf_of?}]`, raised through the portal.
    - `conditions`: `[{approval, type, value}]`: what an open approval asks for; type is number,
      percent or numberPerPrincipal.
    - `statuses`: `[{issue, status, by}]`: an account puts an issue into a status past its workflow,
      as an "any status" transition of a badly made workflow lets it.
    - `moves`: `[{issue, project}]`: the issue gets a key of the other project, the old one answers.
    """

    def __init__(self, site: Site, throttle: Throttle) -> None:
        self._site = site
        self._throttle = throttle
        self._steps: Mapping[str, Callable[[Json], Json]] = {
            "index_lag_seconds": self._lag,
            "bursts": self._bursts,
            "bucket": self._bucket,
            "issue_limits": self._issue_limits,
            "accounts": self._accounts,
            "bulk": self._bulk,
            "requests": self._requests,
            "conditions": self._conditions,
            "statuses": self._statuses,
            "moves": self._moves,
        }

    def __call__(self, document: Mapping[str, object]) -> Mapping[str, object]:
        """Carry out a document and return what was done.

        Raises:
            ValueError: the document cannot be carried out; nothing of it was.
        """
        unknown = set(document) - set(self._steps)
        if unknown:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
        try:
            with self._site.store.transaction():
                return {
                    name: step(document[name])
                    for name, step in self._steps.items()
                    if name in document
                }
        except ApiError as error:
            raise ValueError(str(error)) from error
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the seed document is malformed: {error!r}") from error

    def _lag(self, value: Json) -> Json:
        self._site.lag = int(float(value) * 1000)
        return value

    def _bursts(self, value: Json) -> Json:
        self._throttle.bursts = value is True
        return value

    def _bucket(self, value: Json) -> Json:
        self._throttle.bucket = int(value)
        return value

    def _issue_limits(self, value: Json) -> Json:
        limits = {str(table): int(most) for table, most in cast("Row", value).items()}
        if not set(limits) <= set(CAPS):
            raise ValueError(f"issue_limits knows: {', '.join(CAPS)}")
        self._site.caps = limits
        return limits

    def _account(self, name: str) -> Account:
        found = self._site.people.by_name(name)
        if found is None:
            raise ValueError(f"no account {name!r}")
        return found

    def _accounts(self, value: Json) -> Json:
        for one in cast("list[Row]", value):
            account = self._account(one["name"])
            changed = {key: one[key] for key in ("active", "zone", "password") if key in one}
            try:
                ZoneInfo(str(changed.get("zone", "Etc/UTC")))
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"no time zone {changed['zone']!r}") from error
            for column, held in changed.items():
                self._site.store.run(
                    f"UPDATE account SET {column}=? WHERE id=?",  # noqa: S608 - one of three words
                    held,
                    account.id,
                )
        return len(value)

    def _bulk(self, value: Json) -> Json:
        return load(desk_call(self._site, self._account("admin")), value)

    def _requests(self, value: Json) -> Json:
        keys: list[str] = []
        for one in cast("list[Row]", value):
            call = desk_call(self._site, self._account(one["reporter"]))
            row = self._site.store.row("SELECT * FROM request_type WHERE name=?", one["type"])
            if row is None:
                raise ValueError(f"no request type {one['type']!r}")
            desk = self._site.store.value("SELECT id FROM desk WHERE project=?", row["project"])
            body: Row = {
                "serviceDeskId": str(desk),
                "requestTypeId": str(row["id"]),
                "requestFieldValues": one["fields"],
                "raiseOnBehalfOf": one.get("on_behalf_of"),
            }
            keys.append(raise_request(call, body)["key"])
        return keys

    def _conditions(self, value: Json) -> Json:
        for one in cast("list[Row]", value):
            if one["type"] not in {"number", "percent", "numberPerPrincipal"}:
                raise ValueError(f"no condition type {one['type']!r}")
            held = self._site.store.row("SELECT * FROM approval WHERE id=?", str(one["approval"]))
            if held is None:
                raise ValueError(f"no approval {one['approval']!r}")
            condition = {"type": one["type"], "value": int(one["value"])}
            spec = dumps({**loads(held["spec"]), "condition": condition})
            self._site.store.update("approval", held["id"], {"spec": spec})
        return len(value)

    def _statuses(self, value: Json) -> Json:
        for one in cast("list[Row]", value):
            call = desk_call(self._site, self._account(one["by"]))
            issue = issues.find(call, one["issue"])
            table = self._site.definition.statuses
            found = self._site.definition.find(table, one["status"])
            if issue is None or found is None:
                raise ValueError(f"no issue {one['issue']!r} or no status {one['status']!r}")
            step = Transition(
                id="0",
                name=found["name"],
                sources=None,
                target=found["id"],
                screen=(),
                needs=(),
                resolution=None,
                internal=False,
                customer=False,
            )
            issues.move(call, issue, step, {})
        return len(value)

    def _moves(self, value: Json) -> Json:
        keys: list[str] = []
        for one in cast("list[Row]", value):
            call = desk_call(self._site, self._account("admin"))
            issue = issues.visible(call, one["issue"])
            project = self._site.store.row("SELECT * FROM project WHERE key=?", one["project"])
            if project is None:
                raise ValueError(f"no project {one['project']!r}")
            keys.append(move_issue(call.site, issue, project))
        return keys
