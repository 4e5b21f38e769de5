"""vLLM on the cards of this machine, and OpenAI servers on other machines."""

from lib.engines.vllm.catalog import NAME
from lib.engines.vllm.engine import ENGINE

__all__ = ["ENGINE", "NAME"]
