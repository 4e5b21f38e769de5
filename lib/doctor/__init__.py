"""What is not as it should be on this machine, why it matters, and what mends it.

A check is a file in `checks/`: it gathers facts, and judges them. `registry.REGISTRY` runs them,
`mends.mend` does what a finding's button says, `ignored` keeps what the owner does not want to see,
and `bundle` packs what somebody needs who is asked for help.
"""
