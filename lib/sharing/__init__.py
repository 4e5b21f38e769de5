"""Who else may use this Berth, and how much."""
