"""The approval page in a real browser, used by keyboard alone."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = [pytest.mark.chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser(lacking: Callable[[str], NoReturn]) -> Iterator[Any]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        lacking("Chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(program)
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1100,1400"):
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=str(driver))
    chrome = webdriver.Chrome(options=options, service=service)
    yield chrome
    chrome.quit()


def _press(browser: Any, *keys: str) -> None:
    actions = webdriver.ActionChains(browser)
    actions.send_keys(*keys).perform()


def _tab_to(browser: Any, chosen: Callable[[Any], bool]) -> Any:
    for _ in range(200):
        _press(browser, Keys.TAB)
        focused = browser.switch_to.active_element
        if chosen(focused):
            return focused
    raise AssertionError("the keyboard does not reach it")


def test_an_approver_declines_by_keyboard_and_hostile_text_is_shown_as_text(
    browser: Any, desk: Any, tmp_path: Path
) -> None:
    hostile = "<img src=x onerror=\"document.title='owned'\"> & done"
    key = desk.raise_request("integration", "Request a change", customfield_10040=hostile)
    desk.move(key, "Plan")
    desk.move(key, "Request approval")
    number = desk.approvals(key)[0]["id"]
    browser.get(f"{desk.sandbox.url}/approvals")
    _tab_to(browser, lambda one: one.get_attribute("id") == "person")
    _press(browser, "Howard")
    _press(browser, Keys.TAB, Keys.ENTER)
    found = WebDriverWait(browser, 10).until(
        lambda here: here.find_element(By.ID, f"approval-{number}")
    )
    assert hostile in found.text
    assert browser.title == "Approvals"
    browser.save_screenshot(str(tmp_path / "approvals.png"))
    _tab_to(browser, lambda one: one.get_attribute("id") == f"comment-{number}")
    _press(browser, "not like this")
    _tab_to(browser, lambda one: one.get_attribute("value") == "decline")
    _press(browser, Keys.ENTER)
    said = WebDriverWait(browser, 10).until(
        lambda here: here.find_element(By.CSS_SELECTOR, '[role="status"]')
    )
    assert said.text == f"Declined: {key}"
    assert desk.state(key) == "Declined"
    browser.find_element(By.LINK_TEXT, key).click()
    WebDriverWait(browser, 10).until(lambda here: here.title == key)
    assert "not like this" in browser.find_element(By.TAG_NAME, "main").text
    assert (tmp_path / "approvals.png").stat().st_size > 10_000
