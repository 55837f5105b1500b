"""Generated requests, valid and not: there is always an answer in the vendor's form."""

import base64
import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.servicenow.sandbox.query.parse import OPERATORS
from tests.integration.sandbox_servicenow.conftest import Api

TABLES = [
    "incident",
    "task",
    "change_request",
    "sysapproval_approver",
    "sys_user",
    "sc_req_item",
    "sys_journal_field",
    "sys_audit",
    "kb_knowledge",
    "cmdb_ci",
    "sys_choice",
    "nope",
]
FIELDS = [
    "number",
    "state",
    "caller_id",
    "caller_id.name",
    "opened_at",
    "priority",
    "active",
    "work_notes",
    "sys_id",
    "assignment_group",
    "calendar_duration",
    "watch_list",
    "caller_id.department.dept_head.email",
    "document_id",
    "price",
    "no_such",
    "on_hold",
    "comments_and_work_notes",
    "sysapproval.number",
    "user_password",
    "sla_due",
    "approver",
]
text = st.text(max_size=30)
VALUES = [
    "",
    "1",
    "-1",
    "true",
    "2026-01-01",
    "a@b",
    "a,b",
    "javascript:gs.getUserID()",
    "javascript:gs.daysAgoStart(99999999)",
    "javascript:gs.x(",
    "6816f79cc0a8016401c5a33be04be441",
    "hour@ago@3",
    "month@ahead@99999",
    "%",
    "_",
    "\\",
]
value = st.one_of(text, st.sampled_from(VALUES))
term = st.builds(
    lambda field, operator, worth: f"{field}{operator}{worth}",
    st.sampled_from(FIELDS),
    st.sampled_from(OPERATORS),
    value,
)
encoded = st.lists(
    st.builds(
        lambda glue, part: glue + part,
        st.sampled_from(["", "OR", "NQ", "ORDERBY", "ORDERBYDESC", "JOIN", "RLQUERY", "GROUPBY"]),
        st.one_of(term, text, st.sampled_from(FIELDS)),
    ),
    max_size=6,
).map("^".join)
number = st.one_of(st.integers(-5, 30).map(str), st.integers().map(str), text)
parameters = st.fixed_dictionaries(
    {},
    optional={
        "sysparm_query": encoded,
        "sysparm_fields": st.lists(st.sampled_from(FIELDS), max_size=6).map(",".join),
        "sysparm_limit": number,
        "sysparm_offset": number,
        "sysparm_display_value": st.sampled_from(["true", "false", "all", "ALL", "x"]),
        "sysparm_exclude_reference_link": st.sampled_from(["true", "false"]),
        "sysparm_input_display_value": st.sampled_from(["true", "false"]),
        "sysparm_no_count": st.sampled_from(["true", "x"]),
        "sysparm_group_by": st.sampled_from(FIELDS),
        "sysparm_sum_fields": st.sampled_from(FIELDS),
        "sysparm_having": encoded,
        "sysparm_order_by": encoded,
        "sysparm_tiny": text,
        "state": text,
    },
)
scalar = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), value)
body = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), scalar, max_size=6),
    st.recursive(
        scalar,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)
        ),
        max_leaves=6,
    ),
)
known = st.sampled_from(["6816f79cc0a8016401c5a33be04be441", "none", "0" * 32, ""])
path = st.one_of(
    st.builds(
        lambda version, table, record: f"/api/now/{version}table/{table}/{record}".rstrip("/"),
        st.sampled_from(["", "v1/", "v2/", "v9/"]),
        st.sampled_from(TABLES),
        known,
    ),
    st.sampled_from(TABLES).map(lambda table: f"/api/now/stats/{table}"),
    st.builds(
        lambda part, record: f"/api/sn_chg_rest/v1/change/{record}{part}",
        st.sampled_from(["", "/nextstates", "/conflict", "/schedule", "/task", "/ci", "/approvals",
                         "/schedule/first_available", "/task/x"]),
        st.sampled_from(["", "normal", "standard/template", "model", "0" * 32]),
    ),
    st.builds(
        lambda part, record: f"/api/sn_sc/servicecatalog/items/{record}{part}",
        st.sampled_from(["", "/order_now", "/submit_producer", "/add_to_cart", "/variables",
                         "/add_to_wishlist", "/get_invalid_delegated_users"]),
        st.sampled_from(["29a39e830a0a0b27007d1e200ad52253", "x",
                         "3f1dd0320a0a0b99000a53f7604a2ef9"]),
    ),
    st.sampled_from([
        "/api/now/attachment", "/api/now/attachment/file", "/api/now/attachment/upload",
        "/api/now/v1/batch", "/api/now/tinyurl", "/api/sn_km_api/knowledge/articles",
        "/api/sn_sc/servicecatalog/cart", "/api/sn_sc/servicecatalog/cart/checkout",
        "/oauth_token.do", "/approvals", "/api/now/cmdb/instance/cmdb_ci", "/", "/api",
    ]),
    text.map(lambda part: "/api/now/table/" + quote(part)),
)  # fmt: skip


def check(api: Api, method: str, where: str, given_parameters: Any, content: Any) -> None:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = api.session.request(
        method,
        api.url + where,
        params=given_parameters,
        data=raw if method in ("POST", "PUT", "PATCH") else None,
        headers={"Content-Type": "application/json"},
        timeout=20,
        allow_redirects=False,
    )
    assert answer.status_code < 500, (method, where, given_parameters, content, answer.text)
    assert "Traceback" not in answer.text
    kind = answer.headers.get("Content-Type", "")
    if "json" in kind and method != "HEAD":
        found = answer.json()
        assert found.keys() & {"result", "error", "serviced_requests"}
    elif answer.content:
        assert "text/html" in kind or "/attachment" in where


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    wanted=st.tuples(
        st.sampled_from(["GET", "GET", "GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"]),
        path,
        parameters,
        st.one_of(body, st.binary(max_size=40)),
    ),
    role=st.sampled_from(["admin", "daemon", "requester", "approver"]),
)
def test_every_request_is_answered(
    admin: Api,
    daemon: Api,
    requester: Api,
    approver: Api,
    wanted: tuple[str, str, Any, Any],
    role: str,
) -> None:
    who = {"admin": admin, "daemon": daemon, "requester": requester, "approver": approver}[role]
    if role == "admin" and "sys_user" in wanted[1] and wanted[0] != "GET":
        return  # taking the accounts away would end the session, not test the answers
    check(who, *wanted)


terms = st.lists(
    st.builds(lambda glue, part: glue + part, st.sampled_from(["", "OR", "NQ"]), term),
    min_size=1,
    max_size=4,
).map("^".join)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    table=st.sampled_from(TABLES[:-1]),
    query=terms,
    display=st.sampled_from(["true", "false", "all"]),
)
def test_every_query_is_answered(admin: Api, table: str, query: str, display: str) -> None:
    wanted = {"sysparm_query": query, "sysparm_display_value": display, "sysparm_limit": "2"}
    check(admin, "GET", f"/api/now/table/{table}", wanted, {})
    check(admin, "GET", f"/api/now/stats/{table}", {**wanted, "sysparm_count": "true"}, {})


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    items=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "id": scalar,
                "method": st.one_of(scalar, st.sampled_from(["GET", "POST", "PATCH"])),
                "url": st.one_of(scalar, path),
                "body": st.one_of(
                    scalar,
                    body.map(lambda one: base64.b64encode(json.dumps(one).encode()).decode()),
                ),
                "headers": st.one_of(scalar, st.lists(st.dictionaries(text, text), max_size=2)),
            },
        ),
        max_size=4,
    )
)
def test_every_batch_is_answered(daemon: Api, items: Any) -> None:
    content = {"batch_request_id": 1, "rest_requests": items}
    check(daemon, "POST", "/api/now/v1/batch", {}, content)
