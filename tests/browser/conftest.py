"""A Chromium that notices everything a page asks for and complains about."""

from contextlib import contextmanager

import pytest

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")


class Watch:
    """What went wrong on the pages of one browser context, page by page."""

    def __init__(self, page, allowed: tuple[str, ...]):
        self.page, self.allowed, self.found = page, allowed, []
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", lambda response: response.status < 400 or self._note(str(response.status), response.url))
        page.on("pageerror", lambda error: self._note("script error", error))
        page.on("console", lambda said: said.type != "error" or self._note("console", said.text))

    def _request(self, request):
        if not request.url.startswith(self.allowed):
            self._note("asked", request.url)

    def _failed(self, request):
        if "ERR_ABORTED" not in (request.failure or ""):             # the page itself has gone on before it came
            self._note("failed", request.url)

    def _note(self, what, detail):
        self.found.append(f"{self.page.url.rsplit('/', 1)[-1]}: {what}: {str(detail)[:150]}")


@pytest.fixture(scope="session")
def browser(chromium):
    """A running browser; the fixture `chromium` skips, or fails in continuous integration, where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'rppg-lib[test]'")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture
def watched(browser):
    """Return a function that opens a page in a fresh context and yields its Watch."""

    @contextmanager
    def open_page(*, allowed=("file:", "data:", "blob:"), width=1280, height=900, theme="light"):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        try:
            yield Watch(context.new_page(), allowed)
        finally:
            context.close()

    return open_page
