"""How a data folder gets its first user: from the command line, or from a file that an installation provides.

Whoever can write the data folder can do everything with it, so nobody is asked for more rights here.
"""

from pathlib import Path

from catalog.data_folder import DataFolder
from catalog.errors import DatabaseError, ErrorKind
from catalog.roles import Role
from catalog.user_store import UserStore
from catalog.users import UserDef, check_user_name
from flightserver.access.passwords import Passwords
from flightserver.settings import DEV_USER, Settings


def add_user(settings: Settings, name: str, password: str, role: Role) -> None:
    """Add a user to the data folder of a server that does not run."""
    passwords = Passwords(settings)
    folder = DataFolder(settings.data_dir.resolve())
    try:
        with folder.open_store() as keyvalue:
            UserStore(keyvalue).create(UserDef(check_user_name(name), role, passwords.hash(password)))
    finally:
        folder.close()


def provide_first_user(users: UserStore, passwords: Passwords, settings: Settings) -> None:
    """See to it that somebody can log in: make the user of the password file when there is no user.

    INVALID when nobody could log in.
    """
    if not users.is_empty:
        return
    if settings.root_password_file is not None:
        users.create(UserDef(DEV_USER, Role.SYSTEM, passwords.hash(_password(settings.root_password_file))))
    elif not settings.dev:
        raise DatabaseError(
            ErrorKind.INVALID,
            "nobody could log in: there are no users; make one with "
            f"`flightserver user add NAME --role system --data-dir {settings.data_dir}`, "
            "name a file with root's password in root_password_file, or use --dev on your own machine",
        )


def _password(path: Path) -> str:
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DatabaseError(ErrorKind.INVALID, f"root_password_file {path} cannot be read") from error
