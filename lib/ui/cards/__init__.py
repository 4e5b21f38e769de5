"""The graphics cards on pages; nothing where the machine has no NVIDIA driver."""
