"""Processes in the background: started, found again, asked and made to end."""
