"""How SQLAlchemy's own tests are run here."""
