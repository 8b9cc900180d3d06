"""The SQL front end: text in, frozen values out.

DataFusion parses the queries it knows; they pass through as verbatim text. What it does not know (tables with keys and
options, upserts, namespaces, flushing, transactions) is parsed here. Nothing in this package reads or writes data.
"""
