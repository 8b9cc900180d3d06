"""What kind of user somebody is. What a role may do is said in one place, which asks for it; here are the names."""

from dataclasses import dataclass
from enum import Enum, unique


@unique
class Role(Enum):
    """The role of a user: a person, a service that works for persons, who looks after the data, who owns the server."""

    USER = "user"
    SERVICE = "service"
    DBA = "dba"
    SYSTEM = "system"


@dataclass(frozen=True)
class Identity:
    """A user by name, with the role that the user had when this was found out."""

    name: str
    role: Role
