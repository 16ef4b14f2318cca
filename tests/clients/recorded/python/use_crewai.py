"""CrewAI: its `LLM`, and an `Agent` with a task."""

import os

os.environ["CREWAI_DISABLE_TELEMETRY"] = os.environ["OTEL_SDK_DISABLED"] = "true"
os.environ["CREWAI_TRACING_ENABLED"] = "false"

import support
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool
from support import HELLO, HISTORY

TOOLS = [tool(support.get_weather), tool(support.get_time)]


def new_llm(**more):
    return LLM(model=f"openai/{support.MODEL}", base_url=support.URL, api_key=support.KEY, **more)


llm = new_llm()


def crew(llm=llm, tools=(), task=support.USER, **more):
    agent = Agent(role="Helper", goal="Help.", backstory=support.SYSTEM, llm=llm, tools=list(tools), max_iter=3)
    wanted = Task(description=task, expected_output="A text.", agent=agent, **more)
    Crew(agents=[agent], tasks=[wanted]).kickoff()


support.run(
    {
        "plain": lambda: llm.call(HELLO),
        "history": lambda: llm.call(HISTORY),
        "streamed": lambda: new_llm(stream=True).call(HELLO),
        "tool loop": lambda: crew(tools=TOOLS, task=support.USE_TOOLS),
        "streamed tool loop": lambda: crew(new_llm(stream=True), TOOLS, support.USE_TOOLS),
        "schema": lambda: crew(output_pydantic=support.Answer),
        "json": lambda: new_llm(response_format={"type": "json_object"}).call(
            [*HELLO, {"role": "user", "content": support.JSON_PROMPT}]
        ),
        "reasoning": lambda: crew(new_llm(reasoning_effort="low"), TOOLS, support.USE_TOOLS),
        "settings": lambda: new_llm(temperature=0.2, top_p=0.9, max_tokens=256, stop=["END"]).call(HELLO),
        "hints": lambda: new_llm(seed=7).call(HELLO),
    }
)
