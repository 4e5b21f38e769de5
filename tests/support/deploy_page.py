"""The deploy page without a browser, and what can be read on it."""

from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT

PAGE = ROOT / "pages/1_Deploy.py"
SECONDS = 60
SMALL = "acme/Small-GGUF"
MEGABYTE = 10**6


def opened(text: str = "", job: str = "") -> AppTest:
    """The page with this typed into its field, or at the address of this job."""
    page = AppTest.from_file(PAGE, default_timeout=SECONDS)
    if job:
        page.query_params["job"] = job
    page.run()
    if text:
        page.text_input(key="deploy_model").set_value(text).run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    """All words on the page."""
    shown = (page.markdown, page.caption, page.error, page.warning, page.info, page.success)
    text = "\n".join(str(element.value) for kind in shown for element in kind)
    return text.replace("\\", "")


def labels(page: AppTest) -> list[str]:
    """What stands on the buttons."""
    return [button.label for button in page.button]


def deploy_button(page: AppTest) -> tuple[str, bool]:
    """What stands on the button that deploys, and whether it is disabled."""
    button = page.button(key="deploy_start")
    return button.label, button.disabled


def bodies(page: AppTest) -> list[str]:
    """What it draws as HTML, without its style sheet."""
    found = [str(html.proto.body) for html in page.get("html")]
    return [body for body in found if not body.startswith("<style>")]
