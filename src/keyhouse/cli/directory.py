"""`company`, `user` and `member`: who there is, and who is what where."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import typer
from sqlalchemy.exc import IntegrityError

from keyhouse.audit.events import OPERATOR
from keyhouse.cli import parameters, store
from keyhouse.cli.mistakes import Mistake
from keyhouse.cli.output import say, show
from keyhouse.cli.parameters import AsJson, CompanyId, Email, PasswordStdin
from keyhouse.directory import companies, users
from keyhouse.directory.passwords import PasswordHashing
from keyhouse.http.schemas import CompanyAnswer
from keyhouse.revocation import Deed, deaths
from keyhouse.scopes import Role

company = typer.Typer(help="Companies: the tenants.", no_args_is_help=True)
user = typer.Typer(help="Users: who can log in.", no_args_is_help=True)
member = typer.Typer(help="Memberships: who is what in which company.", no_args_is_help=True)

RoleOption = Annotated[Role, typer.Option("--role", help="What the user is in the company.")]


@company.command("create")
def create_company(
    name: Annotated[str, typer.Argument(parser=parameters.name, metavar="NAME", show_default=False)],
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Create a company."""

    async def act() -> dict[str, Any]:
        async with store.opened() as opened, opened.database.writing() as tx:
            made = await companies.create(tx, name=name, at=await opened.database.now(tx))
            return CompanyAnswer.of(made).model_dump(mode="json")

    show(asyncio.run(act()), as_json=as_json)


@user.command("create")
def create_user(
    email: Email,
    company_id: Annotated[
        str | None,
        typer.Option("--company", parser=parameters.identifier, metavar="ID", help="Make them a member of it."),
    ] = None,
    role: Annotated[Role | None, typer.Option("--role", help="What they are there (member).")] = None,
    password_stdin: PasswordStdin = False,  # noqa: FBT002 - as above
    as_json: AsJson = False,  # noqa: FBT002 - as above
) -> None:
    """Create a user, as a member of a company or of none."""
    if role is not None and company_id is None:
        raise typer.BadParameter("it needs --company", param_hint="--role")
    password = parameters.password_from_stdin(asked=password_stdin)
    role = role or Role.MEMBER if company_id else None

    async def act() -> dict[str, Any]:
        async with store.opened() as opened:
            password_hash = await _hash(password)
            async with opened.database.writing() as tx:
                if company_id is not None:
                    await store.company(tx, company_id)
                now = await opened.database.now(tx)
                made = await users.create(tx, email=email, password_hash=password_hash, at=now)
                if company_id is not None and role is not None:
                    # No worker can hold a user who was not there, so nobody is waited for.
                    await deaths.addition(company_id, made.id, role, OPERATOR)(tx, now)
                return {"id": made.id, "email": email, "company_id": company_id, "role": role}

    try:
        show(asyncio.run(act()), as_json=as_json)
    except IntegrityError:
        raise Mistake(f"there is a user {email} already") from None


@user.command("disable")
def disable_user(email: Email) -> None:
    """Disable a user: all of their tokens and keys are dead when this command has ended."""
    _change(email, lambda user_id: deaths.disabling(user_id, OPERATOR))
    say(f"{email} is disabled")


@user.command("enable")
def enable_user(email: Email) -> None:
    """Enable a user: their API keys live again, their sessions stay ended."""

    async def act() -> None:
        async with store.opened() as opened, opened.database.writing() as tx:
            await users.enable(tx, (await store.user(tx, email)).id)

    asyncio.run(act())
    say(f"{email} is enabled")


@user.command("set-password")
def set_password(email: Email, password_stdin: PasswordStdin = False) -> None:  # noqa: FBT002 - as above
    """Set a user's password: all of their sessions are dead when this command has ended."""
    password = parameters.password_from_stdin(asked=password_stdin)

    async def act() -> None:
        async with store.opened() as opened:
            async with opened.database.reading() as tx:
                user_id = (await store.user(tx, email)).id
            password_hash = await _hash(password)
            await opened.revocation.die(deaths.password(user_id, password_hash, OPERATOR, keep_session=None))

    asyncio.run(act())
    say(f"{email} has a new password")


@member.command("add")
def add_member(
    email: Email,
    company_id: CompanyId,
    role: RoleOption = Role.MEMBER,
    as_json: AsJson = False,  # noqa: FBT002 - as above
) -> None:
    """Make a user a member of a company."""
    try:
        user_id = _change(email, lambda user_id: deaths.addition(company_id, user_id, role, OPERATOR), company_id)
    except IntegrityError:
        raise Mistake(f"{email} is a member of {company_id} already") from None
    show({"user_id": user_id, "email": email, "company_id": company_id, "role": role}, as_json=as_json)


@member.command("set-role")
def set_role(
    email: Email,
    company_id: CompanyId,
    role: Annotated[Role, typer.Option("--role", help="What the user is from now on.", show_default=False)],
) -> None:
    """Change a member's role: rights that the new one lacks are dead when this command has ended."""
    _change(email, lambda user_id: deaths.role(company_id, user_id, role, OPERATOR), company_id, must_be_member=True)
    say(f"{email} is {role} of {company_id}")


@member.command("remove")
def remove_member(email: Email, company_id: CompanyId) -> None:
    """Remove a member: their tokens and keys are dead there when this command has ended."""
    _change(email, lambda user_id: deaths.removal(company_id, user_id, OPERATOR), company_id, must_be_member=True)
    say(f"{email} is no member of {company_id} any more")


def _change(
    email: str, deed: Callable[[str], Deed[None]], company_id: str | None = None, *, must_be_member: bool = False
) -> str:
    """Does the deed to the user, and answers their id when it is true on every worker."""

    async def act() -> str:
        async with store.opened() as opened:
            async with opened.database.reading() as tx:
                user_id = (await store.user(tx, email)).id
                if company_id is not None:
                    await store.company(tx, company_id)
                    if must_be_member and await companies.role(tx, company_id, user_id) is None:
                        raise Mistake(f"{email} is no member of {company_id}")
            await opened.revocation.die(deed(user_id))
            return user_id

    return asyncio.run(act())


async def _hash(password: str) -> str:
    hashing = PasswordHashing()
    try:
        return await hashing.hash(password)
    finally:
        hashing.close()
