"""What the commands and actions of Flight SQL mean, without Flight.

`service` (every call: to statements, handles and sessions), `table_load` (ingest), `catalog_info` (metadata commands),
`handles` (what clients hold on to), `gate` (how many statements run at once), `call` (who is calling).
"""
