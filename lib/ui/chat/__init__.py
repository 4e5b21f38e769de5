"""What the Chat page draws."""
