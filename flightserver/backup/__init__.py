"""Backups: a copy of the data folder as of one moment, taken while it is written to, and put back into an empty folder.

`listing` is what a backup says of itself, `moment` the copy in links, `contents` what of it belongs to the backup,
`shelf` the folder with all backups, and `restoring` checks a backup or makes a data folder of it.
"""
