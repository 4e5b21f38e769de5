"""The sharing section on the System page: switch, address, code, guests, limits."""
