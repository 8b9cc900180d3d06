"""From our SQL to the cluster's: pure. Each node that is passed on is on a list; whatever is not is refused."""
