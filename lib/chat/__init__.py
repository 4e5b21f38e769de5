"""Conversations and their replies: what is asked, written, kept, checked and compared."""
