"""The doctor's section on the System page, and the support bundle."""
