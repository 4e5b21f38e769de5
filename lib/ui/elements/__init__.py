"""Elements of our own: each one's script, style sheet and Python side under one name."""
