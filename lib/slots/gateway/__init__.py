"""What stands between clients and the engines: LiteLLM, which balances, and nginx before it."""
