"""The approver's page in a real browser and over plain HTTP."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from connectors.servicenow.sandbox.server import ServiceNowSandbox
from tests.integration.sandbox_servicenow.conftest import Api

HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>"\'&'


def submitted(daemon: Api, text: str = "Plan") -> str:
    change = daemon.create(
        "change_request",
        short_description=text,
        assignment_group="Software",
        implementation_plan=f"1. Do it.\n2. {HOSTILE}",
    )
    daemon.change("change_request", change["sys_id"], state="-4")
    number: str = change["sys_id"]
    daemon.record("change_request", number)
    return number


def waiting(daemon: Api, change: str) -> str:
    query = f"sysapproval={change}^approver.user_name=howard.johnson"
    number: str = daemon.records("sysapproval_approver", query)[0]["sys_id"]
    return number


def send(daemon: Api, headers: Any = None, **form: str) -> requests.Response:
    return requests.post(
        f"{daemon.url}/approvals", data=form, headers=headers, allow_redirects=False, timeout=10
    )


def test_an_answer_on_the_page_is_the_native_row_in_that_persons_name(daemon: Api) -> None:
    change = submitted(daemon)
    row = waiting(daemon, change)
    form = {"person": "howard.johnson", "approval": row, "comment": "go ahead"}
    assert send(daemon, **form, decision="approve").status_code == 303
    seen = daemon.record("sysapproval_approver", row, sysparm_display_value="true")
    assert (seen["state"], seen["sys_updated_by"]) == ("Approved", "howard.johnson")
    assert "go ahead" in seen["comments"]
    assert daemon.record("change_request", change)["state"] == "-2"
    assert send(daemon, **form, decision="approve").status_code == 409


def test_the_page_bends_no_rule(daemon: Api) -> None:
    change = submitted(daemon)
    row = waiting(daemon, change)
    daemon_form = {"person": "tiergate", "approval": row, "decision": "approve"}
    assert send(daemon, **daemon_form).status_code == 409
    form = {"person": "howard.johnson", "approval": row}
    assert send(daemon, **form, decision="reject").status_code == 422
    assert send(daemon, **form, decision="maybe").status_code == 404
    assert send(daemon, person="nobody", approval=row, decision="approve").status_code == 404
    for headers in ({"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}):
        assert send(daemon, headers, **form, decision="approve").status_code == 403
    assert daemon.record("sysapproval_approver", row)["state"] == "requested"


def test_whoever_opens_the_page_sees_at_once_what_waits(daemon: Api) -> None:
    submitted(daemon, "Nobody was chosen yet")
    page = requests.get(f"{daemon.url}/approvals", timeout=10).text
    assert "Nobody was chosen yet" in page
    assert re.search(r"howard\.johnson\), \d+ waiting", page)


def test_hostile_text_is_text(daemon: Api) -> None:
    submitted(daemon, HOSTILE)
    page = requests.get(f"{daemon.url}/approvals?person=howard.johnson", timeout=10)
    assert "<script>" not in page.text
    assert "<img" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    odd = requests.get(f"{daemon.url}/approvals", params={"person": HOSTILE}, timeout=10)
    assert "<script>" not in odd.text
    assert requests.put(f"{daemon.url}/approvals", timeout=10).status_code == 405


def test_the_address_of_a_record_shows_it(daemon: Api) -> None:
    number = submitted(daemon, HOSTILE)
    daemon.change("change_request", number, work_notes=f"noted {HOSTILE}")
    html = {"Accept": "text/html,application/xhtml+xml"}
    address = f"{daemon.url}/nav_to.do?uri=change_request.do?sys_id={number}"
    page = requests.get(address, headers=html, timeout=10)
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert "noted &lt;script&gt;" in page.text
    assert 'href="/sys_user_group.do?sys_id=' in page.text
    for path in (f"/change_request.do?sys_id={number}", "/", "/approvals"):
        assert requests.get(f"{daemon.url}{path}", headers=html, timeout=10).status_code == 200
    for path in ("/incident.do?sys_id=none", "/nav_to.do", "/nope.do?sys_id=1"):
        assert requests.get(f"{daemon.url}{path}", headers=html, timeout=10).status_code == 404


@pytest.fixture
def browser(lacking: Callable[[str], NoReturn]) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        lacking("Chromium or its driver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,900"):
        options.add_argument(flag)
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()


@pytest.mark.chromium
def test_an_approver_works_with_the_keyboard_alone(
    daemon: Api, sandbox: ServiceNowSandbox, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    change = submitted(daemon, f"Keyboard {HOSTILE}")
    browser.get(f"{sandbox.url}/approvals")
    Select(browser.find_element(By.ID, "person")).select_by_value("howard.johnson")
    browser.find_element(By.ID, "person").send_keys(Keys.TAB, Keys.ENTER)
    wait = WebDriverWait(browser, 10)
    wait.until(lambda page: "Waiting for Howard Johnson" in page.page_source)
    row = waiting(daemon, change)
    card = browser.find_element(By.XPATH, f"//article[.//input[@value='{row}']]")
    assert "2. <script>" in card.text
    shots = Path(os.environ.get("SANDBOX_SCREENSHOTS", str(tmp_path)))
    assert browser.save_screenshot(str(shots / "servicenow-approvals.png"))
    box = card.find_element(By.NAME, "comment")
    box.send_keys("by keyboard", Keys.TAB)
    focused = browser.switch_to.active_element
    assert focused.text == "Approve"
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    wait.until(lambda page: page.find_elements(By.CLASS_NAME, "message"))
    assert "approved" in browser.find_element(By.CLASS_NAME, "message").text
    assert daemon.record("change_request", change)["state"] == "-2"
    assert "owned" not in browser.title
    assert browser.save_screenshot(str(shots / "servicenow-answered.png"))
    wide = browser.execute_script("return document.documentElement.scrollWidth > innerWidth")
    assert wide is False
