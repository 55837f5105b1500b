"""From a request to the API module that answers it; the Batch API comes through here again."""

import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import parse_qsl

from connectors.servicenow.sandbox.actors import GUEST, Actor, password_fits
from connectors.servicenow.sandbox.api.attachment import AttachmentApi
from connectors.servicenow.sandbox.api.batch import BatchApi
from connectors.servicenow.sandbox.api.catalog import CatalogApi
from connectors.servicenow.sandbox.api.change import ChangeApi
from connectors.servicenow.sandbox.api.cmdb import CmdbApi
from connectors.servicenow.sandbox.api.email import EmailApi
from connectors.servicenow.sandbox.api.importset import ImportSetApi
from connectors.servicenow.sandbox.api.knowledge import KnowledgeApi
from connectors.servicenow.sandbox.api.legacy import LegacyApi
from connectors.servicenow.sandbox.api.meta import MetaApi
from connectors.servicenow.sandbox.api.misc import TinyUrls
from connectors.servicenow.sandbox.api.oauth import OAuthApi
from connectors.servicenow.sandbox.api.stats import StatsApi
from connectors.servicenow.sandbox.api.table import TableApi
from connectors.servicenow.sandbox.http import (
    ApiError,
    Call,
    Reply,
    basic_pair,
    not_authenticated,
)
from connectors.servicenow.sandbox.instance import QUOTA_SECONDS, Instance
from connectors.servicenow.sandbox.limits import RateLimits
from connectors.servicenow.sandbox.page import ApprovalsPage
from connectors.servicenow.sandbox.record_page import RecordPage, is_record_path
from connectors.servicenow.sandbox.rules.flow import run_due
from connectors.servicenow.sandbox.store import QuotaExceededError
from connectors.servicenow.sandbox.write_faults import NONE
from connectors.servicenow.sandbox.xmlform import xml_read, xml_written

_VERSION = r"(?:(?P<version>v\d+)/)?"
_ONE_RECORD = re.compile(r"/[0-9A-Za-z]{32}(?:/|$)")
_JSON_TYPES = ("application/json", "text/json")
_ACCEPTED = ("json", "*/*", "xml", "application/*", "text/csv")
_BODIED = ("POST", "PUT", "PATCH")

Handler = Callable[[Call, re.Match[str]], Reply]


class Router:
    """Authenticates, finds the API, and turns every refusal into its answer."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._key_users: dict[str, str] = {}
        table, catalog, oauth = TableApi(instance), CatalogApi(instance), OAuthApi(instance)
        self._oauth = oauth
        self._page, self._record = ApprovalsPage(instance), RecordPage(instance)
        self._tiny = TinyUrls()
        self._limits = RateLimits(instance)
        batch, stats = BatchApi(self.dispatch), StatsApi(instance)
        attachments, changes = AttachmentApi(instance, table), ChangeApi(instance)
        knowledge, cmdb = KnowledgeApi(instance), CmdbApi(instance, table)
        imports, legacy = ImportSetApi(instance), LegacyApi(instance)
        meta, mails = MetaApi(instance), EmailApi(instance)
        self._routes: list[tuple[re.Pattern[str], Handler]] = []
        self.add(
            rf"/api/now/{_VERSION}table/(?P<table>[^/]+)(?:/(?P<id>[^/]+))?/?",
            lambda call, match: table.handle(
                call, match["version"] or "", match["table"], match["id"] or ""
            ),
        )
        self.add(
            rf"/api/sn_sc/{_VERSION}servicecatalog/(?P<rest>.+)",
            lambda call, match: catalog.handle(call, match["rest"]),
        )
        self.add(
            rf"/api/now/{_VERSION}batch/?",
            lambda call, match: batch.handle(call, match["version"] or ""),
        )
        self.add(
            rf"/api/now/{_VERSION}cmdb/instance/(?P<table>[^/]+)(?P<rest>(?:/.*)?)",
            lambda call, match: cmdb.handle(call, match["table"], match["rest"]),
        )
        self.add(
            rf"/api/now/{_VERSION}stats/(?P<table>[^/]+)/?",
            lambda call, match: stats.handle(call, match["table"]),
        )
        self.add(
            rf"/api/now/{_VERSION}import/(?P<table>[^/]+)(?:/(?P<rest>[^/]+))?/?",
            lambda call, match: imports.handle(call, match["table"], match["rest"] or ""),
        )
        self.add(
            rf"/api/now/{_VERSION}attachment(?P<rest>(?:/.*)?)",
            lambda call, match: attachments.handle(call, match["rest"]),
        )
        self.add(
            rf"/api/sn_chg_rest/{_VERSION}change(?P<rest>(?:/.*)?)",
            lambda call, match: changes.handle(call, match["rest"]),
        )
        self.add(
            rf"/api/sn_km_api/{_VERSION}knowledge/articles(?P<rest>(?:/.*)?)",
            lambda call, match: knowledge.handle(call, match["rest"]),
        )
        self.add(
            rf"/api/now/{_VERSION}email(?:/(?P<id>[^/]+))?/?",
            lambda call, match: mails.handle(call, match["id"] or ""),
        )
        self.add(
            rf"/api/now/{_VERSION}cmdb/meta/(?P<name>[^/]+)/?",
            lambda call, match: meta.configuration_class(call, match["name"]),
        )
        self.add(
            rf"/api/now/{_VERSION}ui/meta/(?P<table>[^/]+)/?",
            lambda call, match: meta.columns(call, match["table"]),
        )
        self.add("/api/now/ui/user/current_user/?", lambda call, _match: meta.caller(call))
        self.add("/api/now/doc/table/schema/?", lambda call, _match: meta.tables(call))
        self.add(
            r"/(?P<table>[a-z0-9_]+?)(?:_list)?\.do",
            lambda call, match: legacy.handle(call, match["table"]),
        )
        self.add(rf"/api/now/{_VERSION}tinyurl/?", lambda call, _match: self._tiny.handle(call))

    def add(self, pattern: str, handler: Handler) -> None:
        """Serve paths that match a pattern."""
        self._routes.append((re.compile(pattern), handler))

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, base: str
    ) -> Reply:
        """Answer one request; whatever was sent, there is an answer in the vendor's form."""
        run_due(self.instance.records)
        page = self._browsed(method, path, query, headers, body)
        if page is not None:
            return page
        try:
            with self.instance.store.quota(QUOTA_SECONDS):
                return self._limited(self.call(method, path, query, headers, body, base))
        except ApiError as error:
            return error.reply()
        except sqlite3.OperationalError:
            # What SQLite cannot take (thousands of values) is too large for a database.
            return ApiError(
                500, "Syntax Error or Access Rule Violation detected by database", None
            ).reply()
        except QuotaExceededError:
            return ApiError(
                500,
                "Transaction cancelled: maximum execution time exceeded",
                "No such column Check logs for error trace or enable glide.rest.debug property to "
                "verify REST request processing",
            ).reply()

    def _browsed(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Reply | None:
        """Answer what a browser asks for; None where it is the API that is asked."""
        if path == "/approvals":
            return self._page.handle(method, query, body, headers)
        if method not in ("GET", "HEAD") or "text/html" not in headers.get("accept", ""):
            return None
        if path == "/":
            return Reply(status=302, headers={"Location": "/approvals"})
        return self._record.handle(path, query) if is_record_path(path) else None

    def _limited(self, call: Call) -> Reply:
        """Carry a call out under the rate limits and the faults of the data that strike it."""
        limits = self._limits.check(call) if call.actor is not GUEST else {}
        target = f"{call.path}?{call.query}" if call.query else call.path
        reader, records = self.instance.fault_reader, self.instance.records
        name = call.actor.user_name
        records.faults = reader.for_write(call.method, target, name, records.now())
        try:
            reply = self._searched(call, target)
        except ApiError as error:
            reply = error.reply()
        finally:
            records.faults = NONE
        reply.headers.update(limits)
        return reply

    def _searched(self, call: Call, target: str) -> Reply:
        """Answer a call; where the index lags, a search does not know what is new."""
        if _ONE_RECORD.search(call.path) is not None:
            return self.dispatch(call)
        instance = self.instance
        user = call.actor.user_name
        seconds, versions = instance.fault_reader.stale(call.method, target, user)
        if versions:
            then = instance.clock.now() - timedelta(seconds=seconds)
            return instance.records.as_it_was(then, lambda: self.dispatch(call))
        instance.stale_seconds = seconds
        try:
            return self.dispatch(call)
        finally:
            instance.stale_seconds = 0.0

    def call(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, base: str
    ) -> Call:
        """Read a request and find out whose it is.

        Raises:
            ApiError: 401.
        """
        override = headers.get("x-http-method-override", "").upper()
        call = Call(
            method=override if method == "POST" and override else method,
            path=path,
            parameters=tuple(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            body=body,
            actor=GUEST,
            base=base,
            query=query,
        )
        if path == "/oauth_token.do":
            return call
        actor = self.actor(headers)
        if actor is None:
            raise not_authenticated()
        return Call(
            method=call.method, path=path, parameters=call.parameters, headers=headers, body=body,
            actor=actor, base=base, query=query,
        )  # fmt: skip

    def actor(self, headers: Mapping[str, str]) -> Actor | None:
        """Return the account of a request: by API key, bearer token or password."""
        key = headers.get("x-sn-apikey", "")
        if key:
            return self._by_key(key)
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            name = self.instance.tokens.user_of(value.strip())
            return self.instance.accounts.by_name(name) if name else None
        pair = basic_pair(headers) if scheme.lower() == "basic" else None
        return self.instance.accounts.by_password(*pair) if pair else None

    def _by_key(self, key: str) -> Actor | None:
        for row in self.instance.records.find("api_key", active="true"):
            if password_fits(key, row["token"]):
                actor = self.instance.accounts.by_id(row["user"])
                if actor is not None:
                    self._key_users[key] = actor.user_name
                return actor
        return None

    def identify(self, headers: Mapping[str, str]) -> str:
        """Name the account of a request without the database (for the log and the fault rules)."""
        key = headers.get("x-sn-apikey", "")
        if key:
            return self._key_users.get(key, "")
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.instance.tokens.user_of(value.strip())
        pair = basic_pair(headers) if scheme.lower() == "basic" else None
        return pair[0] if pair else ""

    def dispatch(self, call: Call) -> Reply:
        """Answer an authenticated call.

        Raises:
            ApiError: as the vendor words it.
        """
        if call.path == "/oauth_token.do":
            return self._oauth.handle(call)
        _check_types(call)
        call = xml_read(self._tiny.expand(call))
        for pattern, handler in self._routes:
            match = pattern.fullmatch(call.path)
            if match is not None:
                return xml_written(call, handler(call, match))
        resource = call.path.removeprefix("/api/")
        raise ApiError(400, f"Requested URI does not represent any resource: {resource}", None)


def _check_types(call: Call) -> None:
    accept = call.headers.get("accept", "")
    if accept and not any(word in accept for word in _ACCEPTED):
        raise ApiError(406, "Not Acceptable", f"Media type {accept} is not supported")
    if call.method not in _BODIED or not call.body or "/attachment" in call.path:
        return
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind not in _JSON_TYPES and "xml" not in kind:
        raise ApiError(415, "Unsupported media type", f"Media type {kind} is not supported")
