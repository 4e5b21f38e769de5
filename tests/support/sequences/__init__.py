"""Random sequences of what people do in the chat, and whether anything was lost by them."""
