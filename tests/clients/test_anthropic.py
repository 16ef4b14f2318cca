"""The official `anthropic` package against the native endpoint of the same process."""

import anthropic
import pytest
from anthropic import Anthropic

MODEL = "caicaini/auto"


@pytest.fixture
def client(url: str) -> Anthropic:
    return Anthropic(base_url=url, api_key="cai_api_test", max_retries=0, _strict_response_validation=True)


def test_the_native_endpoint_answers_beside_the_other(client: Anthropic) -> None:
    with client:
        message = client.messages.create(model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "hi"}])
    assert message.id.startswith("msg_")
    assert message.stop_reason == "end_turn"
    assert message.usage.model_extra is not None
    assert message.usage.model_extra["credits_consumed"] > 0


def test_native_streams_pass_untouched(client: Anthropic) -> None:
    with (
        client,
        client.messages.stream(model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        assert stream.get_final_message().stop_reason == "end_turn"


def test_native_errors_stay_native(client: Anthropic) -> None:
    with client, pytest.raises(anthropic.BadRequestError, match="odd: Extra inputs are not permitted"):
        client.messages.create(
            model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hi"}], extra_body={"odd": 1}
        )


def test_models_are_listed(client: Anthropic) -> None:
    with client:
        assert MODEL in [model.id for model in client.models.list()]
