"""What every room stands on: errors, settings, names, files, HTTP, roles."""
