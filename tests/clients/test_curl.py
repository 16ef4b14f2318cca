"""The curl command that `chatcompat serve` prints works as shown."""

import json
import shutil
import subprocess

import pytest

from tests.extensions import EXTENSIONS
from tests.vendor import chat_sse, check_chat_reply

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


def curl_line(serve_output: list[str]) -> str:
    printed = "".join(serve_output)
    return printed[printed.index("curl ") :]


def paste(line: str) -> bytes:
    return subprocess.run(["bash", "-c", line + " --silent --show-error"], check=True, capture_output=True).stdout


def test_the_printed_curl_line_gives_a_chat_completion(serve_output: list[str]) -> None:
    completion = json.loads(paste(curl_line(serve_output).rstrip()))
    assert check_chat_reply(completion, allow=EXTENSIONS) == []
    assert list(completion) == ["id", "object", "created", "model", "choices", "usage"]
    assert completion["id"].startswith("chatcmpl_")
    assert completion["model"] == "caicaini/auto"
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert completion["usage"]["credits_consumed"] > 0


def test_the_same_line_with_stream_gives_its_stream(serve_output: list[str]) -> None:
    line = curl_line(serve_output).rstrip().replace('"max_tokens": 256', '"max_tokens": 256, "stream": true')
    raw = paste(line)
    assert chat_sse(raw, allow=EXTENSIONS) == []
    assert raw.endswith(b"data: [DONE]\n\n")
