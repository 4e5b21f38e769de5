"""The models of all engines as one fleet: start, stop, remove, with rights checked."""
