"""AgentScope: `OpenAIChatModel`, and an `Agent`."""

import asyncio

import support
from agentscope.agent import Agent
from agentscope.credential import OpenAICredential
from agentscope.message import UserMsg
from agentscope.model import OpenAIChatModel
from agentscope.permission import PermissionContext, PermissionMode
from agentscope.state import AgentState
from agentscope.tool import FunctionTool, Toolkit


def ask(*prompts, tools=(), streamed=False, **parameters):
    async def go():
        model = OpenAIChatModel(
            OpenAICredential(api_key=support.KEY, base_url=support.URL),
            support.MODEL,
            OpenAIChatModel.Parameters(**parameters),
            stream=streamed,
            max_retries=0,
        )
        toolkit = Toolkit(tools=[FunctionTool(tool) for tool in tools])
        state = AgentState(permission_context=PermissionContext(mode=PermissionMode.BYPASS))
        agent = Agent("helper", support.SYSTEM, model, toolkit=toolkit, state=state)
        for prompt in prompts:
            await agent.reply(UserMsg("user", prompt))

    asyncio.run(go())


TOOLS = [support.get_weather, support.get_time]

support.run(
    {
        "plain": lambda: ask(support.USER),
        "history": lambda: ask(support.USER, support.LAST_USER),
        "streamed": lambda: ask(support.USER, streamed=True),
        "tool loop": lambda: ask(support.USE_TOOLS, support.LAST_USER, tools=TOOLS),
        "streamed tool loop": lambda: ask(support.USE_TOOLS, tools=TOOLS, streamed=True),
        "reasoning": lambda: ask(
            support.USE_TOOLS, support.LAST_USER, tools=TOOLS, thinking_enable=True, reasoning_effort="low"
        ),
        "settings": lambda: ask(support.USER, temperature=0.2, top_p=0.9, max_tokens=256),
    }
)
