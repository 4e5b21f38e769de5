"""Real clients against a real Berth: run by hand, as they are installed from the registries."""
