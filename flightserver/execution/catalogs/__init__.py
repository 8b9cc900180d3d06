"""The catalogs that tools ask for: `information_schema` and a small `pg_catalog`, with PostgreSQL's names and words.

They are computed of the definitions that the asker may describe, column by column, whenever they are read.
"""

from flightserver.execution.catalogs.all import catalog_tables
from flightserver.execution.catalogs.views import ViewColumns

__all__ = ["ViewColumns", "catalog_tables"]
