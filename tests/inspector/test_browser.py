"""The inspector in a real browser: typing, fates, runs, hostile text, keys, colours and a phone's width."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cli.test_serve import served
from tests.inspector.chromium import chromium
from tests.inspector.service import HOSTILE, serving, upstream

CHAT: dict[str, Any] = {"model": "caicaini/auto", "messages": [{"role": "user", "content": "hi"}], "stream": True}
EXAMPLES = ["Plain", "Tools", "Vision", "Structured output", "Thinking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("inspector")
    with serving(upstream) as inner, served(folder, "--inspect", "--upstream", inner) as server:
        yield f"{server.url}/inspect"
        assert "sk-typed" not in server.errors.read_text()


@pytest.fixture
def options() -> dict[str, Any]:
    return {}


@pytest.fixture
def page(browser: Browser, url: str, options: dict[str, Any]) -> Iterator[Page]:
    """The page. It logs nothing, fails nowhere, and asks no other host."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
    page = context.new_page()
    problems: list[str] = []
    asked: set[str] = set()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.goto(url)
    expect(page.locator(".line").first).to_be_visible()
    yield page
    assert page.title() == "chatcompat inspector"  # what hostile text would change
    assert problems == []
    assert asked == {urlsplit(url).netloc}
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    context.close()


def type_in(page: Page, **fields: Any) -> None:
    page.fill("#request", json.dumps(CHAT | fields, indent=1))


def run(page: Page, status: str = "done") -> None:
    page.fill("#key", "sk-typed")
    page.click("#run")
    expect(page.locator("#run-status")).to_have_text(status)


def line(page: Page, text: str) -> Any:
    return page.locator(".line", has=page.locator(".json", has_text=re.compile(f"^{re.escape(text)}")))


# ---------------------------------------------------------------- the translation


def test_typing_shows_each_fate_and_its_reason(page: Page) -> None:
    type_in(page, temperature=1.5, seed=7)
    adjusted = line(page, '"temperature": 1.0')
    expect(adjusted).to_have_class(re.compile("adjusted"))
    expect(adjusted.locator(".from")).to_have_text("temperature")
    expect(line(page, '"max_tokens": 16000').locator(".from")).to_have_text("default of the dialect")
    expect(line(page, '"content": "hi"')).to_have_class(re.compile("mapped"))
    expect(line(page, '"content": "hi"').locator(".from")).to_have_text("messages[0].content")
    expect(page.locator("#unsent .ignored")).to_have_text("seedignoredno native field")
    adjusted.click()
    expect(page.locator("#detail")).to_have_text(
        "temperature \u2190 temperature \u00b7 adjusted: temperature, capped at the dialect's maximum"
    )
    coloured = page.locator("#backdrop > .adjusted, #backdrop > .ignored")
    assert [text.strip() for text in coloured.all_inner_texts()] == ['"temperature": 1.5,', '"seed": 7']
    expect(page.locator("#backdrop > .source")).to_contain_text('"temperature": 1.5')


def test_the_whole_request_is_shown_and_can_be_edited(page: Page) -> None:
    """The text area is as high as the coloured lines behind it, and both wrap in the same places."""
    for name in EXAMPLES:
        page.get_by_role("button", name=name).click()
        area, lines = "document.querySelector('#request')", "document.querySelector('#backdrop')"
        assert page.evaluate(f"[{area}.scrollHeight - {area}.clientHeight, {area}.scrollTop]") == [0, 0]
        heights = page.evaluate(f"[{area}.clientHeight, {lines}.clientHeight, {lines}.parentElement.clientHeight]")
        assert heights[0] == heights[2] >= heights[1]
    page.locator("#request").press("Control+End")
    page.keyboard.type(" ")
    expect(page.locator("#backdrop > div").last).to_be_in_viewport()


def test_a_refused_request_says_why_and_where(page: Page) -> None:
    type_in(page, modalities=["audio"])
    refusal = page.locator("#refusal")
    expect(refusal).to_contain_text(
        "refused 400 \u00b7 modalities: Not supported: replies are text. Leave it out. at modalities"
    )
    expect(page.locator("#lines")).to_have_class(re.compile("stale"))
    expect(page.locator("#backdrop > .refused").first).to_contain_text("modalities")
    page.fill("#request", "{")
    expect(refusal).to_contain_text("invalid_json")
    type_in(page)
    expect(refusal).to_be_hidden()
    expect(page.locator("#lines")).not_to_have_class(re.compile("stale"))


def test_each_example_translates_and_runs(page: Page) -> None:
    for name in EXAMPLES:
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
        run(page)
        expect(page.locator("#refusal")).to_be_hidden()
        expect(page.locator("#facts")).to_contain_text("status200")
        expect(page.locator("#answer > *").last).to_be_visible()
    expect(page.locator("#answer .thought")).to_contain_text("The last turn")
    expect(page.locator("#exchanges tr")).not_to_have_count(0)


# ---------------------------------------------------------------- a run


def test_a_run_shows_both_sides_and_what_they_come_to(page: Page) -> None:
    page.get_by_role("button", name="Tools").click()
    run(page)
    tied = page.locator("#timeline > .row", has_text='content_block_delta text "I will call "')
    expect(tied.locator(".chunks")).to_contain_text(re.compile(r'content "I will call "\+[\d,]+ \u00b5s'))
    expect(page.locator("#answer .text")).to_have_text("I will call get_time.")
    expect(page.locator("#answer .call")).to_have_text('get_time({"zone":"example"})')
    facts = page.locator("#facts").inner_text().split("\n")
    names = ["status", "end", "first byte", "first token", "duration", "tokens in", "tokens out", "tokens a second"]
    names += ["credits", "translation", "middleware, request", "middleware, reply"]
    assert [name for name in names if name not in facts] == []
    assert len([fact for fact in facts if fact.endswith("\u00b5s")]) == 3
    event = tied.locator(".native details", has_text="I will call").first
    event.locator("summary").click()
    expect(event.locator("pre")).to_contain_text('"type":"content_block_delta"')
    expect(page.locator("#exchanges tr").first).to_contain_text("tool_calls")
    run(page)
    expect(page.locator("#latency svg")).to_have_attribute("aria-label", re.compile(r"^Latency: \d+ exchanges"))


def test_a_slow_stream_is_shown_as_it_comes_and_can_be_stopped(page: Page) -> None:
    type_in(page, messages=[{"role": "user", "content": "slow"}])
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer .text")).to_contain_text("HelHel")
    expect(page.locator("#run-status")).to_have_text("running")
    page.keyboard.press("Escape")
    expect(page.locator("#run-status")).to_have_text("stopped")
    expect(page.locator("#stop")).to_be_disabled()
    expect(page.locator("#exchanges tr").first).to_contain_text("client_disconnected")


def test_a_new_run_takes_the_place_of_one_that_goes_on(page: Page) -> None:
    type_in(page, messages=[{"role": "user", "content": "slow"}])
    page.click("#run")
    expect(page.locator("#answer .text")).to_contain_text("HelHel")
    type_in(page)
    run(page)
    expect(page.locator("#answer .text")).to_contain_text("I have read your message.")
    expect(page.locator("#answer .text")).not_to_contain_text("HelHel")
    expect(page.locator("#stop")).to_be_disabled()


def test_a_refused_run_shows_the_error(page: Page) -> None:
    type_in(page, modalities=["audio"])
    run(page)
    expect(page.locator("#answer .problem")).to_have_text(
        "modalities: Not supported: replies are text. Leave it out. (unsupported_parameter)"
    )
    expect(page.locator("#timeline")).to_contain_text("HTTP 400")
    expect(page.locator("#facts")).not_to_contain_text("credits")


def test_without_a_key_none_is_sent(page: Page) -> None:
    page.click("#run")
    expect(page.locator("#answer .problem")).to_contain_text("x-api-key header is required")


# ---------------------------------------------------------------- hostile text


def test_text_of_a_request_or_a_model_is_never_html(page: Page) -> None:
    elements = page.evaluate("document.querySelectorAll('img, script').length")
    parts = {"name": HOSTILE, "model": HOSTILE, HOSTILE: 1}
    type_in(page, messages=[{"role": "user", "content": f"hostile {HOSTILE}"}], **parts)
    expect(line(page, '"content": "hostile <img')).to_contain_text("\\u202eevil")
    expect(page.locator("#unsent .ignored", has_text="<img src=x").first).to_be_visible()
    run(page)
    expect(page.locator("#answer .text")).to_contain_text("<img src=x")
    expect(page.locator("#answer .call")).to_contain_text("<script>")
    expect(page.locator("#timeline")).to_contain_text("\\u202eevil")
    expect(page.locator("#exchanges tr").first).to_contain_text("<img src=x")
    page.locator(".line").nth(3).click()
    page.locator("#unsent > .ignored > button").first.click()
    assert page.evaluate("document.querySelectorAll('img, script').length") == elements


def test_the_policy_forbids_what_the_page_does_not_need(browser: Browser, url: str) -> None:
    page = browser.new_page()
    page.goto(url)
    tries = """() => {
        const broken = [];
        try { document.body.innerHTML = "<b>x</b>" } catch { broken.push("html") }
        const image = document.createElement("img");
        const script = document.createElement("div");
        return new Promise((done) => {
            image.onerror = () => { broken.push("image"); done(broken) };
            image.src = "http://127.0.0.1:9/x.png";
        });
    }"""
    assert page.evaluate(tries) == ["html", "image"]
    page.close()


# ---------------------------------------------------------------- for everybody


def test_all_of_it_can_be_done_with_the_keyboard(page: Page) -> None:
    reached: list[str] = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    order = [*EXAMPLES, "request", "lines", "key", "run"]
    assert [name for name in reached if name in order][: len(order)] == order
    page.locator("#lines").focus()
    for key in ("End", "Home", "ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator(".line.current .json")).to_have_text('"max_tokens": 16000,')
    expect(page.locator("#lines")).to_have_attribute("aria-activedescendant", "line-3")
    expect(page.locator("#detail")).to_contain_text("default of the dialect")
    page.keyboard.press("Tab")
    expect(page.locator("#unsent button").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#backdrop > .source")).to_contain_text("seed")


def test_a_broken_text_does_not_stop_the_page(page: Page) -> None:
    for text in ("", "[", '{"a": [1,, "b"', '{"messages": "\\ud800', "nul", '{"a.b[": {"c]": 1}}', "[" * 20_000):
        page.fill("#request", text)
        expect(page.locator("#refusal")).to_be_visible()
        expect(page.locator("#request")).to_have_value(text)
    type_in(page)
    expect(page.locator("#refusal")).to_be_hidden()


# Each text's colour against the nearest background behind it, by WCAG 2.2, section 1.4.3.
CONTRASTS = """() => {
    const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        const isText = own || element.matches("textarea, input");
        if (!isText || element.closest("#backdrop") || !element.checkVisibility()) continue;
        const [one, two] = [parse(getComputedStyle(element).color), behind(element)].map(light).sort((a, b) => b - a);
        found.push([element.className || element.tagName, (one + 0.05) / (two + 0.05)]);
    }
    return found;
}"""


@pytest.mark.parametrize("options", [{"color_scheme": "light"}, {"color_scheme": "dark"}], ids=["light", "dark"])
def test_all_text_has_the_contrast_of_aa(page: Page) -> None:
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    backgrounds = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert backgrounds == ("rgb(20, 23, 26)" if dark else "rgb(247, 247, 244)")
    type_in(page, temperature=1.5, seed=7)
    expect(page.locator("#unsent .ignored").first).to_be_visible()
    run(page)
    page.locator(".line.adjusted").first.click()
    found = page.evaluate(CONTRASTS)
    type_in(page, modalities=["audio"])
    expect(page.locator("#refusal")).to_be_visible()
    run(page)
    found += page.evaluate(CONTRASTS)
    assert len(found) > 100
    assert {(name, round(ratio, 2)) for name, ratio in found if ratio < 4.5} == set()


@pytest.mark.parametrize("options", [{"viewport": {"width": 360, "height": 740}}], ids=["phone"])
def test_a_phone_shows_it_without_scrolling_sideways(page: Page) -> None:
    for name in EXAMPLES:
        page.get_by_role("button", name=name).click()
        run(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    wide = "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > 361)"
    assert page.evaluate(f"{wide}.map((e) => e.outerHTML.slice(0, 80))") == []
