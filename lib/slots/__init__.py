"""What a GPU slot needs written: its service, its entries in LiteLLM and nginx, their programs."""
