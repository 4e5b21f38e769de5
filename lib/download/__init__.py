"""Files from elsewhere: whole, checked, and gone on with where they broke off."""
