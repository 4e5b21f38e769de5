"""Deployment on graphics cards: the deploy page's other half, and what its jobs tell."""
