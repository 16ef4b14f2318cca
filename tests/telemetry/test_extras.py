"""Without its extra a module says how to install it, and the core needs none."""

import importlib
import subprocess
import sys

import pytest

EXTRAS = {"otel": "opentelemetry", "prometheus": "prometheus_client", "redis": "redis"}


@pytest.mark.parametrize(("module", "needs"), EXTRAS.items())
def test_a_missing_extra_is_named(module: str, needs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, f"chatcompat.{module}", raising=False)
    monkeypatch.setitem(sys.modules, needs, None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'chatcompat\[{module}\]'"):
        importlib.import_module(f"chatcompat.{module}")


def test_the_middleware_imports_none_of_them() -> None:
    program = "import sys, chatcompat; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert set(EXTRAS.values()).isdisjoint(ran.stdout.split())
