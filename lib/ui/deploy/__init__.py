"""What the Deploy page draws, and how a deployment is shown wherever it stands."""
