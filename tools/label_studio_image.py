"""Open a task in Label Studio with a browser: writes a screenshot, prints where the image is on it.

    .venv-label-studio/bin/python tools/label_studio_image.py URL EMAIL PASSWORD PATH OUT CHROMIUM

`tests/service/test_label_studio.py` runs it, by Label Studio's Python, which has Playwright.
"""

import json
import sys

from playwright.sync_api import sync_playwright

OFFLINE = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")
SECONDS = 120_000.0

url, email, password, path, screenshot, chromium = sys.argv[1:]
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=OFFLINE)
    page = browser.new_page(viewport={"width": 1500, "height": 950})
    page.set_default_timeout(SECONDS)
    page.goto(f"{url}/user/login/", wait_until="domcontentloaded")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "login" not in address, wait_until="commit")
    page.goto(url + path, wait_until="commit")
    page.get_by_text("jaw_0").first.wait_for()
    image = page.locator("div.lsf-image")
    image.wait_for()
    page.wait_for_timeout(3000)  # until the points are drawn
    page.screenshot(path=screenshot)
    print(json.dumps(image.bounding_box()))
    browser.close()
