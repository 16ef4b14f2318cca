"""Images and files, on the bytes that the inner app receives."""

import json
from base64 import b64encode
from typing import Any

import pytest

from chatcompat import InvalidRequest, translate
from tests.vendor import check_messages_request

PDF = "data:application/pdf;base64,JVBERi0="


def blocks(part: Any) -> Any:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [part]}]}
    translated = json.loads(translate(json.dumps(body).encode()).body)
    assert check_messages_request(translated) == []
    return translated["messages"][0]["content"]


def file(**fields: Any) -> Any:
    return {"type": "file", "file": fields}


def pdf(title: str | None = None) -> Any:
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    return {"type": "document", "source": source} | ({"title": title} if title else {})


def text(data: str, title: str | None = None) -> Any:
    source = {"type": "text", "media_type": "text/plain", "data": data}
    return {"type": "document", "source": source} | ({"title": title} if title else {})


PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (file(file_data=PDF, filename="a.pdf"), pdf("a.pdf")),
        (file(file_data=PDF), pdf()),
        (file(file_data="JVBERi0=", filename="A.PDF"), pdf("A.PDF")),
        ({"type": "image_url", "image_url": {"url": PDF}}, pdf()),
        (file(file_data="data:text/plain;charset=utf-8;base64,aMOp"), text("h\u00e9")),
        (file(file_data="aGk=", filename="notes.txt"), text("hi", "notes.txt")),
        (file(file_data="data:image/png;base64,AAAA", filename="x"), PNG),
        (file(file_data="data:image/png;base64,AAAA", filename="x" * 501), PNG),
        (file(file_data="AAAA", filename="x.png"), PNG),
        (
            file(file_id="file_1", filename="a.pdf"),
            {"type": "document", "source": {"type": "file", "file_id": "file_1"}, "title": "a.pdf"},
        ),
        (file(file_data=PDF, filename=""), pdf()),
        (file(file_data=PDF, filename="a" * 500), pdf("a" * 500)),
        (file(file_id="", file_data=PDF), pdf()),
        (file(file_id=PDF, filename="a.pdf"), pdf("a.pdf")),
        (file(file_id="data:image/png;base64,AAAA"), PNG),
        (
            file(file_id="https://example.com/paper", format="application/pdf"),
            {"type": "document", "source": {"type": "url", "url": "https://example.com/paper"}},
        ),
        (
            file(file_id="file_1", format="image/png"),
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        ),
    ],
)
def test_a_file_becomes_a_block_with_its_name_as_title(part: Any, block: Any) -> None:
    assert blocks(part) == [block]


def test_a_long_name_is_cut_and_reported() -> None:
    messages = [{"role": "user", "content": [file(file_data=PDF, filename="a" * 501)]}]
    translation = translate(json.dumps({"model": "m", "messages": messages}).encode())
    assert json.loads(translation.body)["messages"][0]["content"] == [pdf("a" * 500)]
    assert translation.ignored == ("messages[].content[].file.filename",)
    messages[0]["content"] = [file(file_data="data:image/png;base64,AAAA", filename="a" * 501)]
    assert translate(json.dumps({"model": "m", "messages": messages}).encode()).ignored == ()  # an image has no title


def test_a_file_in_a_tool_result_stays_there() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": [file(file_data=PDF)]},
    ]
    body = json.loads(translate(json.dumps({"model": "m", "messages": messages}).encode()).body)
    assert body["messages"][2]["content"][0]["content"] == [pdf()]


@pytest.mark.parametrize(
    ("part", "fragment"),
    [
        (file(), "file_data or file_id"),
        (file(filename="a.pdf"), "file_data or file_id"),
        (file(file_id=""), "file_data or file_id"),
        (file(file_id="https://example.com/a.txt", filename="a.txt"), "tells its type"),
        (file(file_data="data:video/mp4;base64,AAAA"), "'video/mp4'"),
        (file(file_data="AAAA"), "tells its type"),
        (file(file_data="AAAA", filename="a.docx"), "tells its type"),
        (file(file_data="", filename="a.pdf"), "tells its type"),
        (file(file_data="https://example.com/a.txt", filename="a.txt"), "tells its type"),
        (file(file_data="data:text/plain;base64,/w=="), "UTF-8"),
        (file(file_data="data:text/plain;base64,$$$$"), "not valid base64"),
    ],
)
def test_a_file_that_cannot_be_sent_is_refused_at_its_place(part: Any, fragment: str) -> None:
    with pytest.raises(InvalidRequest, match=fragment) as raised:
        blocks(part)
    assert raised.value.param == "messages[0].content[0]"


def test_file_data_must_be_text() -> None:
    with pytest.raises(InvalidRequest) as raised:
        blocks(file(file_data=5))
    assert raised.value.param == "messages[0].content[0].file.file_data"


def test_escaped_slashes_mean_slashes() -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [file(file_data=PDF)]}]})
    escaped = body.replace("application/pdf", "application\\/pdf").encode()
    assert json.loads(translate(escaped).body)["messages"][0]["content"] == [pdf()]


def test_a_large_file_arrives_byte_for_byte() -> None:
    data = b64encode(bytes(range(256)) * 4096).decode()
    block = blocks(file(file_data=f"data:application/pdf;base64,{data}"))[0]
    assert block["source"]["data"] == data


def with_image(data: bytes, text: str = "hi") -> bytes:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}
    parts = [image, {"type": "text", "text": text}, image]
    body = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    return json.dumps(body, ensure_ascii=False).encode().replace(b"?", data)


@pytest.mark.parametrize("text", ["hi", "h\u00e9 \u2014 \U0001f642"])
@pytest.mark.parametrize("data", [b"AAAA", b"A" * 98 + b"==", b"A" * 100_000])
def test_data_goes_on_as_the_bytes_that_came(data: bytes, text: str) -> None:
    body = translate(with_image(data, text)).body
    assert body.count(b'"data":"%b"}' % data) == 2
    first, words, second = json.loads(body)["messages"][0]["content"]
    assert (first, words["text"]) == (second, text)


@pytest.mark.parametrize("text", ["hi", "h\u00e9"])
@pytest.mark.parametrize("data", [b"AA\xff", b"\xed\xa0\x80", b"\xc3"])
def test_data_that_is_not_utf8_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        translate(with_image(data, text))
    assert json.loads(raised.value.body)["error"]["code"] == "invalid_utf8"


SIGNATURES = {
    "image/png": b"\x89PNG\r\n\x1a\n....",
    "image/jpeg": b"\xff\xd8\xff\xe0........",
    "image/gif": b"GIF89a......",
    "image/webp": b"RIFF....WEBP",
    "application/pdf": b"%PDF-1.7\n...",
}


def typed(declared: str, actual: str) -> Any:
    return f"data:{declared};base64,{b64encode(SIGNATURES[actual]).decode()}"


@pytest.mark.parametrize("actual", SIGNATURES)
@pytest.mark.parametrize("declared", [*SIGNATURES, "application/octet-stream", "text/plain"])
@pytest.mark.parametrize("kind", ["image_url", "file"])
def test_first_bytes_tell_the_type_and_a_wrong_one_is_reported(kind: str, declared: str, actual: str) -> None:
    url = typed(declared, actual)
    part = {"type": "image_url", "image_url": {"url": url}} if kind == "image_url" else file(file_data=url)
    (block,) = blocks(part)
    assert block["type"] == ("document" if actual == "application/pdf" else "image")
    assert block["source"] == {"type": "base64", "media_type": actual, "data": b64encode(SIGNATURES[actual]).decode()}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    field = "image_url.url" if kind == "image_url" else "file.file_data"
    wrong = (f"messages[].content[].{field}",) if declared != actual else ()
    assert translate(json.dumps(body).encode()).ignored == wrong


def test_common_wrong_name_of_jpeg_is_not_reported() -> None:
    part = {"type": "image_url", "image_url": {"url": typed("image/jpg", "image/jpeg")}}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    assert translate(json.dumps(body).encode(), strict=True).ignored == ()


@pytest.mark.parametrize(
    "data",
    [
        "A",
        "AA",
        "AAA",
        "AAAAA",
        "A===",
        "====",
        "AA=A",
        "AA==AAAA",
        "AAA A",
        "A-_A",
        "$$$$",
        "<svg",
        "é",
        'AA\\"A',
        "i===",
        "$" * 40_000,
    ],
)
@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "text/plain"])
def test_data_that_is_not_base64_is_refused_at_its_place(kind: str, data: str) -> None:
    for part in (
        {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}},
        file(file_data=f"data:{kind};base64,{data}"),
    ):
        with pytest.raises(InvalidRequest, match="not valid base64") as raised:
            blocks(part)
        assert (raised.value.param, raised.value.code) == ("messages[0].content[0]", "invalid_base64")


def test_line_ends_and_escaped_slashes_in_base64_mean_the_same() -> None:
    plain = b"A" * 2000 + b"//AA"
    written = b"A" * 1000 + rb"\r\n" + b"A" * 1000 + rb"\n\/\/AA"
    assert translate(with_image(written)).body == translate(with_image(plain)).body


@pytest.mark.parametrize("kind", ["text/csv", "text/markdown", "text/x-markdown", "text/tab-separated-values"])
def test_tables_and_markdown_are_text_documents(kind: str) -> None:
    assert blocks(file(file_data=f"data:{kind};base64,YSxi", filename="a.x")) == [text("a,b", "a.x")]


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.md", "a.markdown", "a.tsv", "a.txt"])
def test_names_of_tables_and_markdown_tell_their_type(name: str) -> None:
    assert blocks(file(file_data="YSxi", filename=name)) == [text("a,b", name)]


PDF_URLS = ["https://example.com/a.pdf", "HTTPS://example.com/A.PDF?x=1#p", "http://example.com/a.pdf#p.png"]


@pytest.mark.parametrize("url", PDF_URLS)
def test_pdf_by_url_is_a_document(url: str) -> None:
    document = {"type": "document", "source": {"type": "url", "url": url}}
    assert blocks({"type": "image_url", "image_url": {"url": url}}) == [document]
    assert blocks(file(file_data=url)) == [document]
    assert blocks(file(file_data=url, filename="b.pdf")) == [{**document, "title": "b.pdf"}]


def test_file_by_url_needs_a_name_that_tells_a_pdf() -> None:
    url = "https://example.com/download"
    document = {"type": "document", "source": {"type": "url", "url": url}, "title": "b.pdf"}
    assert blocks(file(file_data=url, filename="b.pdf")) == [document]
    assert blocks({"type": "image_url", "image_url": {"url": f"{url}?name=a.pdf"}})[0]["type"] == "image"
    with pytest.raises(InvalidRequest, match="tells its type"):
        blocks(file(file_data=url))
