"""The HTTP routes: /api for the product's own, /v1 for the OpenAI dialect."""
