"""The System page: what the machine is, how busy it has been, and what it can do."""
