"""A GPU slot: what is deployed on it, what that needs written, and the way back.

The work is done by deploy_model.sh, which asks this package (`python -m lib.slots`) what to do.
"""
