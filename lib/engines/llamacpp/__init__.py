"""The built-in engine: llama.cpp in a child process per model, or a llama-server of one's own."""

from lib.engines.llamacpp.engine import ENGINE, NAME

__all__ = ["ENGINE", "NAME"]
