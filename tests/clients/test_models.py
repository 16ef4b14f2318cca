"""The official `openai` package reads the models of a real server; the native package is untouched beside it."""

import anthropic
import openai
import pytest

KEY = "cai_api_test"


def test_the_chat_client_lists_and_retrieves(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, _strict_response_validation=True) as client:
        listed = client.models.list().data
        assert [model.id for model in listed] == ["caicaini/auto", "sim-1", "sim-2"]
        assert listed[0].object == "model"
        assert listed[0].created == 1_767_225_600
        for model in listed:
            assert client.models.retrieve(model.id) == model
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve("none/such")
        assert caught.value.code == "model_not_found"


def test_the_native_client_gets_the_native_list(url: str) -> None:
    with anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0) as client:
        page = client.models.list(limit=2)
        assert page.has_more
        assert client.models.retrieve("caicaini/auto").display_name == "Auto"
