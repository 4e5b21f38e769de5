"""vLLM on the cards of this machine, and OpenAI servers on other machines."""
