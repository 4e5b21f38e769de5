"""The requests page: what runs now, the log, and what of it is kept."""
