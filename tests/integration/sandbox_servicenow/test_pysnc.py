"""The vendor's own Python client against the sandbox over TLS, used as its documentation does."""

from collections.abc import Iterator

import pysnc
import pytest
from pysnc import exceptions

from connectors.servicenow.sandbox.server import ServiceNowSandbox

ADMIN = "6816f79cc0a8016401c5a33be04be441"
ADMIN_ROLE = "2831a114c611228501d4ea6c309d626d"
PROBLEM_ADMIN = "26fbff173b331300ad3cc9bb34efc4bd"


@pytest.fixture(scope="module")
def secure() -> Iterator[ServiceNowSandbox]:
    # requests prefers this variable to a session's own setting, so it is how a client is told.
    with pytest.MonkeyPatch.context() as patch, ServiceNowSandbox(tls=True) as running:
        patch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        yield running


@pytest.fixture
def client(secure: ServiceNowSandbox) -> Iterator[pysnc.ServiceNowClient]:
    account = secure.accounts["admin"]
    made = pysnc.ServiceNowClient(secure.url, (account.username, account.password))
    yield made
    made.session.close()


def test_a_record_is_got_by_id_and_by_field(client: pysnc.ServiceNowClient) -> None:
    user = client.GlideRecord("sys_user")
    assert user.get(ADMIN)
    assert user.user_name == "admin"
    assert user.get_display_value("user_password") == "********"
    assert client.GlideRecord("sys_user").get("user_name", "admin")
    assert not client.GlideRecord("sys_user").get("bunk")
    assert not client.GlideRecord("sys_user").get("sys_id", "bunk")


def test_fields_are_limited_and_dot_walked(client: pysnc.ServiceNowClient) -> None:
    user = client.GlideRecord("sys_user")
    user.fields = (
        "sys_id,email,department,department.name,department.dept_head,"
        "department.dept_head.email,nonsense"
    )
    assert user.get(ADMIN)
    assert user.email == "admin@example.com"
    assert user.department == "a581ab703710200044e0bfc8bcbe5de8"
    assert user.department.name == "Finance"
    assert user.department.dept_head.email == "natasha.ingram@example.com"
    assert "nonsense" not in user


def test_long_lists_are_fetched_in_batches(client: pysnc.ServiceNowClient) -> None:
    lines = client.GlideRecord("syslog")
    lines.fields = ["sys_id"]
    lines.limit = 1100
    lines.query()
    assert sum(1 for _ in lines) > 600
    columns = client.GlideRecord("sys_metadata")
    columns.fields = ["sys_id"]
    columns.query()
    assert len(columns) > 500
    problems = client.GlideRecord("problem")
    problems.batch_size = 3
    problems.limit = 7
    problems.query()
    assert len({problem.sys_id.get_value() for problem in problems}) == 7


def test_conditions_or_null_and_unknown_fields(client: pysnc.ServiceNowClient) -> None:
    tables = client.GlideRecord("sys_db_object")
    either = tables.add_query("name", "alm_asset")
    either.add_or_condition("name", "bsm_chart")
    tables.query()
    assert tables.get_row_count() == 2
    phones = client.GlideRecord("sys_user")
    phones.add_not_null_query("mobile_phone")
    phones.query()
    assert 0 < len(phones) < 20
    known = client.GlideRecord("sys_user")
    known.add_query("sys_id", ADMIN)
    known.add_query("second", "what")
    known.query()
    assert len(known) == 1


def test_joins_and_related_lists(client: pysnc.ServiceNowClient) -> None:
    managers = client.GlideRecord("sys_user")
    managers.add_join_query("sys_user_group", join_table_field="manager").add_query(
        "active", "true"
    )
    managers.query()
    assert managers.get_row_count() > 1
    admins = client.GlideRecord("sys_user")
    admins.add_join_query("sys_user_has_role", join_table_field="user").add_query(
        "role", ADMIN_ROLE
    )
    admins.query()
    assert 10 < len(admins) < 25
    groups = client.GlideRecord("sys_user_group")
    groups.add_rl_query("sys_group_has_role", "group", ">0", stop_at_relationship=True).add_query(
        "role.name", "LIKE", "admin"
    )
    groups.query()
    assert 2 < groups.get_row_count() < 8


def test_a_query_too_long_for_a_url_goes_through_the_batch(
    client: pysnc.ServiceNowClient,
) -> None:
    users = client.GlideRecord("sys_user")
    for _ in range(2300):
        users.add_query("AAAA", "BBBB")
    users.add_query("sys_id", ADMIN)
    users.query()
    assert [user.sys_id.get_value() for user in users] == [ADMIN]


def test_an_over_long_url_is_answered_by_a_page(client: pysnc.ServiceNowClient) -> None:
    record = client.GlideRecord("A" * 23_000)
    with pytest.raises(exceptions.RequestException, match=r"^<.*html>"):
        record.get("whatever")


def test_times_differ_between_value_and_display(client: pysnc.ServiceNowClient) -> None:
    user = client.GlideRecord("sys_user")
    assert user.get(ADMIN)
    updated = user.sys_updated_on
    assert updated.get_value() != updated.get_display_value()


def test_a_problem_is_created_changed_and_deleted(client: pysnc.ServiceNowClient) -> None:
    problem = client.GlideRecord("problem")
    problem.initialize()
    problem.short_description = "Written by a client"
    problem.bunk_field = "passed over"
    number = problem.insert()
    assert problem.get_value("opened_by") == ADMIN
    assert problem.get_display_value("opened_by") == "System Administrator"
    again = client.GlideRecord("problem")
    assert again.get(number)
    again.short_description = "Changed"
    again.assigned_to = PROBLEM_ADMIN
    assert again.update() is not None
    assert again.get_display_value("assigned_to") == "Problem Administrator"
    assert again.delete()
    assert not client.GlideRecord("problem").get(number)


def test_a_client_chooses_the_sys_id_with_its_case(client: pysnc.ServiceNowClient) -> None:
    chosen = "AAAABBBBCCCCDDDDEEEEFFFF00001111"
    problem = client.GlideRecord("problem")
    problem.initialize()
    problem.set_new_guid_value(chosen)
    assert problem.insert() == chosen
    assert client.GlideRecord("problem").get(chosen)
    twice = client.GlideRecord("problem")
    twice.initialize()
    twice.set_new_guid_value(chosen)
    with pytest.raises(exceptions.RoleException, match="Unique Key violation"):
        twice.insert()
    assert problem.delete()


def marked(client: pysnc.ServiceNowClient, word: str) -> pysnc.GlideRecord:
    found = client.GlideRecord("problem")
    found.add_query("short_description", "LIKE", word)
    found.query()
    return found


def test_many_are_updated_and_deleted_in_one_batch_around_an_aborting_rule(
    client: pysnc.ServiceNowClient,
) -> None:
    rule = client.GlideRecord("sys_script")
    rule.initialize()
    rule.name = "refuse a word"
    rule.collection = "problem"
    rule.active = "true"
    rule.when = "before"
    rule.action_insert = True
    rule.action_update = True
    rule.abort_action = True
    rule.filter_condition = "short_descriptionLIKEEICAR^ORdescriptionLIKEEICAR^EQ"
    assert rule.insert()
    for index in range(10):
        problem = client.GlideRecord("problem")
        problem.initialize()
        problem.short_description = f"BUNKZZ {index}"
        assert problem.insert()
    rows = marked(client, "BUNKZZ")
    assert len(rows) == 10
    for index, row in enumerate(rows):
        row.short_description = f"{row.short_description} {'EICAR' if index % 2 else 'GOOD'}"
    assert not rows.update_multiple()
    assert len(marked(client, "GOOD")) == 5
    assert len(marked(client, "EICAR")) == 0
    assert marked(client, "BUNKZZ").delete_multiple()
    assert len(marked(client, "BUNKZZ")) == 0


def test_attachments_are_added_read_and_found_again(client: pysnc.ServiceNowClient) -> None:
    problem = client.GlideRecord("problem")
    problem.initialize()
    problem.short_description = "With files"
    number = problem.insert()
    assert len(problem.get_attachments()) == 0
    problem.add_attachment("test.txt", "one\nwith\nmulti\nlines")
    problem.add_attachment("test.bin", bytes(range(10)))
    again = client.GlideRecord("problem")
    assert again.get(number)
    seen = []
    for file in again.get_attachments():
        is_text = file.file_name == "test.txt"
        seen.append(file.readlines() if is_text else file.read())
    assert sorted(seen, key=len) == [["one", "with", "multi", "lines"], bytes(range(10))]


def test_each_class_of_error_is_the_clients_own(secure: ServiceNowSandbox) -> None:
    stranger = pysnc.ServiceNowClient(secure.url, ("admin", "wrong"), verify=str(secure.ca_file))
    with pytest.raises(exceptions.AuthenticationException, match=r"(?i)not authenticated"):
        stranger.GlideRecord("sys_user").get("x")
    stranger.session.close()
    account = secure.accounts["integration"]
    daemon = pysnc.ServiceNowClient(secure.url, (account.username, account.password))
    problem = daemon.GlideRecord("sys_user")
    problem.initialize()
    problem.user_name = "intruder"
    with pytest.raises(exceptions.RoleException):
        problem.insert()
    daemon.session.close()
    with pytest.raises(exceptions.InstanceException):
        pysnc.ServiceNowClient("http://plain.example.test", ("a", "b"))
