"""Coding agents and clients of this machine: found, pointed at Berth, and put back as they were."""
