"""The peers that are installed.

Of each only its own functions of translation are called, and what is needed to have bytes on both sides. All else that
it does is left out, in its favour: clients, routing, logging, retries, and the reading of events that are cut across
chunks.
"""

from __future__ import annotations

import importlib
import os

from core_ours import Contender

PEERS = {
    "litellm": ("core_litellm", "LiteLLM"),
    "llm-rosetta": ("core_rosetta", "Rosetta"),
    "any-llm": ("core_any_llm", "AnyLLM"),
    "aisuite": ("core_aisuite", "AISuite"),
}


def installed_peers() -> tuple[list[Contender], dict[str, str]]:
    """The peers that can be imported, and why the others cannot."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would ask the network for its table
    peers: list[Contender] = []
    left_out: dict[str, str] = {}
    for name, (module, kind) in PEERS.items():
        try:
            peers.append(getattr(importlib.import_module(module), kind)())
        except Exception as error:  # a broken installation is no reason to measure nothing
            left_out[name] = f"cannot be imported: {error!r}"
    return peers, left_out
