"""Flight SQL over pyarrow.flight.

`service` (commands and actions to statements, without Flight), `handles` (what clients hold on to), `auth` (who is
calling), `status` (failures to status codes), `server` (the Flight methods: decode, dispatch, encode).
"""
