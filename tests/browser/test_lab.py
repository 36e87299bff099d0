"""Notebooks in a real JupyterLab: run all cells, see no error, move the slider, see the figure change."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from ..checkout import ROOT
from ..notebooks.test_run import IN_JUPYTERLAB, check_results, small_copy
from ..small_book import code
from .test_book_pages import move_and_look

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.notebook]

START_S, RUN_S = 90, 300
# A folded cell shows no number: its code has been taken out of the page.
STATE = """() => ({
    prompts: [...document.querySelectorAll('.jp-CodeCell .jp-InputArea .jp-InputPrompt')]
                 .map(prompt => prompt.innerText),
    errors: [...document.querySelectorAll('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]')]
                .map(output => output.innerText).filter(text => text.includes('Traceback (most recent call last)')),
})"""
SMALL = [
    new_markdown_cell("# A small notebook"),
    code("from matplotlib.figure import Figure\nfrom rppg_lib.teach.slider import slider"),
    code("def draw(level):\n    figure = Figure(figsize=(4, 2))\n    figure.subplots().bar([0], [level])\n"
         "    return figure"),
    code("slider(draw, [1, 2, 3], label='level')", tags=["slider"]),
    code("def solution():\n    return 6 * 7\n\nprint('solved', solution())", tags=["solution"],
         jupyter={"source_hidden": True, "outputs_hidden": True}),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settings(home) -> dict[str, str]:
    """Set up a JupyterLab that asks nobody for news and keeps all cells in the page; return its environment."""
    folders = {name: home / name for name in ("config", "data", "runtime", "settings", "workspaces", "ipython")}
    tracker = folders["settings"] / "@jupyterlab" / "notebook-extension"
    for folder in (folders["config"] / "labconfig", tracker, *folders.values()):
        folder.mkdir(parents=True, exist_ok=True)
    news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (folders["config"] / "labconfig" / "page_config.json").write_text(json.dumps(news))
    (tracker / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
    return {**os.environ, "JUPYTER_CONFIG_DIR": str(folders["config"]), "JUPYTER_DATA_DIR": str(folders["data"]),
            "JUPYTER_RUNTIME_DIR": str(folders["runtime"]), "JUPYTERLAB_SETTINGS_DIR": str(folders["settings"]),
            "JUPYTERLAB_WORKSPACES_DIR": str(folders["workspaces"]), "IPYTHONDIR": str(folders["ipython"]),
            "RPPG_OUT": str(home / "out"), "OMP_NUM_THREADS": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab on this machine alone, with a token; yields its folder and the address of a notebook there."""
    pytest.importorskip("jupyterlab", reason="no JupyterLab: pip install 'rppg-lib[notebooks]'")
    home = tmp_path_factory.mktemp("lab")
    work = home / "work"
    work.mkdir()
    port, token = free_port(), secrets.token_hex(16)
    log = (home / "server.log").open("w")
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
         "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={work}",
         "--LabApp.extension_manager=readonly", *as_root],
        env=settings(home), stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/api/status?token={token}", server, home / "server.log")
        yield work, lambda name: f"http://127.0.0.1:{port}/lab/workspaces/{name[:2]}/tree/{name}?token={token}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
        log.close()


def wait_until_up(address, server, log):
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def run_all(page):
    """Choose Run > Run All Cells, and wait until every cell has its number and none shows an error."""
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=START_S * 1000)
    page.get_by_text("| Idle").wait_for(timeout=START_S * 1000)          # in the status bar: the kernel answers
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    until = time.monotonic() + RUN_S
    while time.monotonic() < until:
        state = page.evaluate(STATE)
        if state["errors"] or all(prompt.strip("[]: \n").isdigit() for prompt in state["prompts"]):
            return state
        page.wait_for_timeout(200)
    pytest.fail(f"not finished after {RUN_S} s: {state['prompts']}")


def open_and_run(watch, address):
    watch.page.goto(address)
    state = run_all(watch.page)
    assert state["errors"] == []
    assert state["prompts"]
    sliders = watch.page.locator(".jp-OutputArea figure.rppg-slider")
    assert sliders.count() > 0
    for card in sliders.all():
        card.scroll_into_view_if_needed()
        move_and_look(card)
        box = card.locator("input").bounding_box()
        shown = card.locator("img:visible").get_attribute("src")
        watch.page.mouse.move(box["x"] + 3, box["y"] + box["height"] / 2)
        watch.page.mouse.down()
        watch.page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2, steps=8)
        watch.page.mouse.up()
        assert card.locator("img:visible").get_attribute("src") != shown
    assert [line for line in watch.found if ": asked: " in line] == []


def small_notebook(work):
    nbformat.write(new_notebook(cells=SMALL, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}),
                   work / "small.ipynb")
    return "small.ipynb"


def notebook(number, work):
    return small_copy(next((ROOT / "notebooks").glob(f"{number}*.ipynb")), work).name


def figures_in(path):
    """Return how many cells of a notebook draw a figure: they say in words what is seen."""
    return sum(bool(cell.metadata.get("alt")) for cell in nbformat.read(path, as_version=4).cells)


@pytest.mark.parametrize("number", IN_JUPYTERLAB)
def test_a_notebook_runs_in_jupyterlab_and_its_sliders_move_the_figures(number, lab, watched):
    work, address = lab
    name = notebook(number, work)
    allowed = (address("").split("/lab")[0], "ws://127.0.0.1", "data:", "blob:")
    with watched(allowed=allowed, height=1000) as watch:
        open_and_run(watch, address(name))
        pictures = watch.page.locator(".jp-RenderedImage img")
        assert pictures.count() >= figures_in(work / name)
        assert all(picture.evaluate("one => one.naturalWidth") > 100 for picture in pictures.all())
    check_results(name.removesuffix(".ipynb"), work.parent / "out")
    assert all(item.suffix == ".ipynb" or item.name == ".ipynb_checkpoints" for item in work.iterdir())


def test_a_solution_is_folded_in_jupyterlab_until_asked_for(lab, watched):
    work, address = lab
    name = small_notebook(work)
    with watched(allowed=("http", "ws", "data:", "blob:"), height=1000) as watch:
        watch.page.goto(address(name))
        run_all(watch.page)
        code_of_it = watch.page.get_by_text("return 6 * 7").first
        assert not code_of_it.is_visible()                   # a run unfolds what it prints, not the code
        watch.page.locator(".jp-CodeCell").last.locator(".jp-InputPlaceholder").click()
        code_of_it.wait_for(timeout=5000)


def test_a_cell_that_fails_is_seen(lab, watched):
    work, address = lab
    nbformat.write(new_notebook(cells=[code("1"), code("1 / 0"), code("2")],
                                metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}),
                   work / "failing.ipynb")
    with watched(allowed=("http", "ws", "data:", "blob:")) as watch:
        watch.page.goto(address("failing.ipynb"))
        assert "ZeroDivisionError" in str(run_all(watch.page)["errors"])
