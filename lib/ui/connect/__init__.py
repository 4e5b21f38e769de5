"""The page Connect: programs that use the models here."""
