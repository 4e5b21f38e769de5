"""What stands in a deployment's way, found in seconds and before a byte is fetched.

Each check yields an error for everything that is wrong, not only for the first: somebody who
prepares a server wants the whole list, each line with what would mend it.
"""
