"""API keys: with one a program gets in to /v1, from this machine or another, and nowhere else."""
