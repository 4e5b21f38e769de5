"""Batches: files of requests that are answered one after the other, in OpenAI's dialect."""
