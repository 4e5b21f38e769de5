"""Ollama, where it is installed."""

from lib.engines.ollama.engine import ENGINE, Ollama

__all__ = ["ENGINE", "Ollama"]
